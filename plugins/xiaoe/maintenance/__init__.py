"""What grows and is cut back: pages, the ledger, rows nobody asks for, files, logs, Airflow's own database."""
