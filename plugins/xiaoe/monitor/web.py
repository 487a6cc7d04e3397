"""The page as a FastAPI application, behind Airflow's log-in. Imported only by the API server."""

from __future__ import annotations

import logging
from datetime import timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jinja2
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import requires_access_view
from airflow.sdk.exceptions import AirflowException
from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from MySQLdb import Error

from xiaoe import clock, settings
from xiaoe.exceptions import XiaoeError
from xiaoe.monitor import export_page, queries, view
from xiaoe.monitor.i18n import Texts, choose_language
from xiaoe.mysql.warehouse import Warehouse

log = logging.getLogger(__name__)

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'self'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""No scripts and nothing from other hosts: the page may show texts written by a shop's customers."""
_HERE = Path(__file__).parent


def create_app() -> FastAPI:
    """The application. Airflow does not protect plugins by itself, so every route depends on its access check.

    FastAPI's documentation routes are off, since they would lack that check.
    """
    app = FastAPI(
        title="xiaoe-monitor",
        dependencies=[Depends(requires_access_view(AccessView.PLUGINS))],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )

    @app.get("/page", response_class=HTMLResponse)
    def page(request: Request, lang: str | None = None, shop: str | None = None) -> HTMLResponse:
        language = choose_language(lang, request.headers.get("accept-language", ""))
        status, html = render(language, shop)
        return HTMLResponse(html, status, HEADERS)

    @app.get("/monitor.css")
    def style() -> Response:
        return Response((_HERE / "templates" / "monitor.css").read_bytes(), media_type="text/css", headers=HEADERS)

    app.include_router(export_page.router)
    return app


def render(language: str, shop: str | None) -> tuple[int, str]:
    """HTTP status and HTML; an error page if the warehouse cannot be read."""
    now = clock.now()
    texts = Texts(language, now.astimezone(timezone.utc).replace(tzinfo=None))
    try:
        with Warehouse().session() as session:
            data = queries.read_page_data(session, shop, now)
        limits = view.Limits(settings.min_free_disk(), settings.max_page_store(), settings.max_binlog())
        context = view.build(data, texts, now, first=settings.history_start().date(), limits=limits)
    except (XiaoeError, Error, AirflowException) as error:
        log.warning("the monitoring page cannot be shown", exc_info=True)
        return 503, _template("error.html").render(texts=texts, message=_shown_error(error, texts))
    return 200, _template("page.html").render(context)


def _shown_error(error: Exception, texts: Texts) -> str:
    """The text for the page: a XiaoeError's message, which names the fix and no secret; of other errors, the number."""
    if isinstance(error, XiaoeError):
        return str(error)
    if isinstance(error, Error):
        return texts("error_other", error.args[0] if error.args else "?")
    return texts("error_connection", settings.mysql_conn_id())


def _template(name: str) -> jinja2.Template:
    return _ENVIRONMENT.get_template(name)


def _link(texts: Texts, shop: str | None, **other: Any) -> str:
    """The page's address with another language or shop."""
    query = {"lang": texts.language, "shop": shop, **other}
    return "page?" + urlencode({key: value for key, value in query.items() if value})


def _is_web_address(text: str | None) -> bool:
    return bool(text) and str(text).startswith(("http://", "https://"))


_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.globals.update(
    describe=view.describe, state_text=view.state_text, link=_link, is_web_address=_is_web_address
)
