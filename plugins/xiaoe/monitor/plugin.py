"""Registers the pages with Airflow, by the entry point `airflow.plugins` in pyproject.toml.

Only by the entry point: the loader of the plugins folder would import the modules a second time as loose files.
"""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from xiaoe.alerts.deadline import RunQueued

URL_PREFIX = "/xiaoe-monitor"


class LazyApp:
    """Builds the real application on its first request.

    Every worker and DAG processor loads every plugin, and importing FastAPI with Airflow's access checks takes two
    seconds.
    """

    def __init__(self) -> None:
        self._app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request (ASGI)."""
        if self._app is None:
            from xiaoe.monitor.web import create_app

            self._app = create_app()
        await self._app(scope, receive, send)


_APPS: list[Any] = [{"app": LazyApp(), "url_prefix": URL_PREFIX, "name": "小鹅通 Xiaoe"}]
_VIEWS: list[Any] = [
    {
        "name": "小鹅通 Xiaoe",
        "href": f"{URL_PREFIX}/page",
        "destination": "nav",
        "url_route": "xiaoe-monitor",
        "category": "browse",
    },
    {
        "name": "今日经营 Today",
        "href": f"{URL_PREFIX}/today",
        "destination": "nav",
        "url_route": "xiaoe-today",
        "category": "browse",
    },
]


class XiaoeMonitorPlugin(AirflowPlugin):
    """The deadline of runs, and *Browse → 小鹅通 Xiaoe* and *今日经营 Today* in the Airflow UI."""

    name = "xiaoe_monitor"
    deadline_references = [RunQueued]  # noqa: RUF012 - as Airflow declares it
    fastapi_apps = _APPS
    external_views = _VIEWS
