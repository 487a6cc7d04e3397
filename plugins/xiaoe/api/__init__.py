"""One page of the API: connection of a shop, token, rate limit, errors."""
