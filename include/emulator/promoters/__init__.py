"""Promoters, their customers and orders: what the API answers, and the expected rows."""
