"""The pages as a FastAPI application, behind Airflow's log-in. Imported only by the API server.

今日经营 also opens by a link of `xiaoe.reports.links`, without a log-in.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import jinja2
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import requires_access_view
from airflow.sdk.exceptions import AirflowException
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from markupsafe import Markup, escape
from MySQLdb import Error

from xiaoe import clock, settings
from xiaoe.alerts import explain
from xiaoe.exceptions import XiaoeConfigError, XiaoeError
from xiaoe.monitor import export_page, queries, today, view
from xiaoe.monitor.i18n import Texts, choose_language
from xiaoe.monitor.verdict import Limits
from xiaoe.mysql.session import Session
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.reports import links

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
"""No scripts and nothing from other hosts: the pages may show texts written by a shop's customers."""
_HERE = Path(__file__).parent


class LinkRefusedError(Exception):
    """A link opens nothing; `state` as `links.state` returns it."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state


def chosen_language(request: Request, lang: str | None = None) -> str:
    """The language of a page, by its address or by the browser."""
    return choose_language(lang, request.headers.get("accept-language", ""))


def requires_valid_link(token: str) -> None:
    """Let in whoever has a link that is neither forged nor expired.

    Raises:
        LinkRefusedError: It is one of these, or Airflow has no secret key to tell.
    """
    try:
        state = links.state(token, clock.now())
    except XiaoeConfigError as error:
        log.warning("no link opens the page: %s", error)
        state = "forged"
    if state != "valid":
        raise LinkRefusedError(state)


Language = Annotated[str, Depends(chosen_language)]


def create_app() -> FastAPI:
    """The application. Airflow does not protect plugins by itself: every route checks its log-in, or a link.

    FastAPI's documentation routes are off, since they would lack that check.
    """
    app = FastAPI(title="xiaoe-monitor", docs_url=None, redoc_url=None, openapi_url=None)
    guarded = APIRouter(dependencies=[Depends(requires_access_view(AccessView.PLUGINS))])
    by_link = APIRouter(prefix="/link/{token}", dependencies=[Depends(requires_valid_link)])

    @guarded.get("/page", response_class=HTMLResponse)
    def page(language: Language, shop: str | None = None) -> HTMLResponse:
        return _answer(*render(language, shop))

    @guarded.get("/today", response_class=HTMLResponse)
    def today_page(language: Language) -> HTMLResponse:
        return _answer(*render_today(language, has_monitor=True))

    @by_link.get("/today", response_class=HTMLResponse)
    def today_by_link(language: Language) -> HTMLResponse:
        return _answer(*render_today(language, has_monitor=False))

    @guarded.get("/monitor.css")
    @by_link.get("/monitor.css")
    def style() -> Response:
        return Response((_HERE / "templates" / "monitor.css").read_bytes(), media_type="text/css", headers=HEADERS)

    @app.exception_handler(LinkRefusedError)
    def link_refused(request: Request, error: LinkRefusedError) -> HTMLResponse:
        texts = _texts(chosen_language(request), clock.now())
        title = texts("link_expired" if error.state == "expired" else "link_forged")
        html = _template("error.html").render(texts=texts, title=title, message="", hint=texts("link_hint"))
        return _answer(403, html)

    guarded.include_router(export_page.router)
    app.include_router(guarded)
    app.include_router(by_link)
    return app


def _answer(status: int, html: str) -> HTMLResponse:
    return HTMLResponse(html, status, HEADERS)


def render(language: str, shop: str | None) -> tuple[int, str]:
    """HTTP status and HTML of the monitoring page; an error page if the warehouse cannot be read."""

    def content(session: Session, texts: Texts, now: datetime) -> dict[str, Any]:
        data = queries.read_page_data(session, shop, now)
        limits = Limits(settings.min_free_disk(), settings.max_page_store(), settings.max_binlog())
        first = settings.history_start().date()
        return view.build(data, texts, now, first=first, limits=limits, conn_ids=settings.conn_ids())

    return _rendered("page.html", language, content)


def render_today(language: str, *, has_monitor: bool) -> tuple[int, str]:
    """HTTP status and HTML of 今日经营; an error page if the warehouse cannot be read."""

    def content(session: Session, texts: Texts, now: datetime) -> dict[str, Any]:
        return today.view(today.read(session, now, language), texts, now, has_monitor=has_monitor)

    return _rendered("today.html", language, content)


def _rendered(
    template: str, language: str, content: Callable[[Session, Texts, datetime], dict[str, Any]]
) -> tuple[int, str]:
    now = clock.now()
    texts = _texts(language, now)
    try:
        with Warehouse().session() as session:
            context = content(session, texts, now)
    except (XiaoeError, Error, AirflowException) as error:
        log.warning("the page %s cannot be shown", template, exc_info=True)
        message = _shown_error(error, texts)
        advice = explain.meaning_of(message).advice
        hint = f"{advice.fix.to(language)} {texts('error_hint')}" if advice else texts("error_hint")
        html = _template("error.html").render(texts=texts, title=texts("error_title"), message=message, hint=hint)
        return 503, html
    return 200, _template(template).render(context)


def _texts(language: str, now: datetime) -> Texts:
    return Texts(language, now.astimezone(timezone.utc).replace(tzinfo=None))


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


def _with_commands(text: str) -> Markup:
    """A text whose commands stand between back ticks, as HTML."""
    parts = text.split("`")
    return Markup().join(Markup("<code>{}</code>").format(p) if n % 2 else escape(p) for n, p in enumerate(parts))


_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.globals.update(describe=view.describe, state_text=view.state_text, link=_link)
_ENVIRONMENT.filters["commands"] = _with_commands
