"""One word, one meaning: a class name of the package stands for one class."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "plugins" / "xiaoe"


def test_every_class_name_is_unique_in_the_package() -> None:
    modules: dict[str, list[str]] = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                modules[node.name].append(str(path.relative_to(PACKAGE)))
    assert len(modules) > 100, "the package was not found"
    assert {name: files for name, files in modules.items() if len(files) > 1} == {}
