"""Objectives with an error budget: how soon orders arrive and refunds are decided on (docs/monitoring.md)."""
