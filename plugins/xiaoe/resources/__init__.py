"""One file for each list of the API: mapping, declaration, and what it feeds."""
