"""Products: their lifecycle, the API's response and the expected rows."""
