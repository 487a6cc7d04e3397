"""Promoters and their customers: the API's two responses and the expected rows."""
