"""Who may log in to Airflow, and how often a password may be tried. Loaded by the API server and by `cli person` only."""
