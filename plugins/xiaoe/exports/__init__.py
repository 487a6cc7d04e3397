"""Tables as spreadsheets for staff."""
