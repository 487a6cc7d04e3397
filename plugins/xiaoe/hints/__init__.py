"""Hints that an order changed: the queue, what is looked up, and what came of it."""
