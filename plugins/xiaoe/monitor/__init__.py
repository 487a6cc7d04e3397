"""The monitoring page in the Airflow UI, and the storage samples it shows."""
