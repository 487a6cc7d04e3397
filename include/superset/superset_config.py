"""Superset's configuration for this project. Secrets come from the environment only.

| variable | |
|---|---|
| `SUPERSET_SECRET_KEY` | signs the sessions and encrypts the stored password of the database; keep it |
| `SUPERSET_META_URI` | Superset's own database; default: SQLite in its home. MySQL works, MariaDB does not |
| `SUPERSET_HOME` | its folder: its own database, cached answers |
| `SUPERSET_HTTPS` | `1` if users connect by https, through a proxy that sets `X-Forwarded-*` |
| `SUPERSET_CACHE_SECONDS` | how long query results are cached; 300 |

Requirements: `flask-caching<2.5`, `rich` and `cachetools` are pinned because apache-superset alone does not start;
pymysql needs no compiler; Python 3.11 only (3.13 has no wheels; 3.10 and 3.12 were not tried). More:
docs/decisions/0022-superset.md.
"""

from __future__ import annotations

import copy
import os
import sys
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pymysql
from flask import g, make_response, redirect, render_template_string, request, session
from flask_login import current_user
from superset.config import TALISMAN_CONFIG as _SHIPPED
from superset.config import THEME_DARK as _DARK
from superset.config import THEME_DEFAULT as _LIGHT

sys.path.append(str(Path(__file__).parent))  # Superset finds this file by its path, and nothing beside it
from bi_login import TRIES_USED_UP, WAIT_SECONDS, SecurityManager

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from flask import Flask
    from werkzeug.wrappers import Response

_HOME = Path(os.environ["SUPERSET_HOME"])
_HTTPS = os.environ.get("SUPERSET_HTTPS") == "1"
_UTF8_MARK = b"\xef\xbb\xbf"
_TABLES = {".csv": "text/csv", ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}

_ERROR_PAGE = Path(__file__).with_name("error.html").read_text("utf-8")
_ERRORS = {
    403: ("没有权限", "你的账号不能打开这个页面。工作需要的话，请联系管理员开通。"),
    404: ("没有这个页面", "网址可能有误，或者看板、图表已经改名、删除。"),
    429: ("登录尝试次数太多", "请一分钟后再试。一直这样，请联系管理员。"),
    500: ("页面出错了", "请过几分钟再试；一直这样，请把网址和出错的时间发给管理员。"),
}
"""Status → title and text of the page that a person sees instead of Superset's, which is in English or JSON."""

pymysql.install_as_MySQLdb()  # Superset looks up MySQL's column types in MySQLdb

SECRET_KEY = os.environ["SUPERSET_SECRET_KEY"]
SQLALCHEMY_DATABASE_URI = os.environ.get("SUPERSET_META_URI", f"sqlite:///{_HOME / 'superset.db'}")

# Chinese for everybody: with one language there is no language menu.
APP_NAME = "小鹅通数据看板"
BABEL_DEFAULT_LOCALE = "zh"
LANGUAGES = {"zh": {"flag": "cn", "name": "简体中文"}}
# d3 has one currency, with one suffix: a format with `$` shows ten thousands of yuan, ¥12.50万.
D3_FORMAT = {"decimal": ".", "thousands": ",", "grouping": [3], "currency": ["¥", "万"]}

# Bars count orders, people or ten thousands of yuan: an axis without 0.5.
_WHOLE = {"echarts_timeseries_bar": {"yAxis": {"minInterval": 1}}}
THEME_DEFAULT = {**_LIGHT, "echartsOptionsOverridesByChartType": _WHOLE}
THEME_DARK = {**_DARK, "echartsOptionsOverridesByChartType": _WHOLE}
# Grains to choose from: day, week from Monday, month, quarter, year.
TIME_GRAIN_DENYLIST = ["PT1S", "PT1M", "PT1H", "P1W"]

# Rights of the roles: bi_roles.py.
AUTH_ROLE_PUBLIC = "Public"
RATELIMIT_ENABLED = True
RATELIMIT_STORAGE_URI = "memory://"
RATELIMIT_APPLICATION = "50 per second"
AUTH_RATE_LIMITED = False  # it counts addresses only, and not at /api/v1/security/login: bi_login.py counts
CUSTOM_SECURITY_MANAGER = SecurityManager
PERMANENT_SESSION_LIFETIME = timedelta(hours=12)
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = _HTTPS
ENABLE_PROXY_FIX = _HTTPS

# Nothing is fetched from other hosts, not even telemetry or map tiles.
TALISMAN_ENABLED = True
TALISMAN_CONFIG = copy.deepcopy(_SHIPPED)
TALISMAN_CONFIG["content_security_policy"] |= {
    "img-src": ["'self'", "blob:", "data:"],
    "connect-src": ["'self'"],
    "style-src": ["'self'", "'unsafe-inline'"],
    "font-src": ["'self'"],
}
TALISMAN_CONFIG |= {"force_https": False, "session_cookie_secure": _HTTPS}  # the proxy redirects to https

ROW_LIMIT = 10_000
SQL_MAX_ROW = 100_000
# A CSV that Superset streams has English headings and does not escape what begins like a formula: no chart streams one.
CSV_STREAMING_ROW_THRESHOLD = 10 * SQL_MAX_ROW
SUPERSET_WEBSERVER_TIMEOUT = 60
_CACHE = {
    "CACHE_TYPE": "FileSystemCache",  # shared by the workers
    "CACHE_DIR": str(_HOME / "cache"),
    "CACHE_DEFAULT_TIMEOUT": int(os.environ.get("SUPERSET_CACHE_SECONDS", "300")),
}
CACHE_CONFIG = {**_CACHE, "CACHE_KEY_PREFIX": "meta_"}
DATA_CACHE_CONFIG = {**_CACHE, "CACHE_KEY_PREFIX": "data_"}
FILTER_STATE_CACHE_CONFIG = {"CACHE_TYPE": "SupersetMetastoreCache", "CACHE_DEFAULT_TIMEOUT": 86_400}
EXPLORE_FORM_DATA_CACHE_CONFIG = {"CACHE_TYPE": "SupersetMetastoreCache", "CACHE_DEFAULT_TIMEOUT": 86_400}
CSV_EXPORT = {"encoding": "utf-8"}  # the byte order mark is added below


def FLASK_APP_MUTATOR(app: Flask) -> None:
    """Changes for which Superset has no setting."""

    @app.before_request
    def open_overview() -> Response | None:
        """After login and on the logo, show the overview: the welcome page is useful to authors only."""
        return redirect("/superset/dashboard/overview/") if request.endpoint == "Superset.welcome" else None

    @app.before_request
    def keep_the_login() -> Response | None:
        """Accept the login page's event reports: a late refusal with a new session would undo a login."""
        if request.endpoint != "Superset.log" or current_user.is_authenticated:
            return None
        session.modified = False
        return make_response("", 204)

    @app.after_request
    def one_file(response: Response) -> Response:
        """A table with a total is exported as a zip of two files; return the one with the rows."""
        if response.mimetype == "application/zip" and request.path.startswith("/api/v1/chart/"):
            with ZipFile(BytesIO(response.get_data())) as archive:
                name = archive.namelist()[0]
                response.set_data(archive.read(name))
            kind = Path(name).suffix
            response.mimetype = _TABLES[kind]
            disposition = response.headers["Content-Disposition"].replace(".zip", kind)
            response.headers["Content-Disposition"] = disposition
        return mark_csv(response)

    @app.after_request
    def say_what_is_wrong(response: Response) -> Response:
        """Show people an error in Chinese; programs, and Superset's own pages, get the answer that they can read."""
        if g.get(TRIES_USED_UP):  # for programs; whatever FAB makes of a refusal
            response = make_response({"message": _ERRORS[429][0]}, 429, {"Retry-After": str(WAIT_SECONDS)})
        accepted = request.accept_mimetypes
        if response.status_code not in _ERRORS or accepted["text/html"] <= accepted["application/json"]:
            return response
        title, text = _ERRORS[response.status_code]
        page = make_response(
            render_template_string(_ERROR_PAGE, title=title, text=text, app=APP_NAME), response.status_code
        )
        if "Retry-After" in response.headers:
            page.headers["Retry-After"] = response.headers["Retry-After"]
        return page


def mark_csv(response: Response) -> Response:
    """Add a byte order mark to a CSV: without one, Excel assumes the local code page."""
    if response.mimetype != "text/csv":
        return response
    if response.is_streamed:  # from CSV_STREAMING_ROW_THRESHOLD rows on; never with a mark
        response.response = _marked(response.response)
    elif not (body := response.get_data()).startswith(_UTF8_MARK):
        response.set_data(_UTF8_MARK + body)
    return response


def _marked(parts: Iterable[bytes | str]) -> Iterator[bytes | str]:
    """A stream with the mark in front; ending it early ends the query behind it."""
    yield _UTF8_MARK
    yield from parts
