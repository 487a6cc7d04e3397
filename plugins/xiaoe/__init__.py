"""Copies a 小鹅通 (Xiaoe) shop into MySQL: hook, resources, page store, rows, operators."""

__version__ = "0.1.0"
