"""Backups of the warehouse: dump, store, retention, drill, restore (docs/backup.md)."""
