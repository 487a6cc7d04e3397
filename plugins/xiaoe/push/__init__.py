"""The service that takes the shop's message push: what it says is a hint, and is never written into `orders`."""
