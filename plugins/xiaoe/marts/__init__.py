"""What dashboards read: summaries of orders and decisions, kept up to date day by day."""
