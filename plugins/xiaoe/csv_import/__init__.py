"""Orders from the CSV files of an old script (docs/decisions/0024)."""
