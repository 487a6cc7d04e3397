"""From raw JSON to typed rows. Knows no Airflow and no database."""
