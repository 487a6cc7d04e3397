"""From the page store into MySQL: one transaction for each merge."""
