"""A shop for any resource: rows made from nothing but its declaration, and a server that lists them.

The server is written from the documentation (docs/xiaoe-api.md), not from the client's paging code: it cuts
a list into pages, by number or by cursor, and does as told when a test sets a fault.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from msgspec import Raw

from support.fixtures import shop_connection
from support.servers.wire import Seen, http, serving, shop_answer
from support.worlds.shop import Database, Sync
from xiaoe.api.hook import XiaoeHook
from xiaoe.clock import BEIJING
from xiaoe.resources import order_origins
from xiaoe.resources.base import Cursor, Resource, Scope
from xiaoe.rows import values
from xiaoe.rows.children import ADDED, Parent, with_parent
from xiaoe.storage.manifest import Manifest
from xiaoe.storage.pages import RunFolder
from xiaoe.windows import EVER, Window

Read = Callable[[Any], Any]
LEFT_OUT = ...
"""A total that the answer does not hold."""
BUSY, UNKNOWN_INTERFACE = 1001, 2052
MOST_CALLS = 80
"""More than any reading needs, five passes and all: from then on the server refuses, and the test fails."""
_DAY = datetime(2026, 3, 1, 9, 30)


@dataclass(frozen=True)
class Item:
    """A row of the shop.

    Args:
        number: Says which one: makes the key and the time.
        version: From 0 to 9; makes every other column.
        changed: Fields of the API → what is sent instead.
        raw: Sent instead of it all.
    """

    number: int
    version: int = 0
    changed: Mapping[str, Any] = field(default_factory=dict)
    raw: bytes | None = None


class RowFactory:
    """What rows of a resource look like, on the wire and in the warehouse.

    Args:
        resource: Its declaration.
        begin: Rows lie behind this moment, a minute apart, in the column that windows filter by.
    """

    def __init__(self, resource: Resource, begin: datetime) -> None:
        self.texts: dict[str, dict[int, str]] = resource.reader._code_texts
        self._mapping: dict[str, tuple[str, Read]] = resource.reader._mapping
        self.fields = {column: read for column, read in self._mapping.items() if read[0] not in ADDED}
        """Columns that the API sends."""
        parents = resource.parents
        self.key_field = parents.keys[0] if parents else self._mapping[resource.key][0]
        [self.key] = [column for column, (name, _) in self.fields.items() if name == self.key_field]
        """The column of what the API calls the row, beside its parent."""
        self.parent = None if parents is None else "2026-03-01" if "day" in self._mapping else "p_1"
        self._resource = resource
        self._begin = begin.replace(tzinfo=None)

    def own(self, item: Item) -> str:
        """What the API calls it, beside its parent."""
        return f"k_{item.number:04d}"

    def name(self, item: Item) -> str:
        """Its key in the warehouse."""
        name: str = self.named(self.own(item))[self._resource.key]
        return name

    def named(self, own: str) -> dict[str, Any]:
        """The columns that say which row it is."""
        if self.parent is None or self._resource.parents is None:
            return {self.key: own}
        column = self._resource.parents.column
        parent = date.fromisoformat(self.parent) if column == "day" else self.parent
        return {self.key: own, self._resource.key: f"{self.parent}/{own}", column: parent}

    def held(self, raw: bytes) -> bytes:
        """A row that was sent, as the merge sees it: with its parent."""
        parents = self._resource.parents
        return raw if parents is None else bytes(with_parent([Raw(raw)], self.parent or "", parents.keys)[0])

    def columns(self, *reads: Read) -> list[str]:
        """The columns that are read by one of these functions, but for key and time."""
        apart = (self.key, self._resource.time)
        return [column for column, (_, read) in self.fields.items() if read in reads and column not in apart]

    def raw(self, item: Item) -> bytes:
        """The row as the API sends it."""
        if item.raw is not None:
            return item.raw
        sent = {name: self._cell(column, item)[0] for column, (name, _) in self.fields.items()}
        return _json({**self.cursor(item), **sent, **item.changed})

    def bare(self, item: Item, **unknown: Any) -> bytes:
        """The row with its key alone, and fields that nobody knows."""
        return _json({self.key_field: self.own(item), **self.cursor(item), **unknown})

    def cursor(self, item: Item) -> dict[str, Any]:
        """The field that a list by cursor goes on behind; {} where there is none."""
        paging = self._resource.paging
        return {paging.key: {"id": self.name(item), "at": item.number}} if isinstance(paging, Cursor) else {}

    def stored(self, item: Item) -> dict[str, Any]:
        """The row as the warehouse holds it, less the bookkeeping; knows nothing of `changed`."""
        row = {column: self._cell(column, item)[1] for column in self.fields} | self.named(self.own(item))
        return row | {f"{column}_text": texts[int(row[column])] for column, texts in self.texts.items()}

    def _cell(self, column: str, item: Item) -> tuple[Any, Any]:
        """A column's value as it is sent, and as it is stored."""
        _, read = self.fields[column]
        if column == self.key:
            return self.own(item), self.own(item)
        if column in self.texts:
            codes = list(self.texts[column])
            code = codes[(item.number + item.version) % len(codes)]
            return (str(code), str(code)) if read is values.code_list else (code, code)
        serial = item.number * 10 + item.version
        is_fixed = column == self._resource.time
        moment = self._begin + timedelta(minutes=item.number) if is_fixed else _DAY + timedelta(minutes=serial)
        return _SAMPLES[read](serial, moment)


_SAMPLES: dict[Read, Callable[[int, datetime], tuple[Any, Any]]] = {
    values.identifier: lambda serial, _: (f"id_{serial}", f"id_{serial}"),
    values.text: lambda serial, _: (f"文 {serial}", f"文 {serial}"),
    values.code: lambda serial, _: (serial, serial),
    values.length: lambda serial, _: ([{}] * (serial % 7), serial % 7),
    values.yuan: lambda serial, _: (f"{serial}.50", Decimal(f"{serial}.50")),
    values.fen: lambda serial, _: (serial * 100 + 5, Decimal(f"{serial}.05")),
    values.number: lambda serial, _: (serial + 0.25, Decimal(f"{serial}.25")),
    values.count: lambda serial, _: (serial, serial),
    values.code_list: lambda serial, _: ([serial, 2], f"{serial},2"),
    values.time: lambda _, moment: (f"{moment:%Y-%m-%d %H:%M:%S}", moment),
    order_origins.order_lines: lambda serial, moment: (
        [{"sku_id": f"s_{serial}", "buy_num": str(serial), "total_price": serial, "expire_start": f"{moment}"}],
        f'[{{"sku_id":"s_{serial}","spu_id":null,"goods_name":null,"buy_num":{serial},"unit_price":null,'
        f'"total_price":"{serial // 100}.{serial % 100:02d}","actual_fee":null,"refund_state":null,'
        f'"expire_start":"{moment}","expire_end":null}}]',
    ),
    values.planned: lambda _, moment: (int(moment.replace(tzinfo=BEIJING).timestamp() * 1000) + 7, moment),
}
"""How a value is read → one that is sent, and what is stored of it."""


@dataclass(frozen=True)
class Response:
    """One answer before it is sent.

    Args:
        reading: How often the list was begun, from 1.
        page: Which page of that reading was asked for, from 1.
        place: The row of the list that it begins with, from 0.
        rows: What is on it.
        total: What the answer tells; LEFT_OUT tells nothing.
        code: The envelope's; not 0 is an error.
        data: Sent instead of rows and total.
    """

    reading: int
    page: int
    place: int
    rows: list[bytes]
    total: Any
    code: int = 0
    data: bytes | None = None


Fault = Callable[["ListServer", Response], "dict[str, Any] | None"]
"""Called with every answer before it is sent; returns what to send instead, by the names of `Response`."""


class ListServer:
    """One list interface over HTTP, filters ignored: `items`, in their order, and what `fault` makes of them."""

    def __init__(self, resource: Resource, factory: RowFactory) -> None:
        self.items: list[Item] = []
        self.size = 0
        """Rows per page that the last call asked for."""
        self.resource = resource
        self.factory = factory
        self._behind: dict[str, tuple[int, int]] = {}
        self.set()

    def set(self, fault: Fault = lambda server, response: None) -> None:
        """Set a fault, or take it away; forget what was asked."""
        self.fault = fault
        self.asked: list[int] = []
        self._reading = 0

    def cut(self, place: int, **changed: Any) -> list[bytes]:
        """The page that begins with this row of the list; `changed` replaces fields of every row."""
        return [self.factory.raw(replace(item, changed=changed)) for item in self.items[place : place + self.size]]

    def __call__(self, seen: Seen) -> bytes:
        """The answer's bytes."""
        assert seen.path == self.resource.endpoint
        body = json.loads(seen.body)
        if self.resource.parents:
            assert body["whose"] == self.factory.parent
        body |= body.get(self.resource.group, {})
        page, place = self._wanted(body)
        self._reading += page == 1
        self.asked.append(page)
        shown = self.items[place : place + self.size]
        self._behind |= {self.factory.name(item): (page + 1, place + at) for at, item in enumerate(shown, 1)}
        response = Response(self._reading, page, place, [*map(self.factory.raw, shown)], len(self.items))
        response = replace(response, **(self.fault(self, response) or {}))
        if len(self.asked) > MOST_CALLS:
            response = replace(response, code=UNKNOWN_INTERFACE)
        told = (
            b""
            if response.total is LEFT_OUT
            else b'"%s":%s,' % (self.resource.total_key.encode(), _json(response.total))
        )
        rows = b'"%s":[%s]' % (self.resource.list_key.encode(), b",".join(response.rows))
        data = b"{%s%s}" % (told, rows) if response.data is None else response.data
        return http(
            "200 OK", b'{"code":%d,"msg":"","data":%s}' % (response.code, data), "Content-Type: application/json"
        )

    def _wanted(self, body: dict[str, Any]) -> tuple[int, int]:
        """Which page is asked for, and the place in the list that it begins at."""
        self.size = min(int(body.get(self.resource.size_key, 20)), self.resource.largest_page)
        key = self.resource.paging.key
        if not isinstance(self.resource.paging, Cursor):
            page = int(body.get(key, 1))
            return page, (page - 1) * self.size
        if key not in body:
            return 1, 0
        name = body[key]["id"]
        page, place = self._behind.get(name, (2, 0))
        names = [self.factory.name(item) for item in self.items]
        return page, names.index(name) + 1 if name in names else place


@dataclass
class ResourceUnderTest:
    """A shop with one list, and the sync of it into the warehouse."""

    database: Database
    sync: Sync
    server: ListServer
    factory: RowFactory
    resource: Resource
    app_id: str
    window: Window

    def stage(self, **options: Any) -> tuple[RunFolder, Manifest]:
        hook = XiaoeHook(f"xiaoe_{self.app_id}", sleep=lambda _: None)
        parents = [Parent(self.factory.parent, {"whose": self.factory.parent})] if self.factory.parent else []
        run = {"resource": self.resource, "mode": "conformance", "moves": True, "parents": parents, **options}
        return self.sync.stage(self.window, hook=hook, **run)

    def run(self, *, accept_missing: bool = False, **options: Any) -> Counter[str]:
        return self.sync.merge(*self.stage(**options), accept_missing=accept_missing)

    def observe(self, items: Iterable[Item]) -> tuple[RunFolder, Manifest]:
        """Stage a list that says this."""
        self.server.items = list(items)
        return self.stage()

    def run_of(self, items: Iterable[Item]) -> Counter[str]:
        """Stage a list that says this, and merge it."""
        return self.sync.merge(*self.observe(items))

    @property
    def is_whole(self) -> bool:
        """Whether a row that is no longer listed is gone, and nothing is wrong."""
        return self.resource.scope in (Scope.WHOLE, Scope.PER_PARENT)

    @property
    def never_misses(self) -> bool:
        """Whether an answer need not have every row: then none is ever missed."""
        return self.resource.parents is not None and not self.resource.parents.lists_all

    def table(self) -> list[dict[str, Any]]:
        """The shop's rows as they are, bookkeeping and all, in key order."""
        sql = f"SELECT * FROM {self.resource.table} WHERE shop_id = %s ORDER BY {self.resource.key}"
        return self.database.rows(sql, [self.app_id])

    def absent(self) -> set[str]:
        return {row[self.resource.key] for row in self.table() if row["absent_since"]}

    def wrong(self, items: Iterable[Item] | None = None) -> list[str]:
        """How the warehouse differs from these rows, by default from all that the server lists; [] is equal."""
        shown = self.server.items if items is None else items
        return self.unlike([self.factory.stored(item) for item in shown])

    def unlike(self, expected: Iterable[dict[str, Any]]) -> list[str]:
        """How the rows that the list has differ from these, in every column; [] is equal."""
        key = self.resource.key
        held = {row[key]: row for row in self.table() if row["absent_since"] is None}
        right = {row[key]: row for row in expected}
        found = [f"{name} is missing" for name in sorted(right.keys() - held.keys())]
        found += [f"{name} should not be there" for name in sorted(held.keys() - right.keys())]
        return found + [
            f"{name}.{column}: expected {value!r}, found {held[name][column]!r}"
            for name in sorted(right.keys() & held.keys())
            for column, value in right[name].items()
            if held[name][column] != value
        ]

    def ledger(self) -> dict[str, Any]:
        """The last window that was merged."""
        sql = "SELECT * FROM sync_windows WHERE shop_id = %s AND resource = %s ORDER BY id DESC LIMIT 1"
        return self.database.rows(sql, [self.app_id, self.resource.name])[0]


@contextmanager
def under_test(database: Database, resource: Resource, app_id: str, page_size: int) -> Iterator[ResourceUnderTest]:
    """Open a shop for the length of a `with` block; it answers as fast as it can and allows as many calls.

    Its pages lie in memory where the system has a place for that: every one is synced to its disk.
    """
    quick = replace(resource, calls_per_second=300, quota_seconds=10)
    now = datetime.now(BEIJING)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    # Up to the present, tomorrow too: only such a window has to hold every row by its last change.
    days = Window(midnight - timedelta(days=3), midnight + timedelta(days=2))
    window = Window(EVER, now) if resource.scope in (Scope.WHOLE, Scope.PER_PARENT) else days
    factory = RowFactory(quick, window.begin)
    server = ListServer(quick, factory)
    database.rows(f"DELETE FROM {resource.table} WHERE shop_id = %s", [app_id])
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with serving() as wire, TemporaryDirectory(dir=memory) as store, pytest.MonkeyPatch.context() as patch:
        wire.answer = shop_answer(server)
        connection = shop_connection(wire.url, app_id=app_id, page_size=page_size, concurrency=1, calls_per_second=300)
        patch.setenv(f"AIRFLOW_CONN_XIAOE_{app_id.upper()}", connection)
        yield ResourceUnderTest(database, Sync(Path(store)), server, factory, quick, app_id, window)


def _json(content: object) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()
