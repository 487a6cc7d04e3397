"""Users: when they register, which of them are shown, how the API shows them and what is true."""
