"""Puts the push service together from settings and connections, and runs it."""

from __future__ import annotations

import logging
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
from xiaoe.push.store import Limits, Store
from xiaoe.push.writer import Writer
from xiaoe.resources.privacy import forms_of
from xiaoe.resources.registry import PERSONAL

_MOST_CONNECTIONS = 1000
_STOP_SECONDS = 10
_LOG = logging.getLogger("xiaoe.push")


def make_service() -> FastAPI:
    """The application, as settings and connections say.

    Raises:
        XiaoeConfigError: One of them is wrong; names it, its value and the fix.
    """
    shops = push_shops(settings.conn_ids())
    gate = Gate(shops, _max_age(), settings.max_clock_skew())
    limits = Limits(settings.push_max_daily_messages(), settings.push_max_daily_bytes())
    writer = Writer(Warehouse().session, Store(limits, _hide()))
    _LOG.info("推送服务：店铺 %s · pushes of shops %s are taken", "、".join(shops), ", ".join(shops))
    return make_app(gate, writer)


def serve() -> None:
    """Listen until SIGTERM; errors as of `make_server`."""
    make_server().run()


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
        host=settings.push_host(),
        port=settings.push_port(),
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
    return forms.around("content", str) if "content" in forms.columns else None
