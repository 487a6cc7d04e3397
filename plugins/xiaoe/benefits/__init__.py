"""Who keeps a benefit (福利): the rule, the decisions, the reports to staff."""
