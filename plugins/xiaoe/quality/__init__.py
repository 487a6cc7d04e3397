"""Data quality: the checks, how they are run, and their stored results."""
