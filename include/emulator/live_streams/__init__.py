"""Live streams: their schedule, the API's response and the expected rows."""
