"""Renders the SQL templates of include/sql/marts."""

from __future__ import annotations

import jinja2

from xiaoe.settings import INCLUDE_DIR


def marts(name: str, **values: object) -> str:
    """A template of include/sql/marts, rendered."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(INCLUDE_DIR / "sql"))  # noqa: S701 - SQL, no HTML
    return environment.get_template(f"marts/{name}.sql").render(**values)
