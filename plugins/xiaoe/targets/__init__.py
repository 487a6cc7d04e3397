"""Monthly targets of shops, as staff write them into a workbook."""
