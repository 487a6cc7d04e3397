"""Marts: the summaries of orders and decisions that dashboards read, refreshed day by day."""
