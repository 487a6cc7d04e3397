"""The merge statements of a resource: its own template in include/sql/merge/, or the common upsert."""

from __future__ import annotations

from types import SimpleNamespace

from xiaoe.mysql.templates import render
from xiaoe.resources.base import Resource
from xiaoe.settings import INCLUDE_DIR


def template_of(resource: Resource) -> str:
    """Path of the template, relative to include/sql; it reads `task.declaration`, as Airflow passes it."""
    own = f"merge/{resource.name}.sql"
    return own if (INCLUDE_DIR / "sql" / own).exists() else "merge/upsert.sql"


def merge_sql(resource: Resource) -> str:
    """The merge statements, rendered as Airflow renders them for a merge task."""
    return render(template_of(resource), task=SimpleNamespace(declaration=resource))
