"""Orders: when they are made, what becomes of them, how the API shows them and what is true."""
