"""The warehouse's server: connections, sessions, bulk load, schema, users. Knows no rows of the shop."""
