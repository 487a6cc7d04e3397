"""Airflow's log-in: accounts with hashed passwords and roles (Flask-AppBuilder), guessing slowed.

`AIRFLOW__CORE__AUTH_MANAGER=xiaoe.login.manager.XiaoeAuthManager`, for the API server only: other parts of Airflow need
no auth manager but their default, and loading it costs each a second of CPU and 40 MB.

FAB limits its page `/auth/login/` per address only, and `/auth/token`, where programs log in, not at all. Here every
way in passes `auth_user_db` or `auth_user_ldap`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from contextvars import ContextVar
from functools import cached_property
from typing import Any

from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager
from airflow.providers.fab.auth_manager.models import User
from airflow.providers.fab.auth_manager.security_manager.override import FabAirflowSecurityManagerOverride
from airflow.providers.fab.www.security import permissions as of
from fastapi import HTTPException
from flask import current_app, has_request_context
from werkzeug.exceptions import TooManyRequests

from xiaoe.login.guesses import TEXT, WAIT_SECONDS, Guesses

OPERATOR, ANALYST = "运营", "分析师"
"""The roles of this project, beside Admin. They have the names of Superset's (include/superset/bi_roles.py)."""
_MAY_LOOK = [
    *FabAirflowSecurityManagerOverride.VIEWER_PERMISSIONS,
    (of.ACTION_CAN_READ, of.RESOURCE_PLUGIN),  # the monitoring page, 今日经营, exports without personal data
]
_MAY_ACT = [
    (of.ACTION_CAN_EDIT, of.RESOURCE_DAG),  # pause and unpause; needed for whatever is done to a run, too
    (of.ACTION_CAN_CREATE, of.RESOURCE_DAG_RUN),  # also: exports with personal data
    (of.ACTION_CAN_EDIT, of.RESOURCE_DAG_RUN),
    (of.ACTION_CAN_CREATE, of.RESOURCE_TASK_INSTANCE),
    (of.ACTION_CAN_EDIT, of.RESOURCE_TASK_INSTANCE),  # clear
    (of.ACTION_CAN_EDIT, of.RESOURCE_HITL_DETAIL),  # answer
    (of.ACTION_CAN_ACCESS_MENU, of.RESOURCE_HITL_DETAIL),
    (of.ACTION_CAN_CREATE, of.RESOURCE_BACKFILL),
    (of.ACTION_CAN_EDIT, of.RESOURCE_BACKFILL),
]
ROLES: dict[str, list[tuple[str, str]]] = {ANALYST: _MAY_LOOK, OPERATOR: [*_MAY_LOOK, *_MAY_ACT]}
GUESSES = Guesses()
_ADDRESS: ContextVar[str] = ContextVar("address", default="")

_Message = MutableMapping[str, Any]
_App = Callable[[_Message, Callable[[], Awaitable[_Message]], Callable[[_Message], Awaitable[None]]], Awaitable[None]]


class RememberAddress:
    """Keeps the address of a request for `SecurityManager`, which is given name and password only.

    Args:
        app: The ASGI application. Its server has put the client's address into the scope, behind a proxy the one that
            a proxy of `FORWARDED_ALLOW_IPS` saw (`airflow api-server --proxy-headers`).
    """

    def __init__(self, app: _App) -> None:
        self._app = app

    async def __call__(
        self,
        scope: _Message,
        receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        """Serve one request (ASGI)."""
        if client := scope.get("client"):
            _ADDRESS.set(client[0])
        await self._app(scope, receive, send)


class SecurityManager(FabAirflowSecurityManagerOverride):
    """FAB's accounts, with the roles of this project and a limit on tries."""

    ROLE_CONFIGS = [  # noqa: RUF012 - as FAB declares it
        *FabAirflowSecurityManagerOverride.ROLE_CONFIGS,
        *({"role": name, "perms": rights} for name, rights in ROLES.items()),
    ]

    def auth_user_db(self, username: str, password: str, rotate_session_id: bool = True) -> User | None:
        """The account, if the password is right; raises HTTP 429 if there were too many tries."""
        self._count_try(username)
        return super().auth_user_db(username, password, rotate_session_id)

    def auth_user_ldap(self, username: str, password: str, rotate_session_id: bool = True) -> User | None:
        """The same against a directory."""
        self._count_try(username)
        return super().auth_user_ldap(username, password, rotate_session_id)

    def _count_try(self, username: str) -> None:
        address = _ADDRESS.get()
        if GUESSES.address_is_out(address):
            refuse()
        name = str(username)
        user = self.find_user(username=name) or self.find_user(email=name)
        if not GUESSES.allow(user.username if user else name.casefold(), address):
            refuse()


def refuse() -> None:
    """Answer HTTP 429 as the framework that asks understands it: Flask for people, FastAPI for programs.

    Raises:
        TooManyRequests: Within a request of Flask.
        HTTPException: Else.
    """
    if has_request_context():
        raise TooManyRequests(TEXT, retry_after=WAIT_SECONDS)
    raise HTTPException(429, TEXT, {"Retry-After": str(WAIT_SECONDS)})


class XiaoeAuthManager(FabAuthManager):
    """FAB's auth manager with `SecurityManager`."""

    @cached_property
    def security_manager(self) -> FabAirflowSecurityManagerOverride:
        """`SecurityManager`, or a subclass of it that webserver_config.py names as SECURITY_MANAGER_CLASS.

        Raises:
            TypeError: It names another class, which would not slow guessing.
        """
        chosen = current_app.config.get("SECURITY_MANAGER_CLASS") or SecurityManager
        if not issubclass(chosen, SecurityManager):
            raise TypeError(f"SECURITY_MANAGER_CLASS={chosen.__qualname__}: derive it from {__name__}.SecurityManager")
        return chosen(self.appbuilder)

    def get_fastapi_middlewares(self) -> list[Any]:
        """FAB's, and the one that remembers addresses."""
        return [*super().get_fastapi_middlewares(), (RememberAddress, {})]
