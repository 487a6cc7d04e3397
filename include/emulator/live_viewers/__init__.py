"""Viewers of live streams: who watched how long, the API's response and the expected rows."""
