"""What somebody could send on purpose: statements, templates, paths in keys and texts; pages that never end."""

from __future__ import annotations

import gzip
import json
import resource as limits
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.faults.processes import Child
from support.fixtures import servers, shop_connection
from support.servers.wire import MemoryTokens, http, serving, shop_answer
from support.worlds.conformance import Item, ResourceUnderTest, under_test
from support.worlds.forms import BAD
from support.worlds.shop import Database
from xiaoe.api.hook import XiaoeHook
from xiaoe.exceptions import XiaoeConfigError, XiaoeNetworkError
from xiaoe.resources.base import Resource
from xiaoe.resources.orders import ORDERS
from xiaoe.resources.registry import RESOURCES
from xiaoe.rows import values
from xiaoe.storage.pages import RunFolder

pytestmark = pytest.mark.chaos

HOSTILE = (
    "'; DROP TABLE orders; -- ", '" OR ""="', "\\'; DELETE FROM users; -- ",
    "1) ON DUPLICATE KEY UPDATE shop_id='x' -- ",
    "{{ 7*7 }}", "{% for x in range(9) %}x{% endfor %}", "${jndi:ldap://x}", "%s%s%n", "%(shop_id)s",
    "../../../etc/passwd",
    "..\\..\\x", "/etc/passwd", "a\tb\nc", "\\N", "<script>alert(1)</script>", "=cmd|' /C calc'!A0", "`id`; $(id)",
    "\u202e",
)  # fmt: skip
"""Keys: all that a column of 128 characters can hold."""


@pytest.fixture
def shop(database: Database, resource: Resource) -> Iterator[ResourceUnderTest]:
    with under_test(database, resource, "apptest1", 50) as shop:
        yield shop


@pytest.mark.mysql
@pytest.mark.parametrize("migrated", servers()[:1], indirect=True)
@pytest.mark.parametrize("resource", RESOURCES.values(), ids=lambda resource: resource.name)
def test_a_key_is_a_key_whatever_it_says(shop: ResourceUnderTest) -> None:
    """New, changed, refused, typed again, gone: each way in which a key gets into a statement or onto the disk."""
    key, known = shop.factory.key_field, Item(500)
    texts = shop.factory.columns(*(read for _, read in shop.factory.fields.values() if read.__name__ == "text"))

    def listed(version: int, **changed: Any) -> list[Item]:
        return [
            Item(number, version, {key: name, **{shop.factory.fields[one][0]: name for one in texts}, **changed})
            for number, name in enumerate(HOSTILE)
        ]

    kinds = (values.code, values.count, values.yuan, values.identifier)
    apart = (shop.factory.key, shop.resource.time)
    bad, read = next(one for column, one in shop.factory.fields.items() if column not in apart and one[1] in kinds)
    for rows in (listed(0), listed(1), listed(2, **{bad: BAD[read]}), listed(3)):
        shop.server.items = [*rows, known]
        shop.run()
    held = {row[shop.factory.key]: row for row in shop.table()}
    assert held.keys() == {*HOSTILE, shop.factory.own(known)}
    for name in HOSTILE:
        assert all(held[name][one] == name for one in texts)
    assert shop.database.value("SELECT COUNT(*) FROM rejected_rows") == 0
    assert shop.database.value("SELECT COUNT(*) FROM field_problems WHERE resolved_at IS NULL") == 0
    assert shop.database.value("SELECT COUNT(*) FROM field_problems WHERE field = %s", [bad]) == len(HOSTILE)
    shop.server.items = [known]
    shop.run(accept_missing=True)
    gone = set() if shop.never_misses else {shop.factory.named(name)[shop.resource.key] for name in HOSTILE}
    assert shop.absent() == gone
    shop.database.snapshot()  # every table is still there


def test_an_answer_that_unpacks_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four megabytes on the wire, a gigabyte behind them, in a process that may have a quarter of that."""
    monkeypatch.setenv("XIAOE_MAX_PAGE_MB", "1")
    zeros = gzip.compress(bytes(64 << 20), 1) * 16
    assert len(zeros) < 5 << 20
    with serving() as wire:
        wire.answer = shop_answer(http("200 OK", zeros, "Content-Type: application/json", "Content-Encoding: gzip"))
        monkeypatch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", shop_connection(wire.url))

        def read() -> None:
            used = int(Path("/proc/self/statm").read_text().split()[0]) * limits.getpagesize()
            limits.setrlimit(limits.RLIMIT_AS, (used + (256 << 20),) * 2)
            with pytest.raises((XiaoeConfigError, XiaoeNetworkError)):
                XiaoeHook(token_store=MemoryTokens(), sleep=lambda _: None).list_page(ORDERS, {"page_index": 1})

        Child(read).join()


@pytest.mark.parametrize("name", ["../../../../secret.gz", "/etc/hostname", "slice-00/../../x.json.gz", "page"])
def test_a_manifest_that_names_a_file_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    folder = RunFolder(tmp_path)
    part = {
        "begin": "2026-11-01T00:00:00+08:00", "end": "2026-11-02T00:00:00+08:00", "api_total": 1, "staged": 1,
        "passes": 1, "pages": [name], "observed_at": "2026-11-02T00:00:00+00:00",
    }  # fmt: skip
    about = {"shop_id": "a", "resource": "orders", "mode": "m", "run_id": "r", "moves_watermark": False}
    folder.manifest_path.write_text(json.dumps({**about, "slices": [part]}))
    with pytest.raises(XiaoeConfigError, match="names no page of its own run"):
        folder.read_manifest()
