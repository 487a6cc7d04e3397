"""Stage and merge as Airflow operators; merging kept pages again."""
