"""Stage and merge as Airflow operators, and rebuilding the warehouse from stored pages."""
