"""The monitoring page inside the Airflow UI, and the storage figures it shows."""
