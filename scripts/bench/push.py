"""The push service under load: messages a second over HTTP, in groups and each in its own transaction."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.request import urlopen

from bench.place import SHOP, Place, in_bare_child, note
from emulator.push.sealing import Secrets, seal
from servers.airflow import free_port

SECRETS = Secrets("token-of-the-bench", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG")
CONNECTIONS = 128
_STEP = 0.1
_SERVE = "from xiaoe.push import writer; writer._GROUP = {group}; from xiaoe.cli import main; main(['push'])"


def pushes(place: Place, messages: int) -> dict[str, Any]:
    """Messages a second and the service's CPU for each, in groups as they come and one by one.

    Args:
        place: Server and folder.
        messages: How many, each about another order.
    """
    found: dict[str, Any] = {"messages": messages, "connections": CONNECTIONS, "load_before": os.getloadavg()[0]}
    for name, group in (("grouped", 250), ("one_by_one", 1)):
        database = place.migrated("push")
        with _service(group) as (process, port):
            before = _cpu(process.pid)
            seconds = in_bare_child(send, port, messages)
            found[name] = {"per_s": messages / seconds, "cpu_ms": 1000 * (_cpu(process.pid) - before) / messages}
        with place.connected(database) as server, server.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM change_hints")
            [(hints,)] = cursor.fetchall()
        if hints != messages:
            raise RuntimeError(f"{messages} messages acknowledged, {hints} hints stored")
    found["grouped_vs_one_by_one"] = found["grouped"]["per_s"] / found["one_by_one"]["per_s"]
    note(json.dumps(found))
    return found


@contextmanager
def _service(group: int) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port = free_port()
    extra = {"app_id": SHOP.app_id, "push_token": SECRETS.token, "push_secret": SECRETS.aeskey}
    shop = {"conn_type": "xiaoe", "login": SHOP.client_id, "password": SHOP.secret, "extra": extra}
    environment = {**os.environ, "AIRFLOW_CONN_XIAOE_DEFAULT": json.dumps(shop), "XIAOE_PUSH_PORT": str(port)}
    environment["XIAOE_HINTS"] = "push"
    command = [sys.executable, "-c", _SERVE.format(group=group)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - ourselves
        try:
            while process.poll() is None:
                with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/health"):
                    break
                time.sleep(_STEP)
            yield process, port
        finally:
            process.terminate()


def send(port: int, messages: int) -> float:
    """Send messages over some connections; return the seconds it took. Sealing them is not counted.

    Raises:
        RuntimeError: One was not acknowledged.
    """
    requests = [_request(number) for number in range(messages)]
    began = time.perf_counter()
    asyncio.run(_send_all(port, iter(requests)))
    return time.perf_counter() - began


def _request(number: int) -> bytes:
    order_id = f"o_17{number:08}_{number:016x}"
    fields = (
        f"<action>settle</action><action_text>订单结算</action_text><app_id>{SHOP.app_id}</app_id><channel_id>0</channel_id>"
        f"<order_id>{order_id}</order_id><order_state>1</order_state><user_id>u_{number:024x}</user_id>"
    )
    head = f"<type>order_change</type><app_id>{SHOP.app_id}</app_id><message_id>20261120_{number:024x}</message_id>"
    text = f"<doc>{head}<retry_times>0</retry_times><xe_data>{fields}</xe_data></doc>"
    body = seal(text.encode(), SECRETS, int(time.time())).body
    return b"POST /push/%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (
        SHOP.app_id.encode(),
        len(body),
        body,
    )


async def _send_all(port: int, requests: Iterator[bytes]) -> None:
    async def one_connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in requests:  # shared: each takes the next one
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            if await reader.readexactly(length) != b"success":
                raise RuntimeError(f"not acknowledged: {head.splitlines()[0].decode()}")
        writer.close()

    await asyncio.gather(*(one_connection() for _ in range(CONNECTIONS)))


def _cpu(pid: int) -> float:
    """CPU seconds of a process so far."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
