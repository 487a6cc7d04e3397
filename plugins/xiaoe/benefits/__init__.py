"""Who keeps a benefit (福利): the rule, the decisions, what staff get to see of them."""
