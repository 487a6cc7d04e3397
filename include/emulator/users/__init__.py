"""Users: registrations, visibility in the list, the API's response and the expected rows."""
