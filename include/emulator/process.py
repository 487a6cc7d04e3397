"""Run an emulator for a test: in a process of its own, so that it shares no GIL with what is tested."""

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
    """A running emulator, by its address."""

    def __init__(self, url: str) -> None:
        self.url = url

    def clock(self) -> dict[str, object]:
        """Return ``{"now": Beijing text, "unix", "frozen"}``."""
        return self._ask("clock")

    def set_clock(self, now: str) -> dict[str, object]:
        """Move shop time to an ISO moment (Beijing)."""
        return self._ask("clock", {"now": now})

    def advance(self, seconds: int) -> dict[str, object]:
        """Move shop time on; tokens and limits run on as well."""
        return self._ask("clock", {"advance": seconds})

    def set_faults(self, **plan: object) -> dict[str, object]:
        """Replace the fault plan: ``rate``, ``kinds``, ``next``, ``stall_seconds``, ``retry_after``."""
        return self._ask("faults", plan)

    def revoke_token(self, shop_id: str | None = None) -> None:
        """End the tokens of one shop, or of all."""
        self._ask("revoke_token", {"shop_id": shop_id})

    def stats(self) -> dict[str, object]:
        """Return what the emulator saw since its start."""
        return self._ask("stats")

    def set_users(self, **wish: object) -> dict[str, object]:
        """Hide users: ``share`` shown, ``vanish_share`` deleted from ``vanish_at`` (ISO) on, in ``shop_id`` or all."""
        return self._ask("users", wish)

    def truth_orders(
        self, shop_id: str | None = None, begin: int | None = None, end: int | None = None
    ) -> Iterator[dict[str, object]]:
        """Yield the expected rows of ``orders`` created in [begin, end), unix seconds."""
        return self._lines("truth/orders", shop_id, begin, end)

    def truth_rejects(
        self, shop_id: str | None = None, begin: int | None = None, end: int | None = None
    ) -> Iterator[dict[str, object]]:
        """Yield the orders whose rows cannot be typed."""
        return self._lines("truth/rejects", shop_id, begin, end)

    def truth_refunds(
        self, shop_id: str | None = None, begin: int | None = None, end: int | None = None
    ) -> Iterator[dict[str, object]]:
        """Yield the expected rows of ``refunds`` created in [begin, end), unix seconds."""
        return self._lines("truth/refunds", shop_id, begin, end)

    def truth_users(
        self, shop_id: str | None = None, begin: int | None = None, end: int | None = None
    ) -> Iterator[dict[str, object]]:
        """Yield the expected rows of ``users`` who registered in [begin, end), unix seconds."""
        return self._lines("truth/users", shop_id, begin, end)

    def truth_products(
        self, shop_id: str | None = None, begin: int | None = None, end: int | None = None
    ) -> Iterator[dict[str, object]]:
        """Yield the expected rows of ``products`` made in [begin, end), unix seconds."""
        return self._lines("truth/products", shop_id, begin, end)

    def truth_live_streams(
        self, shop_id: str | None = None, begin: int | None = None, end: int | None = None
    ) -> Iterator[dict[str, object]]:
        """Yield the expected rows of ``live_streams`` that start in [begin, end), unix seconds."""
        return self._lines("truth/live_streams", shop_id, begin, end)

    def truth_summary(self) -> dict[str, object]:
        """Return counts and sums per shop."""
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
    """Turn ``token_life=60, frozen=True, shop=["a:b:c"]`` into command-line flags."""
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if value is True:
            yield flag
        elif value is not False and value is not None:
            for one in value if isinstance(value, (list, tuple)) else [value]:
                yield f"{flag}={one}"


@contextmanager
def running(**options: object) -> Iterator[Emulator]:
    """Run an emulator for the length of a ``with`` block.

    Options are the command-line flags with underscores: ``True`` sets a flag, a list repeats it.
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
    """Return a connection of type ``xiaoe`` as ``AIRFLOW_CONN_...`` takes it; ``extra`` adds to its extra fields."""
    return json.dumps(
        {
            "conn_type": "xiaoe",
            "host": url,
            "login": shop.client_id,
            "password": shop.secret,
            "extra": {"app_id": shop.app_id, **extra},
        }
    )
