"""Daily cleanup: pages, the ledger, old rows, files, logs, Airflow's own database (docs/decisions/0018)."""
