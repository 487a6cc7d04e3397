"""Tables as files from the browser: a form and its file. `web.create_app` includes `router` behind Airflow's log-in.

Whoever may open the monitoring page may have a file without personal data. Names, phones and addresses go only to who
may run the benefit report, whose files have them, too. `export_log` keeps who got what.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from datetime import date, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any, Literal

import jinja2
from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.sdk.exceptions import AirflowException
from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from MySQLdb import Error
from starlette.background import BackgroundTask

from xiaoe import clock
from xiaoe.exceptions import XiaoeConfigError, XiaoeError
from xiaoe.exports.files import PAGE, export_of, file_name, record, write_export
from xiaoe.exports.tables import SOURCES, count_rows
from xiaoe.monitor.i18n import Texts, choose_language
from xiaoe.mysql.warehouse import Warehouse

log = logging.getLogger(__name__)

MAX_ROWS = 200_000
"""Rows of a file: the API server writes it while the browser waits. `make export` has no limit."""
DAYS = 30
"""The days that the form offers first."""
REPORT = "xiaoe_benefits_report"
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
router = APIRouter()


@router.get("/export", response_class=HTMLResponse)
def export_form(request: Request, user: GetUserDep, lang: str | None = None) -> HTMLResponse:
    """The form: which table, which days, with or without personal data."""
    texts = _texts(request, lang)
    return _form(texts, user, {})


@router.get("/export/file", response_model=None)
def export_file(
    request: Request,
    user: GetUserDep,
    table: str,
    first: str = "",
    last: str = "",
    kind: Literal["xlsx", "csv"] = "xlsx",
    personal: bool = False,
    lang: str | None = None,
) -> Response:
    """The file; the form again, with what is wrong, if there can be none.

    Args:
        request: Tells the browser's language.
        user: Who asks, for `export_log`.
        table: A key of `SOURCES`.
        first: Beijing day; empty: no lower limit.
        last: Beijing day, inclusive; empty: no upper limit.
        kind: `xlsx` or `csv`.
        personal: With the columns that say who somebody is.
        lang: `zh` or `en`.
    """
    texts = _texts(request, lang)
    again = partial(_form, texts, user, {"table": table, "first": first, "last": last, "kind": kind})
    if personal and not may_see_personal(user):
        return again(403, texts("export_forbidden"))
    folder = Path(tempfile.mkdtemp(prefix="xiaoe-export-"))
    try:
        end = f"{date.fromisoformat(last) + timedelta(days=1)}" if last else None
        export = export_of(table, first or None, end, with_personal=personal, language=texts.language)
        with Warehouse().session() as session:
            if (rows := count_rows(session, export)) > MAX_ROWS:
                shutil.rmtree(folder)
                return again(400, texts("export_too_many", texts.number(rows), texts.number(MAX_ROWS)))
            rows = write_export(session, export, kind, folder / "file")
            record(session, export, kind, rows, by=user.get_name(), place=PAGE)
    except (ValueError, OverflowError, XiaoeError, Error, AirflowException) as error:
        shutil.rmtree(folder)
        return _refused(error, texts, again)
    except BaseException:
        shutil.rmtree(folder)
        raise
    return FileResponse(
        folder / "file",
        headers={name: HEADERS[name] for name in ("Cache-Control", "X-Content-Type-Options")},
        filename=file_name(export, kind),
        background=BackgroundTask(shutil.rmtree, folder),
    )


def may_see_personal(user: Any) -> bool:
    """Whether a user may run the benefit report, whose files hold names and phone numbers."""
    return bool(
        get_auth_manager().is_authorized_dag(
            method="POST", access_entity=DagAccessEntity.RUN, details=DagDetails(id=REPORT), user=user
        )
    )


def _refused(error: Exception, texts: Texts, again: Any) -> HTMLResponse:
    if isinstance(error, XiaoeConfigError):
        return again(400, str(error))
    if isinstance(error, ValueError | OverflowError):
        return again(400, texts("export_day"))
    log.warning("a table cannot be exported", exc_info=True)
    return again(503, texts("export_failed"))


def _texts(request: Request, lang: str | None) -> Texts:
    language = choose_language(lang, request.headers.get("accept-language", ""))
    return Texts(language, clock.now().astimezone(timezone.utc).replace(tzinfo=None))


def _form(texts: Texts, user: Any, filled: dict[str, str], status: int = 200, message: str = "") -> HTMLResponse:
    today = clock.now().date()
    values = {"table": "orders", "first": f"{today - timedelta(days=DAYS - 1)}", "last": f"{today}", "kind": "xlsx"}
    names = {
        name: source.title if texts.language == "zh" else name.replace("_", " ") for name, source in SOURCES.items()
    }
    html = _ENVIRONMENT.get_template("export.html").render(
        texts=texts, names=names, values=values | filled, message=message, may_see_personal=may_see_personal(user)
    )
    return HTMLResponse(html, status, HEADERS)
