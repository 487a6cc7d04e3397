"""Corrects Superset's Chinese: a third of its catalogue are machine guesses, compiled in ("Summary" is 星期日 there).

Guesses are dropped, so that the English text shows; `zh.yaml` holds the texts that are reviewed.
"""

from __future__ import annotations

import json
import os
import tempfile
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import yaml

REVIEWED: dict[str, str] = yaml.safe_load(Path(__file__).with_name("zh.yaml").read_text("utf-8"))
"""Superset's text → ours."""


def catalogue() -> Path:
    """The folder of the installed Superset with its Chinese catalogue.

    Raises:
        RuntimeError: There is none; the images on Docker Hub leave it out.
    """
    package = find_spec("superset")  # without importing it, which takes seconds
    folder = Path(str(package and package.origin)).parent / "translations/zh/LC_MESSAGES"
    if not (folder / "messages.po").exists():
        raise RuntimeError(
            f"this Superset has no Chinese texts: {folder} is empty; install the release in requirements.txt"
        )
    return folder


def patch(folder: Path) -> bool:
    """Write the reviewed texts into messages.json (read by the browser) and messages.mo (by the server).

    Returns:
        Whether anything was changed.
    """
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    with open(folder / "messages.po", "rb") as source:
        messages = read_po(source, locale="zh")
    guesses = {_text(message.id) for message in messages if message.fuzzy and message.id} - REVIEWED.keys()
    for text, reviewed in REVIEWED.items():
        message = messages.get(text) or messages.add(text)
        message.string = (reviewed,) if message.pluralizable else reviewed
        message.flags.discard("fuzzy")
    compiled = BytesIO()
    write_mo(compiled, messages)  # leaves out what is fuzzy
    pack = json.loads((folder / "messages.json").read_bytes())
    texts = pack["locale_data"]["superset"]
    pack["locale_data"]["superset"] = {text: found for text, found in texts.items() if text not in guesses} | {
        text: [reviewed] for text, reviewed in REVIEWED.items()
    }
    changed = [
        replace(folder / "messages.mo", compiled.getvalue()),
        replace(folder / "messages.json", json.dumps(pack, ensure_ascii=False).encode()),
    ]
    return any(changed)


def _text(id_: Any) -> str:
    """The text of a message; of one with a plural, the singular."""
    return id_ if isinstance(id_, str) else id_[0]


def replace(path: Path, content: bytes) -> bool:
    """Replace a file atomically, if its content differs: a running server reads the old or the new one."""
    if path.read_bytes() == content:
        return False
    handle, name = tempfile.mkstemp(dir=path.parent)
    with open(handle, "wb") as file:
        file.write(content)
    os.chmod(name, path.stat().st_mode)
    os.replace(name, path)
    return True


if __name__ == "__main__":
    patch(catalogue())
