"""Alerts: people hear once of an outage, and once that it is over (docs/decisions/0015)."""
