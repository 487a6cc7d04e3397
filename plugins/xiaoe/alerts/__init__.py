"""Alerts: one message when an outage starts and one when it ends (docs/decisions/0015)."""
