"""From the API into the page store: every page of a window, and the proof that it is every page."""
