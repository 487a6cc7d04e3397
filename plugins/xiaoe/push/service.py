"""Puts the push service together from settings and connections, and runs it."""

from __future__ import annotations

import signal
import socket
import sys
from datetime import timedelta

import uvicorn
from fastapi import FastAPI

from xiaoe import settings
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.push.app import make_app
from xiaoe.push.gate import Gate
from xiaoe.push.messages import Hide
from xiaoe.push.shops import push_shops
from xiaoe.push.store import DayLimits, Store
from xiaoe.push.writer import GroupWriter
from xiaoe.resources.privacy import forms_of
from xiaoe.resources.registry import PERSONAL

_MOST_CONNECTIONS = 1000
_STOP_SECONDS = 10


def make_service() -> FastAPI:
    """The application, as settings and connections say.

    Raises:
        XiaoeConfigError: One of them is wrong; names it, its value and the fix.
    """
    shops = push_shops(settings.conn_ids())
    if "push" not in (sources := settings.hints()):
        raise XiaoeConfigError(
            f"{settings.hints.name}={','.join(sources)!r}: give push, or list,push, here and to Airflow: else"
            " nobody looks up the orders that pushes name, and the hints pile up"
        )
    gate = Gate(shops, _max_age(), settings.max_clock_skew())
    limits = DayLimits(settings.push_max_daily_messages(), settings.push_max_daily_bytes())
    writer = GroupWriter(Warehouse().session, Store(limits, _hide()))
    return make_app(gate, writer)


def serve() -> None:
    """Listen until SIGTERM.

    Raises:
        XiaoeError: As of `make_server`; or the address cannot be listened on.
    """
    server = make_server()
    with listening(settings.push_host(), settings.push_port()) as listener:
        # uvicorn ends its work and then raises the signal again, for this handler
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        print("推送服务已启动 listening on http://{}:{}/push".format(*listener.getsockname()[:2]), flush=True)
        server.run([listener])


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        XiaoeConfigError: It cannot; names the settings.
    """
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise XiaoeConfigError(
            f"{settings.push_host.name}={host!r}, {settings.push_port.name}={port}: {error.strerror or error}:"
            " stop what listens there, or give another address or port"
        ) from None


def make_server() -> uvicorn.Server:
    """The server, ready to run.

    Raises:
        XiaoeError: As of `make_service`; or the database cannot be used.
    """
    app = make_service()
    with Warehouse().session():  # to fail here, with the reason, rather than within the server
        pass
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    return uvicorn.Server(config)


def _max_age() -> timedelta:
    age, kept = settings.push_max_age(), settings.push_keep()
    if kept < age:
        raise XiaoeConfigError(
            f"{settings.push_keep.name}={kept.days}: {settings.push_max_age.name} allows pushes as old as"
            f" {age.total_seconds() / 3600:.0f} hours, and a message that is no longer stored would count as new: keep"
            f" them {-(-age // timedelta(days=1))} days or more"
        )
    return age


def _hide() -> Hide | None:
    """The form of `push_messages.content`; None where the policy leaves it as it is."""
    forms = forms_of("push_messages", PERSONAL["push_messages"])
    if "content" not in forms.columns:
        return None
    hide = forms.around("content", str)
    hide("")  # a key that is missing or too short shows now
    return hide
