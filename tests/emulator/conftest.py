"""A plain client for the emulator's tests: it knows HTTP and JSON, and nothing of the emulator's code."""

from __future__ import annotations

import json
from contextlib import ExitStack
from functools import cache
from http.client import HTTPConnection
from urllib.parse import urlencode

import pytest

from emulator import running
from support.servers.emulator import serving

PATH = "/xe.order.list.get/1.0.1"
CREDENTIALS = {"app_id": "app1", "client_id": "client1", "secret_key": "secret1"}
DAY = 86_400
# Table: interface, paging key, key of the total, largest page, key of a row (docs/xiaoe-api.md sections 3 to 6).
LISTS = {
    "refunds": ("xe.ecommerce.after_sale.list/1.0.0", "page_index", "row_count", 100, "aftersale_id"),
    "users": ("xe.user.batch.get/2.0.0", "es_skip", "total", 50, "user_id"),
    "products": ("xe.goods.list.get/4.0.0", "page", "total", 100, "resource_id"),
    "live_streams": ("xe.alive.list.get/1.0.0", "page", "total", 100, "id"),
}
ALL_DAYS = "2024-12-01||2026-12-31"
# What a list has to be sent to give all rows with all fields.
NEEDED = {"refunds": {"created_at": ALL_DAYS}, "users": {"need_column": ["latest_visited_at"]}}


class Client:
    """Asks one emulator for tokens and orders."""

    def __init__(self, emulator, credentials=CREDENTIALS):
        self.emulator = emulator
        self.credentials = credentials
        self.access_token = None

    def http(self, method, path, body=None, timeout=30):
        """Return status, headers and raw body of one request."""
        connection = HTTPConnection(self.emulator.url.removeprefix("http://"), timeout=timeout)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def token(self, **changes):
        """Return the envelope of a token call; a change to ``None`` leaves the parameter out."""
        query = {**self.credentials, "grant_type": "client_credential", **changes}
        asked = urlencode({name: value for name, value in query.items() if value is not None})
        return json.loads(self.http("GET", f"/token?{asked}")[2])

    def login(self):
        """Take a token for all further calls."""
        self.access_token = self.token()["data"]["access_token"]
        return self

    def raw(self, **body):
        """Return status, headers and raw body of an order list call."""
        return self.http("POST", PATH, json.dumps({"access_token": self.access_token, **body}))

    def ask(self, **body):
        """Return the envelope of an order list call."""
        return json.loads(self.raw(**body)[2])

    def page(self, **body):
        """Return total and rows of an order list call, whatever shape nothing has."""
        envelope = self.ask(**body)
        assert envelope["code"] == 0, envelope
        data = envelope["data"] or {"total": 0, "list": None}
        return data["total"], data["list"] or []

    def window(self, begin, end, **body):
        """Return every row of a window, page by page until an empty one."""
        rows, page_index = [], 1
        while page := self.page(begin_time=begin, end_time=end, page_index=page_index, **body)[1]:
            rows += page
            page_index += 1
        return rows

    def everything(self, **body):
        """Return every row of the shop, in windows that meet without overlap."""
        emulator_now, rows, begin = self.emulator.clock()["unix"], [], self.begin
        while begin <= emulator_now:
            rows += self.window(begin, begin + 7 * DAY - 1, **body)
            begin += 7 * DAY
        return rows

    def call(self, table, **body):
        """Return the envelope of a call of the list behind another table than orders."""
        needed = NEEDED.get(table, {})
        asked = json.dumps({"access_token": self.access_token, **needed, **body})
        return json.loads(self.http("POST", "/" + LISTS[table][0], asked)[2])

    def list_page(self, table, **body):
        """Return total and rows of a call, whatever shape nothing has."""
        envelope = self.call(table, **body)
        assert envelope["code"] == 0, envelope
        data = envelope["data"] or {}
        return data.get(LISTS[table][2], 0), data.get("list") or []

    def list_pages(self, table, most=100, until_refused=False, **body):
        """Yield total and rows of every page up to, and without, the first empty or refused one."""
        key, place = LISTS[table][1], 1
        for _ in range(most + 1):
            asked = {**body, **({} if place == 1 else {key: place})}
            if until_refused and self.call(table, **asked)["code"] == 1002:
                return
            total, rows = self.list_page(table, **asked)
            if not rows:
                assert not until_refused
                return
            yield total, rows
            place = rows[-1]["es_skip"] if key == "es_skip" else place + 1
        raise AssertionError(f"no end after {most} pages")

    def list_all(self, table, **body):
        """Return every row of a list in its order."""
        size = {"page_size": LISTS[table][3]}
        return [row for _, rows in self.list_pages(table, **{**size, **body}) for row in rows]

    def truth(self, table, **bounds):
        """Return the expected rows of a table."""
        return list(getattr(self.emulator, f"truth_{table}")(**bounds))

    begin = 1735660800  # 2025-01-01 00:00:00 in Beijing


BASE = {"shop": ["app1:client1:secret1"], "frozen": True, "now": "2025-03-01T12:00:00"}


@pytest.fixture(scope="session")
def start():
    """Return a context manager that starts an emulator with the tests' shop and stopped clock in a process."""
    return lambda **options: running(**{**BASE, **options})


@pytest.fixture(scope="session")
def serve():
    """Return a context manager like ``start`` that needs no process."""
    return lambda **options: serving(**{**BASE, **options})


@pytest.fixture(scope="session")
def shop(serve):
    """Return a client of a shop with 3000 orders in two months; tests must leave it as it was."""
    with serve(orders=3000, no_limits=True) as emulator:
        yield Client(emulator).login()


@pytest.fixture(scope="session")
def emulators(serve):
    """Return a function that starts an emulator once for each set of options."""
    with ExitStack() as stack:
        yield cache(lambda options: stack.enter_context(serve(**dict(options))))


@pytest.fixture
def connect(emulators):
    """Return a function that logs in at an emulator with these options, which tests may do anything to."""

    def connected(**options):
        chosen = {"orders": 1500, **options}
        frozen = {name: tuple(value) if isinstance(value, list) else value for name, value in chosen.items()}
        emulator = emulators(tuple(sorted(frozen.items())))
        emulator.advance(600)  # empties every limit's window
        emulator.set_clock(BASE["now"])
        emulator.revoke_token()
        return Client(emulator).login()

    return connected
