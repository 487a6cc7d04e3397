"""Reports on the business: what a shop took in yesterday, last week, last month, and how that compares."""
