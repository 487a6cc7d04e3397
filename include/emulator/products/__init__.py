"""Products: when they come, go on and off sale and go, how the API shows them and what is true."""
