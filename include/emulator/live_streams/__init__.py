"""Live streams: when they run, how the API shows them and what is true."""
