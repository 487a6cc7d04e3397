"""Orders: arrivals, attributes, lifecycle, the API's response and the expected rows."""
