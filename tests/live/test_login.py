"""The log-in of production: accounts with roles in a real browser, guessing, sessions that end, keys that change."""

from __future__ import annotations

import base64
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from cryptography.fernet import Fernet

from servers.airflow import ROOT, Standalone, wait_until
from support.fixtures import servers
from support.servers.browser import Visit, chromium
from xiaoe.login.guesses import TRIES

pytestmark = [
    pytest.mark.mysql,
    pytest.mark.airflow,
    pytest.mark.slow,
    pytest.mark.parametrize("migrated", servers()[:1], indirect=True),
]

PEOPLE = {"guanli": "Admin", "xiaoli": "运营", "laozhang": "分析师", "xinren": "分析师"}
DAG = "xiaoe_maintenance"
PROXY = "203.0.113."
"""Addresses of visitors, as a web server before Airflow reports them."""


def password(name: str) -> str:
    return f"only-for-this-test-{name}"


class Office(Standalone):
    """An API server with its database, as in production: people log in. Nothing runs tasks."""

    def settings(self) -> dict[str, str]:
        return {
            **super().settings(),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
            "AIRFLOW__CORE__AUTH_MANAGER": "xiaoe.login.manager.XiaoeAuthManager",
            "AIRFLOW__CORE__FERNET_KEY": self.keys,
            "AIRFLOW__FAB__CACHE_TTL": "0",
            "AIRFLOW__FAB__SESSION_LIFETIME_MINUTES": "720",
            "AIRFLOW__FAB__SESSION_MAX_LIFETIME_MINUTES": "10",
            "FORWARDED_ALLOW_IPS": "127.0.0.1",
        }

    keys = Fernet.generate_key().decode()

    def command(self, *words: str, given: str = "", keys: str | None = None) -> str:
        """Run a command of its environment; return what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", *words],
            env={**os.environ, **self.settings(), "AIRFLOW__CORE__FERNET_KEY": keys or self.keys},
            cwd=self.home, input=given, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def open(self, **environment: str) -> None:
        with open(self.home / "api-server.log", "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "airflow", "api-server", "--proxy-headers"],
                env={**os.environ, **self.settings(), **environment},
                cwd=self.home, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        wait_until(self._answers, 300, f"the API server did not come up: see {self.home / 'api-server.log'}")

    def _answers(self) -> bool:
        assert self.process
        assert self.process.poll() is None
        try:
            return requests.get(f"{self.url}/api/v2/version", timeout=5).ok
        except requests.RequestException:
            return False

    def log_in(self, name: str, secret: str | None = None, address: str = PROXY + "1") -> requests.Response:
        """As a program does."""
        return requests.post(
            f"{self.url}/auth/token", json={"username": name, "password": secret or password(name)}, timeout=60,
            headers={"X-Forwarded-For": address},
        )  # fmt: skip

    def status(self, name: str, method: str, path: str, **body: Any) -> int:
        """What somebody gets who is logged in."""
        if name not in self._tokens:
            address = f"{PROXY}{100 + len(self._tokens)}"
            self._tokens[name] = self.log_in(name, address=address).json()["access_token"]
        answer = requests.request(
            method, f"{self.url}{path}", json=body or None, timeout=60,
            headers={"Authorization": f"Bearer {self._tokens[name]}"},
        )  # fmt: skip
        self.last = answer
        return answer.status_code

    def rows(self, query: str, *values: Any) -> list[Any]:
        with sqlite3.connect(self.home / "airflow.db", timeout=60) as database:
            return database.execute(query, values).fetchall()

    _tokens: dict[str, str] = {}  # noqa: RUF012 - there is one office
    last: requests.Response


@pytest.fixture(scope="module")
def office(migrated: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    office = Office(tmp_path_factory.mktemp("office"))
    office.command("airflow", "db", "migrate")
    office.command("airflow", "dags", "reserialize")
    for name, role in PEOPLE.items():
        office.command("xiaoe.cli", "person", "--name", name, "--role", role, "--ask", given=f"{password(name)}\n")
    office.open(AIRFLOW_CONN_XIAOE_MYSQL=migrated)
    try:
        yield office
    finally:
        office.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


def enter(office: Office, browser: Any, name: str, address: str, secret: str | None = None) -> Visit:
    """Somebody at the log-in page, who has typed name and password."""
    guest = Visit(browser, locale="zh-CN", extra_http_headers={"X-Forwarded-For": address})
    guest.page.goto(office.url)
    guest.page.locator("#username").fill(name)
    guest.page.locator("#password").fill(secret or password(name))
    guest.page.locator("input[type=submit]").click()
    return guest


@pytest.mark.parametrize("name", ["guanli", "xiaoli", "laozhang"])
def test_each_role_logs_in_and_sees_what_it_may(office: Office, browser: Any, name: str) -> None:
    guest = enter(office, browser, name, f"{PROXY}{20 + len(name)}")
    guest.page.goto(f"{office.url}/dags")
    guest.page.get_by_role("link", name="15 天复查").wait_for()
    guest.page.goto(f"{office.url}/xiaoe-monitor/page")
    assert guest.page.locator("h1").inner_text() == "小鹅通同步监控"
    guest.page.goto(f"{office.url}/xiaoe-monitor/export")
    assert (guest.page.locator("[name=personal]").count() > 0) == (name != "laozhang")
    guest.page.goto(f"{office.url}/auth/users/list/")
    assert (guest.page.get_by_text("laozhang").count() > 0) == (name == "guanli")
    assert guest.strangers == set()
    guest.close()


def test_without_a_log_in_there_is_nothing(office: Office) -> None:
    for path in ("page", "today", "export", "export/file?table=orders"):
        assert requests.get(f"{office.url}/xiaoe-monitor/{path}", timeout=60).status_code == 401
    assert requests.get(f"{office.url}/api/v2/dags", timeout=60).status_code == 401
    shown = requests.get(f"{office.url}/auth/users/list/", timeout=60)
    assert "laozhang" not in shown.text


def a_question(office: Office, run: str) -> str:
    """The address of a question that waits for an answer: a task of a run that asks people."""
    [[ti, task]] = office.rows(
        "SELECT id, task_id FROM task_instance WHERE dag_id = ? AND run_id = ? ORDER BY task_id LIMIT 1", DAG, run
    )
    office.rows(
        "INSERT INTO hitl_detail (ti_id, options, subject, params, params_input, multiple, created_at)"
        " VALUES (?, '[\"同意\", \"拒绝\"]', '请复核', '{}', '{}', 0, CURRENT_TIMESTAMP)",
        ti,
    )
    return f"/api/v2/dags/{DAG}/dagRuns/{quote(run)}/taskInstances/{task}/-1/hitlDetails"


def test_the_operator_clears_and_answers_the_analyst_only_looks(office: Office) -> None:
    runs = f"/api/v2/dags/{DAG}/dagRuns"
    assert office.status("laozhang", "POST", runs, logical_date=None) == 403
    assert office.rows("SELECT COUNT(*) FROM dag_run") == [(0,)]
    assert office.status("xiaoli", "POST", runs, logical_date=None) == 200
    run = office.last.json()["dag_run_id"]
    office.rows("UPDATE task_instance SET state = 'failed' WHERE run_id = ?", run)
    clear = {"dag_run_id": run, "dry_run": False, "only_failed": True}
    for name, status in (("laozhang", 403), ("xiaoli", 200)):
        assert office.status(name, "GET", runs) == 200
        assert office.status(name, "POST", f"/api/v2/dags/{DAG}/clearTaskInstances", **clear) == status, (
            office.last.text
        )
        [[failed]] = office.rows("SELECT COUNT(*) FROM task_instance WHERE state = 'failed'")
        assert (failed > 0) == (status == 403)
        assert office.status(name, "PATCH", f"/api/v2/dags/{DAG}", is_paused=False) == status
    question = a_question(office, run)
    answer = {"chosen_options": ["同意"], "params_input": {}}
    for name, status in (("laozhang", 403), ("xiaoli", 200)):
        assert office.status(name, "PATCH", question, **answer) == status, office.last.text
        answers = office.rows("SELECT chosen_options FROM hitl_detail")
        assert (answers == [(None,)]) == (status == 403)
    for name, status in (("laozhang", 403), ("xiaoli", 403), ("guanli", 200)):
        assert office.status(name, "GET", "/api/v2/connections") == status
        assert office.status(name, "GET", "/api/v2/variables") == status


def test_no_password_is_on_the_disk(office: Office) -> None:
    stored = office.rows("SELECT password FROM ab_user")
    assert len(stored) == len(PEOPLE)
    assert all(hashed.startswith("scrypt:") for [hashed] in stored)
    office.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    files = [file for file in office.home.rglob("*") if file.is_file()]
    assert office.home / "airflow.db" in files
    assert [file for file in files if b"only-for-this-test" in file.read_bytes()] == []


def evaluated(office: Office, name: str) -> int:
    """Wrong passwords that were compared with the hash."""
    [[count]] = office.rows("SELECT COALESCE(fail_login_count, 0) FROM ab_user WHERE username = ?", name)
    return int(count)


GUESSES_MADE = 150


def test_of_many_guesses_of_a_password_ten_are_looked_at(office: Office) -> None:
    """Over the page and over the interface, from many addresses, in every spelling of the account."""
    spellings = ("xinren", "XINREN", "Xinren", "xinren@localhost")
    statuses = []
    for number in range(GUESSES_MADE):
        address = f"198.51.100.{number}"
        if number % 3:
            statuses.append(office.log_in(spellings[number % 4], f"guess {number}", address).status_code)
            continue
        with requests.Session() as session:
            session.headers["X-Forwarded-For"] = address
            page = session.get(f"{office.url}/auth/login/", timeout=60).text
            token = page.partition('name="csrf_token" type="hidden" value="')[2].partition('"')[0]
            form = {"csrf_token": token, "username": spellings[number % 4], "password": f"guess {number}"}
            answer = session.post(f"{office.url}/auth/login/", data=form, timeout=60, allow_redirects=False)
            statuses.append(answer.status_code)
    assert 0 < evaluated(office, "xinren") <= TRIES
    assert statuses.count(429) >= GUESSES_MADE - TRIES
    refused = office.log_in("xinren")
    assert refused.status_code == 429, "the right password, too"
    assert refused.headers["Retry-After"] == "60"
    assert "请一分钟后再试" in refused.text


def test_an_address_that_guesses_many_accounts_is_refused_and_nobody_else(office: Office) -> None:
    """The last address of the header is the one that our web server saw; what is before it, anybody can write."""
    guesser = PROXY + "66"
    statuses = [
        office.log_in(f"account{number}", "guess", f"10.9.8.{number}, {guesser}").status_code for number in range(60)
    ]
    assert statuses[-1] == 429
    assert 0 < statuses.count(401) <= TRIES
    assert office.log_in("xiaoli", address=guesser).status_code == 429
    assert office.log_in("xiaoli", address=PROXY + "67").status_code == 201


def test_who_is_refused_is_told_so_in_the_browser(office: Office, browser: Any) -> None:
    for number in range(TRIES):
        office.log_in(f"nobody{number}", "guess", PROXY + "68")
    guest = enter(office, browser, "guanli", PROXY + "68")
    assert "请一分钟后再试" in guest.page.locator("body").inner_text()
    guest.close()


def test_a_session_ends_and_a_log_out_ends_it_at_once(office: Office, browser: Any) -> None:
    guest = enter(office, browser, "guanli", PROXY + "31")
    guest.page.wait_for_url(f"{office.url}/")
    [token] = [one["value"] for one in guest.page.context.cookies() if one["name"] == "_token"]
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["exp"] - claims["iat"] <= 600, "[fab] session_max_lifetime_minutes"
    bearer = {"Authorization": f"Bearer {token}"}
    assert requests.get(f"{office.url}/api/v2/dags", headers=bearer, timeout=60).status_code == 200
    guest.page.goto(f"{office.url}/api/v2/auth/logout")
    guest.page.locator("#username").wait_for()
    for path in ("api/v2/dags", "xiaoe-monitor/page"):
        assert requests.get(f"{office.url}/{path}", headers=bearer, timeout=60).status_code == 403
    guest.close()


def test_who_has_left_is_out_at_once(office: Office) -> None:
    assert office.status("laozhang", "GET", "/api/v2/dags") == 200
    office.rows("UPDATE ab_user SET active = 0 WHERE username = 'laozhang'")
    assert office.status("laozhang", "GET", "/api/v2/dags") == 403
    assert office.status("laozhang", "GET", "/xiaoe-monitor/page") == 403
    assert office.log_in("laozhang", address=PROXY + "40").status_code == 401


def test_a_new_fernet_key_takes_the_place_of_the_old_one(office: Office) -> None:
    """As docs/security.md says: both keys, the new one first; rotate; the new one only."""
    assert office.status(
        "guanli", "POST", "/api/v2/connections",
        connection_id="shop", conn_type="xiaoe", login="xop", password="s3cret!",
    ) == 201  # fmt: skip
    new = Fernet.generate_key().decode()
    before = office.rows("SELECT password FROM connection WHERE conn_id = 'shop'")
    office.command("airflow", "rotate-fernet-key", keys=f"{new},{office.keys}")
    [[stored]] = office.rows("SELECT password FROM connection WHERE conn_id = 'shop'")
    assert [(stored,)] != before
    assert Fernet(new).decrypt(stored.encode()) == b"s3cret!"
    shown = office.command("airflow", "connections", "get", "shop", "--output", "json", keys=new)
    assert json.loads(shown)[0]["login"] == "xop"


def test_other_parts_of_airflow_load_no_flask(migrated: str) -> None:
    """They run without this setting, and cost what they did."""
    code = (
        "import sys, airflow.jobs.scheduler_job_runner, airflow.dag_processing.manager,"
        " airflow.sdk.execution_time.task_runner\n"
        "from airflow.providers_manager import ProvidersManager\n"
        "ProvidersManager().initialize_providers_hooks()\n"
        "sys.exit('flask' in sys.modules)"
    )
    environment = {key: value for key, value in os.environ.items() if key != "AIRFLOW__CORE__AUTH_MANAGER"}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False, cwd=ROOT).returncode == 0


def test_a_weaker_log_in_is_refused(office: Office, tmp_path: Path) -> None:
    weak = tmp_path / "webserver_config.py"
    weak.write_text(
        "from airflow.providers.fab.auth_manager.security_manager.override import FabAirflowSecurityManagerOverride\n"
        "SECURITY_MANAGER_CLASS = FabAirflowSecurityManagerOverride\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "xiaoe.cli", "person", "--name", "x", "--role", "Admin"],
        env={**os.environ, **office.settings(), "AIRFLOW__FAB__CONFIG_FILE": str(weak)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "derive it from xiaoe.login.manager.SecurityManager" in done.stdout + done.stderr
    assert office.rows("SELECT COUNT(*) FROM ab_user WHERE username = 'x'") == [(0,)]
