"""Orders by their last change ("order list 2.0"): the endpoint, the API's response and the expected rows."""
