"""Run an emulator for a test in a separate process, so that it shares no GIL with the code under test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from emulator.options import Credentials

_TIMEOUT = 60.0
_STOP_TIMEOUT = 10.0


class Emulator:
    """Client of a running emulator's admin endpoints."""

    def __init__(self, url: str) -> None:
        self.url = url

    def clock(self) -> dict[str, object]:
        """`{"now": Beijing text, "unix", "frozen"}`."""
        return self._ask("clock")

    def set_clock(self, now: str) -> dict[str, object]:
        """Set shop time to an ISO date-time (Beijing)."""
        return self._ask("clock", {"now": now})

    def advance(self, seconds: int) -> dict[str, object]:
        """Advance shop time; token lifetimes and limits advance with it."""
        return self._ask("clock", {"advance": seconds})

    def freeze(self) -> dict[str, object]:
        """Stop shop time where it is."""
        return self._ask("clock", {"frozen": True})

    def set_faults(self, **plan: object) -> dict[str, object]:
        """Replace the fault plan: `rate`, `kinds`, `next`, `stall_seconds`, `retry_after`."""
        return self._ask("faults", plan)

    def revoke_token(self, shop_id: str | None = None) -> None:
        """Expire the tokens of one shop, or of all shops."""
        self._ask("revoke_token", {"shop_id": shop_id})

    def stats(self) -> dict[str, object]:
        """Counts of calls and answers since the start."""
        return self._ask("stats")

    def push(self, **fields: object) -> dict[str, object]:
        """Push what happened in [`begin`, `end`) to `url`, with `token` and `aeskey`; see `Admin.push`."""
        return self._ask("push", fields)

    def set_users(self, **fields: object) -> dict[str, object]:
        """Hide users: `share` visible, `vanish_share` deleted from `vanish_at` (ISO) on, in `shop_id` or all shops."""
        return self._ask("users", fields)

    def amend_order(self, order_id: str, **times: str) -> None:
        """Let a paid order be settled (`settled_at`) or refunded without an after-sale (`refunded_at`) at ISO times."""
        self._ask("orders", {"order_id": order_id, **times})

    def truth_orders(
        self, shop_id: str | None = None, begin: int | None = None, end: int | None = None
    ) -> Iterator[dict[str, object]]:
        """Expected rows of `orders` created in [begin, end), unix seconds."""
        return self._lines("truth/orders", shop_id, begin, end)

    def truth_rejects(
        self, shop_id: str | None = None, begin: int | None = None, end: int | None = None
    ) -> Iterator[dict[str, object]]:
        """Orders whose rows cannot be typed."""
        return self._lines("truth/rejects", shop_id, begin, end)

    def truth_refunds(
        self, shop_id: str | None = None, begin: int | None = None, end: int | None = None
    ) -> Iterator[dict[str, object]]:
        """Expected rows of `refunds` created in [begin, end), unix seconds."""
        return self._lines("truth/refunds", shop_id, begin, end)

    def truth_users(
        self, shop_id: str | None = None, begin: int | None = None, end: int | None = None
    ) -> Iterator[dict[str, object]]:
        """Expected rows of `users` registered in [begin, end), unix seconds."""
        return self._lines("truth/users", shop_id, begin, end)

    def truth_products(
        self, shop_id: str | None = None, begin: int | None = None, end: int | None = None
    ) -> Iterator[dict[str, object]]:
        """Expected rows of `products` created in [begin, end), unix seconds."""
        return self._lines("truth/products", shop_id, begin, end)

    def truth_live_streams(
        self, shop_id: str | None = None, begin: int | None = None, end: int | None = None
    ) -> Iterator[dict[str, object]]:
        """Expected rows of `live_streams` starting in [begin, end), unix seconds."""
        return self._lines("truth/live_streams", shop_id, begin, end)

    def truth_order_origins(self, shop_id: str | None = None) -> Iterator[dict[str, object]]:
        """Expected rows of `order_origins`."""
        return self._lines("truth/order_origins", shop_id, None, None)

    def truth_order_lines(self, shop_id: str | None = None) -> Iterator[dict[str, object]]:
        """Expected rows of `order_lines`."""
        return self._lines("truth/order_lines", shop_id, None, None)

    def truth(
        self, table: str, shop_id: str | None = None, begin: int | None = None, end: int | None = None
    ) -> Iterator[dict[str, object]]:
        """The expected rows of any table (see `truth.py`)."""
        return self._lines(f"truth/{table}", shop_id, begin, end)

    def truth_summary(self) -> dict[str, object]:
        """Counts and sums per shop."""
        return self._ask("truth/summary")

    def _ask(self, path: str, body: Mapping[str, object] | None = None) -> dict[str, object]:
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.url}/_emulator/{path}", data)  # noqa: S310 - our own address
        with urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310
            return json.load(answer)

    def _lines(self, path: str, shop_id: str | None, begin: int | None, end: int | None) -> Iterator[dict[str, object]]:
        query = {"shop_id": shop_id, "begin": begin, "end": end}
        asked = urlencode({name: value for name, value in query.items() if value is not None})
        url = f"{self.url}/_emulator/{path}?{asked}"
        with urlopen(url, timeout=_TIMEOUT) as answer:  # noqa: S310 - our own address
            yield from map(json.loads, answer)


def flags(options: Mapping[str, object]) -> Iterator[str]:
    """Convert `token_life=60, frozen=True, shop=["a:b:c"]` to command-line flags."""
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if value is True:
            yield flag
        elif value is not False and value is not None:
            for one in value if isinstance(value, (list, tuple)) else [value]:
                yield f"{flag}={one}"


@contextmanager
def running(**options: object) -> Iterator[Emulator]:
    """Run an emulator for the duration of a `with` block.

    Options are the command-line flags with underscores: `True` sets a flag, a list repeats it.
    """
    command = [sys.executable, "-m", "emulator", *flags(options)]
    parts = (str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in parts if part)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ourselves
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise RuntimeError("the emulator did not start; its error is on stderr")
            yield Emulator(json.loads(line)["url"])
        finally:
            process.terminate()
            try:
                process.wait(_STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()


def airflow_connection(url: str, shop: Credentials, **extra: object) -> str:
    """A connection of type `xiaoe` in the JSON form of `AIRFLOW_CONN_...`; `extra` adds to its extra fields."""
    return json.dumps(
        {
            "conn_type": "xiaoe",
            "host": url,
            "login": shop.client_id,
            "password": shop.secret,
            "extra": {"app_id": shop.app_id, **extra},
        }
    )
