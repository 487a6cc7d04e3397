"""Looks for secrets wherever a run can have left them: files, packed or not, and every row of a database."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

from support.worlds.shop import Database

TOKEN = re.compile(rb"xe_[0-9a-f]{40}")
"""An access token as the emulator issues it."""


def leaks(secrets: Iterable[str], folders: Iterable[Path], databases: Iterable[Database] = ()) -> list[str]:
    """Where one of the secrets, or any access token, lies in the clear, in whichever spelling; [] is good."""
    spellings = {name: form for name in secrets for form in _forms(name)}
    pattern = re.compile(b"|".join([TOKEN.pattern, *(re.escape(form) for name in secrets for form in _forms(name))]))
    assert spellings
    found = []
    for folder in folders:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            found += [f"{path.relative_to(folder)}: {hit!r}" for hit in _hits(pattern, _unpacked(path))]
    for database in databases:
        for table in [next(iter(row.values())) for row in database.rows("SHOW FULL TABLES")]:
            text = repr(database.rows(f"SELECT * FROM `{table}`")).encode()
            found += [f"table {table}: {hit!r}" for hit in _hits(pattern, text)]
    return found


def _forms(secret: str) -> set[bytes]:
    """The secret as it is, as a URL spells it, and in the middle of a text in base64."""
    forms = {secret.encode(), quote(secret, safe="").encode(), quote_plus(secret).encode()}
    for shift in range(3):  # base64 of three bytes: which four letters depends on what stands before
        packed = base64.b64encode(bytes(shift) + secret.encode())
        forms.add(packed[4 if shift else 0 : len(packed) // 4 * 4 - 4])
    return forms


def _hits(pattern: re.Pattern[bytes], content: bytes) -> set[bytes]:
    return {bytes(content[max(hit.start() - 60, 0) : hit.end() + 20]) for hit in pattern.finditer(content)}


def _unpacked(path: Path) -> bytes:
    content = path.read_bytes()
    return b"".join(_inflated(content)) if path.suffix == ".gz" else content


def _inflated(content: bytes) -> Iterator[bytes]:
    while content:  # a file may hold several members, one after the other
        inflate = zlib.decompressobj(wbits=31)
        yield inflate.decompress(content)
        content = inflate.unused_data
