"""SQL templates below include/sql."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import jinja2

from xiaoe import settings

_COMMENT = re.compile(r"^\s*--.*\n", re.MULTILINE)
_END = re.compile(r"(?<=;)\s*(?=[A-Z]|\Z)")
"""End of a statement in our own templates; sqlparse finds the same and takes longer than a small merge."""


def render(template: str, **values: Any) -> str:
    """A template below include/sql, as SQL."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> jinja2.Environment:
    """It keeps templates compiled, which takes longer than most of them run."""
    return jinja2.Environment(loader=jinja2.FileSystemLoader(settings.INCLUDE_DIR / "sql"))  # noqa: S701 - no HTML


def split_statements(sql: str) -> list[str]:
    """The statements of a rendered template, without comments, each with its semicolon."""
    return [text for text in map(str.strip, _END.split(_COMMENT.sub("", sql))) if text]
