"""Whether the data is what it should be: the checks, how they are run, what is kept of them."""
