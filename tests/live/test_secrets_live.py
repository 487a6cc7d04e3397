"""TaskRunner full of errors, as `make sync` makes them; then every log, table and file is searched for secrets.

What real workers log: tests/live/test_benefits_live.py.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pyrage
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from emulator.process import Emulator
from servers.airflow import ROOT, free_port
from support.faults.full_of_errors import STATES
from support.fixtures import servers, shop_connection
from support.oracles.secrets_hunt import leaks
from support.servers.inbox import TOKEN, MailServer, chat_service
from support.worlds.shop import SECRET, Database

pytestmark = [
    pytest.mark.mysql,
    pytest.mark.airflow,
    pytest.mark.slow,
    pytest.mark.parametrize("migrated", servers()[:1], indirect=True),
]

SPAN = {"from": "2026-11-15T00:00:00+08:00", "to": "2026-11-20T00:00:00+08:00"}
WRONG_SECRET, MYSQL_PASSWORD, MAIL_PASSWORD = "a-wrong-secret/of+the=shop", "a-wrong-mysql-pass", "a-mail-password-here"
PERSONAL_KEY = "key-of-hashed-columns-0123456789"
FAULTS = ["http_500", "non_json", "cut", "code_1001", "code_2008", "http_502"]


def steps(database: Database, api: Emulator, wrong_key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """How a run ends, and what is wrong with it. The first one gets through in the end: it leaves a token, and rows."""
    orders: dict[str, Any] = {"dag": "xiaoe_orders_incremental", "conf": SPAN}
    place = database.url.rpartition("@")[2]
    wrong_secret = shop_connection(api.url).replace(SECRET, WRONG_SECRET)
    yield "success", {**orders, "faults": [{"kind": kind} for kind in FAULTS]}
    yield "failed", {"dag": "xiaoe_refunds", "env": {"AIRFLOW_CONN_XIAOE_DEFAULT": wrong_secret}}
    yield "failed", {**orders, "env": {"AIRFLOW_CONN_XIAOE_DEFAULT": shop_connection("http://127.0.0.1:1", timeout=1)}}
    for where in (place, f"{place}?ssl_mode=VERIFY_CA"):
        yield "failed", {**orders, "env": {"AIRFLOW_CONN_XIAOE_MYSQL": f"mysql://nobody:{MYSQL_PASSWORD}@{where}"}}
    yield "success", {"dag": "xiaoe_benefits"}
    yield "failed", {"dag": "xiaoe_benefits_report"}
    yield "success", {"dag": "xiaoe_backup"}
    yield "failed", {"dag": "xiaoe_backup", "env": {"AIRFLOW_CONN_BACKUP_KEY": password(wrong_key)}}


def password(secret: str) -> str:
    """A connection that holds nothing but a secret."""
    return json.dumps({"conn_type": "generic", "password": secret})


@contextmanager
def refusing_mail_server() -> Iterator[int]:
    """Its port; it lets nobody log in."""
    server = Controller(
        MailServer(),
        hostname="127.0.0.1",
        port=free_port(),
        authenticator=lambda *_: AuthResult(success=False, handled=False),
        auth_require_tls=False,
    )
    server.start()
    try:
        yield server.port
    finally:
        server.stop()


def test_no_secret_is_left_anywhere(database: Database, api: Emulator, tmp_path: Path) -> None:
    home, backup_key = tmp_path / "airflow", str(pyrage.x25519.Identity.generate())
    wrong_key = f"{backup_key[:-6]}NOKEY"
    with chat_service() as chat, refusing_mail_server() as mail_port:
        chat.status = 500
        mail = {
            "conn_type": "smtp", "host": "127.0.0.1", "port": mail_port, "login": "ops", "password": MAIL_PASSWORD,
            "extra": {"disable_ssl": True, "disable_tls": True, "from_email": "a@example.com", "retry_limit": 0},
        }  # fmt: skip
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "XIAOE"))}
        environment = kept | {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
            "AIRFLOW_CONN_XIAOE_MYSQL": database.url,
            "AIRFLOW_CONN_XIAOE_DEFAULT": shop_connection(api.url),
            "AIRFLOW_CONN_SMTP_DEFAULT": json.dumps(mail),
            "AIRFLOW_CONN_XIAOE_CHAT": chat.connection(),
            "AIRFLOW_CONN_BACKUP_KEY": password(backup_key),
            "AIRFLOW_CONN_PERSONAL_KEY": password(PERSONAL_KEY),
            "XIAOE_CHAT_CONN_ID": "xiaoe_chat",
            "XIAOE_BENEFIT_MAIL_TO": "fuli@example.com",
            "XIAOE_ALERT_MAIL_TO": "ops@example.com",
            "XIAOE_BACKUP_KEY_CONN_ID": "backup_key",
            "XIAOE_BACKUP_STORE": f"file://{home}/backups",
            "XIAOE_PERSONAL_DATA": "orders.receiver_phone=hash,users.*=masked",
            "XIAOE_PERSONAL_DATA_KEY_CONN_ID": "personal_key",
            "XIAOE_HISTORY_START": "2026-11-15",
            "XIAOE_PAGE_STORE": f"file://{home}/pages",
            "XIAOE_EXPORT_DIR": f"file://{home}/exports",
            "EMULATOR": api.url,
            "PYTHONPATH": f"{ROOT / 'tests'}:{ROOT / 'include'}:{ROOT / 'plugins'}",
        }
        expected, runs = zip(*steps(database, api, wrong_key), strict=True)
        done = subprocess.run(
            [sys.executable, "-m", "support.faults.full_of_errors"],
            env=environment, input=json.dumps(runs), capture_output=True, text=True, cwd=tmp_path, check=False,
        )  # fmt: skip
    (home / "said.log").write_text(done.stdout + done.stderr)
    [states] = [line.removeprefix(STATES) for line in done.stdout.splitlines() if line.startswith(STATES)]
    assert json.loads(states) == [*expected]
    held = [SECRET, WRONG_SECRET, MYSQL_PASSWORD, MAIL_PASSWORD, TOKEN, backup_key, wrong_key, PERSONAL_KEY]
    own = urlsplit(database.url).password or ""
    assert leaks([*held, own] if len(own) >= 8 else held, [home], [database]) == []


def test_the_search_finds_what_is_there(database: Database, tmp_path: Path) -> None:
    """In a packed page, in base64, as a URL spells it, in a table."""
    (tmp_path / "page.json.gz").write_bytes(gzip.compress(b"{}\n") + gzip.compress(WRONG_SECRET.encode()))
    (tmp_path / "header.log").write_bytes(b"Basic " + base64.b64encode(f"login:{WRONG_SECRET}".encode()))
    (tmp_path / "url.log").write_text(
        f"/token?secret_key={quote(WRONG_SECRET, safe='')}&x=1 {'padding ' * 20} xe_{'0a' * 30}"
    )
    database.rows(
        "INSERT INTO sync_status (shop_id, resource, mode, last_attempt_at, status, message)"
        " VALUES ('a', 'b', 'c', NOW(3), 'failed', %s)",
        [f"said {WRONG_SECRET}"],
    )
    found = sorted(leak.partition(":")[0] for leak in leaks([WRONG_SECRET], [tmp_path], [database]))
    assert found == ["header.log", "page.json.gz", "table sync_status", "url.log", "url.log"]
