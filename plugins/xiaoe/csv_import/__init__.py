"""Import of orders from the CSV files of an older script (docs/decisions/0024)."""
