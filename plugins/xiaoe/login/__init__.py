"""Who may log in to Airflow, and how often a password may be tried. For the API server and `cli person` only."""
