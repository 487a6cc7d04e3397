"""The pages of the documentation, and their code blocks."""

from __future__ import annotations

import re
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
DOCS = REPO / "docs"
READMES = ("README.md", "README.zh-CN.md")


def blocks(path: Path, language: str) -> list[str]:
    """Code blocks of a page; those inside a list are indented."""
    return re.findall(rf"^ *```{language}\n(.*?)^ *```$", path.read_text("utf-8"), re.M | re.S)
