"""Checks a running stack of docker-compose.yaml with the demo from outside: does it hold what the shops hold?

python -m stack.smoke .env
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import MySQLdb
import requests
from playwright.sync_api import sync_playwright

from demo.warehouse import BEIJING, equal_tables, query
from emulator.options import Credentials
from servers.airflow import ROOT, wait_until

PATIENCE = 20 * 60
AGAIN = ("xiaoe_orders_incremental", "xiaoe_orders_deep_rescan", "xiaoe_refunds", "xiaoe_dimensions_daily")
"""DAGs to run again, with the shops' clock stopped, before the tables are compared."""
MORE = {"xiaoe_live": 32, "xiaoe_learning": 8, "xiaoe_promoters": None}
"""DAGs of the further lists, and how many days back everything is read once more: what one of their earlier runs has
read may have changed since, and not be due. Promoters have no window."""
MARTS = (
    "bi_sales_daily", "bi_products_daily", "bi_buyers_daily", "bi_cohorts", "bi_refund_ages", "bi_refund_curve",
    "bi_benefits_daily", "bi_sync_coverage",
)  # fmt: skip
"""Tables of the dashboards that are never empty in a shop with a few months of orders."""

PEOPLE = {"guanli": "Admin", "xiaoli": "运营", "laozhang": "分析师"}
"""Accounts that are made here, in Airflow and in Superset, and their roles."""


def read_env(file: Path) -> dict[str, str]:
    """The settings of an env file; values in single quotes are taken as they are."""
    lines = (line.partition("=") for line in file.read_text("utf-8").splitlines() if line and line[0] != "#")
    return {name: value[1:-1] if value[:1] == "'" else value for name, _, value in lines}


class Stack:
    """A stack, described by its .env and airflow.env."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.settings = read_env(file)
        shops = read_env(Path(self.settings.get("AIRFLOW_ENV_FILE") or file.with_name("airflow.env")))
        connections = [json.loads(shops[f"AIRFLOW_CONN_{name.upper()}"]) for name in shops["XIAOE_CONN_IDS"].split(",")]
        self.shops = [Credentials(c["extra"]["app_id"], c["login"], c["password"]) for c in connections]
        self.has_more_lists = bool(shops.get("XIAOE_MORE_LISTS"))
        self.since = datetime.fromisoformat(shops["XIAOE_HISTORY_START"]).replace(tzinfo=BEIJING)
        self.airflow = self._url("AIRFLOW_PORT", 8080)
        self.mailpit = self._url("MAILPIT_PORT", 8025)
        self.emulator = self._url("EMULATOR_PORT", 8090)
        self.superset = self._url("SUPERSET_PORT", 8088)
        port = self.settings.get("MYSQL_PORT", "3306")
        self.dsn = f"mysql://xiaoe_backup:{self.settings['MYSQL_BACKUP_PASSWORD']}@127.0.0.1:{port}/xiaoe"
        self.passwords = {name: secrets.token_urlsafe(15) for name in PEOPLE}
        self._session = requests.Session()

    def _url(self, name: str, default: int) -> str:
        return f"http://127.0.0.1:{self.settings.get(name, default)}"

    def make_people(self) -> None:
        """As whoever installs the stack does: by `scripts/person`."""
        for name, role in PEOPLE.items():
            subprocess.run(  # noqa: S603 - our own command
                [ROOT / "scripts" / "person", name, role, "-"],
                input=f"{self.passwords[name]}\n", text=True, check=True,
                env={**os.environ, "COMPOSE_ENV_FILES": str(self.file.absolute())},
            )  # fmt: skip

    def log_in(self, name: str, password: str | None = None) -> int:
        """Log in to Airflow, for `api`; return the HTTP status."""
        who = {"username": name, "password": password or self.passwords[name]}
        answer = requests.post(f"{self.airflow}/auth/token", json=who, timeout=60)
        if answer.ok:
            self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return answer.status_code

    def api(self, method: str, path: str, **body: Any) -> Any:
        """Call Airflow's REST API."""
        answer = self._session.request(method, f"{self.airflow}/api/v2/{path}", json=body or None, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def run(self, *dags: str, since: datetime | None = None) -> None:
        """Run each DAG once, from a day on where one is given, and wait for its success."""
        conf = {"from": f"{since:%Y-%m-%d}"} if since else {}
        paths = []
        for dag in dags:
            run = self.api("POST", f"dags/{dag}/dagRuns", logical_date=None, conf=conf)
            paths.append(f"dags/{dag}/dagRuns/{run['dag_run_id']}")
        for path in paths:
            wait_until(lambda path=path: self._succeeded(path), PATIENCE, f"{path} did not end")  # type: ignore[misc]

    def _succeeded(self, path: str) -> bool:
        state = self.api("GET", path)["state"]
        if state == "failed":
            raise RuntimeError(f"{path} failed: see {self.airflow}")
        return bool(state == "success")


def containers(stack: Stack) -> Iterator[str]:
    """Every port is on loopback; nothing runs as root, has a capability, or can write into its image."""
    compose = ["docker", "compose", "--env-file", str(stack.file), "--profile", "demo"]
    listed = subprocess.run([*compose, "ps", "--format", "json"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603
    found = [json.loads(line) for line in listed.stdout.splitlines()]
    addresses = {port["URL"] for one in found for port in one["Publishers"] or [] if port["PublishedPort"]}
    expect(addresses == {"127.0.0.1"}, f"ports are published on {addresses}")
    for one in found:
        expect(not (root := root_processes(one["ID"])), f"{one['Service']} runs as root: {root}")
        expect(not (more := rights(one["ID"])), f"{one['Service']} may more than it needs: {more}")
    yield f"{len(found)} containers run, none as root, all read-only; ports on 127.0.0.1 only"


def rights(container: str) -> dict[str, Any]:
    """What the engine lets a container do beyond reading its image; empty if nothing."""
    state = ["docker", "inspect", "--format", "{{json .HostConfig}}", container]
    held = json.loads(subprocess.run(state, capture_output=True, text=True, check=True).stdout)  # noqa: S603
    least = {
        "ReadonlyRootfs": True, "CapDrop": ["ALL"], "CapAdd": None, "Privileged": False,
        "SecurityOpt": ["no-new-privileges:true"],
    }  # fmt: skip
    return {name: held[name] for name, value in least.items() if held[name] != value}


def root_processes(container: str) -> list[str]:
    """Processes that run as root in a container, except those started by a health check."""
    state = ["docker", "inspect", "--format", "{{.State.Pid}}", container]
    main = subprocess.run(state, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603
    top = ["docker", "top", container, "-o", "pid,ppid,uid,comm"]
    lines = subprocess.run(top, capture_output=True, text=True, check=True).stdout.splitlines()[1:]  # noqa: S603
    family, root = {main}, []
    for pid, parent, uid, name in sorted((line.split(None, 3) for line in lines), key=lambda row: int(row[0])):
        if pid == main or parent in family:
            family.add(pid)
            root += [name] if uid == "0" else []
    return root


def login(stack: Stack) -> Iterator[str]:
    """Without the password, a browser gets the login page and a program gets 401."""
    for address in (f"{stack.airflow}/api/v2/auth/login", f"{stack.superset}/superset/dashboard/overview/"):
        page = requests.get(address, timeout=60)
        expect(page.ok and "/login" in page.url, f"without a login, {address} shows {page.url} ({page.status_code})")
    asked = requests.get(f"{stack.airflow}/api/v2/dags", timeout=60).status_code
    expect(asked == 401, f"without a login, Airflow answers {asked}")
    stack.make_people()
    right = stack.log_in("guanli")
    expect(right == 201, f"with the right password, Airflow answers {right}")
    yield "Airflow and Superset show the login page; scripts/person made accounts in both"


def roles(stack: Stack) -> Iterator[str]:
    """Each role logs in to both in a browser; the analyst only looks, the operator runs, clears and answers."""
    inside = {stack.airflow: "/xiaoe-monitor/page", stack.superset: "/superset/dashboard/overview/"}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name in PEOPLE:
            for address, path in inside.items():
                page = browser.new_page(locale="zh-CN")
                page.goto(address)
                page.locator("#username").fill(name)
                page.locator("#password").fill(stack.passwords[name])
                page.keyboard.press("Enter")
                page.wait_for_url(lambda url: "/login" not in url, timeout=PATIENCE * 1000)
                shown = page.goto(f"{address}{path}")
                expect(shown.ok and path in page.url, f"{name} at {address}{path} sees {page.url} ({shown.status})")
                page.close()
        browser.close()
    stack.log_in("laozhang")
    try:
        stack.api("POST", "dags/xiaoe_quality/dagRuns", logical_date=None)
    except requests.HTTPError as refused:
        expect(refused.response.status_code == 403, f"the analyst runs a DAG: {refused}")
    else:
        expect(False, "the analyst may run a DAG")
    stack.log_in("xiaoli")
    stack.run("xiaoe_quality")
    cleared = stack.api("POST", "dags/xiaoe_quality/clearTaskInstances", dry_run=True, only_failed=False)
    expect(cleared["total_entries"] > 0, "the operator may clear nothing")
    stack.api("POST", "dags/xiaoe_benefits_review/dagRuns", logical_date=None)
    asked = "dags/~/dagRuns/~/hitlDetails?state=awaiting_input"
    wait_until(lambda: stack.api("GET", asked)["total_entries"] > 0, PATIENCE, "no question about an order in review")
    one = stack.api("GET", asked)["hitl_details"][0]
    ti = one["task_instance"]
    of = f"dags/{ti['dag_id']}/dagRuns/{quote(ti['dag_run_id'])}/taskInstances/{ti['task_id']}/{ti['map_index']}"
    stack.api("PATCH", f"{of}/hitlDetails", chosen_options=one["options"][:1], params_input={})
    stack.log_in("guanli")
    yield f"{len(PEOPLE)} roles log in to Airflow and Superset; the operator cleared a task and answered a question"


def guesses(stack: Stack) -> Iterator[str]:
    """Of many guesses in a minute ten are looked at; the last check, since Superset then refuses this machine."""
    at = {
        "Airflow": (f"{stack.airflow}/auth/token", {"username": "nobody", "password": "guess"}),
        "Superset": (
            f"{stack.superset}/api/v1/security/login",
            {"username": "nobody", "password": "guess", "provider": "db"},
        ),
    }
    for name, (address, guess) in at.items():
        seen = Counter(requests.post(address, json=guess, timeout=60).status_code for _ in range(50))
        expect(set(seen) == {401, 429} and seen[401] <= 10, f"50 guesses in {name}: {dict(seen)}")
    yield "of 50 guesses in a minute, Airflow and Superset look at 10 each"


def dags(stack: Stack) -> Iterator[str]:
    """All DAGs exist and are unpaused, and no run has failed."""
    held = stack.api("GET", "dags?limit=100")["dags"]
    names = {path.stem for path in (ROOT / "dags").glob("*.py")}
    expect({dag["dag_id"] for dag in held} == names, f"DAGs: {[dag['dag_id'] for dag in held]}")
    expect(not any(dag["is_paused"] for dag in held), "a DAG is paused")
    expect(stack.api("GET", "importErrors")["total_entries"] == 0, "a DAG cannot be imported")
    failed = stack.api("GET", "dags/~/dagRuns?state=failed")["dag_runs"]
    expect(not failed, f"failed: {[(run['dag_id'], run['dag_run_id']) for run in failed]}")
    yield f"{len(names)} DAGs, all on, none failed"


def data(stack: Stack) -> Iterator[str]:
    """Every table equals the shops, row by row, with their clock stopped."""
    clock = f"{stack.emulator}/_emulator/clock"
    requests.post(clock, json={"frozen": True}, timeout=30).raise_for_status()
    try:
        stack.run(*AGAIN)
        for dag, days in MORE.items() if stack.has_more_lists else ():
            stack.run(dag, since=None if days is None else datetime.now(BEIJING) - timedelta(days=days))
        yield from equal_tables(
            stack.dsn, stack.emulator, stack.shops, since=stack.since, more_lists=stack.has_more_lists
        )
        summary = requests.get(f"{stack.emulator}/_emulator/truth/summary", timeout=60).json()
        [[orders]] = query(stack.dsn, "SELECT COUNT(*) FROM orders")
        yield f"{orders} orders in MySQL; the shops say {json.dumps(summary)[:200]}"
    finally:
        requests.post(clock, json={"frozen": False}, timeout=30)


def benefits(stack: Stack) -> Iterator[str]:
    """Every order has a decision."""
    counts = dict(query(stack.dsn, "SELECT decision_text, COUNT(*) FROM benefit_decisions GROUP BY decision_text"))
    expect(len(counts) > 1, f"benefit decisions: {counts}")
    yield f"benefits: {counts}"


def quality(stack: Stack) -> Iterator[str]:
    """The data checks ran, and each but one passes in each shop: the demo has unknown codes."""
    stack.run("xiaoe_quality")
    latest = (
        "SELECT shop_id, check_name, passed, detail FROM quality_results AS one WHERE id ="
        " (SELECT MAX(id) FROM quality_results WHERE shop_id = one.shop_id AND check_name = one.check_name)"
    )
    found = query(stack.dsn, latest)
    expect({shop.app_id for shop in stack.shops} <= {shop for shop, *_ in found}, f"checked: {found}")
    complaints = [one for one in found if not one[2]]
    expect({name for _, name, *_ in complaints} == {"unknown_codes"}, f"not passed: {complaints}")
    yield f"{len(found) - len(complaints)} data checks pass; unknown_codes finds the demo's planted codes"


def journal(stack: Stack) -> Iterator[str]:
    """Every change is shipped within a minute."""
    [[seconds]] = query(stack.dsn, "SELECT TIMESTAMPDIFF(SECOND, shipped_at, UTC_TIMESTAMP()) FROM journal_status")
    expect(seconds <= 60, f"the journal was shipped {seconds} s ago")
    yield f"the journal reaches to {seconds} s ago"


def marts(stack: Stack) -> Iterator[str]:
    """Each table of the dashboards holds rows of each shop; the user of the dashboards reads them, and no other."""
    reader = f"mysql://bi_reader:{stack.settings['BI_READER_PASSWORD']}@{stack.dsn.partition('@')[2]}"
    wanted = {shop.app_id for shop in stack.shops}
    for table in MARTS:
        held = {shop for [shop] in query(reader, f"SELECT DISTINCT shop_id FROM {table}")}  # noqa: S608
        expect(held == wanted, f"{table} holds rows of {held or 'no shop'}")
    try:
        query(reader, "SELECT order_id FROM orders LIMIT 1")
    except MySQLdb.OperationalError as error:
        expect(error.args[0] == 1142, f"bi_reader on orders: {error}")
    else:
        expect(False, "bi_reader may read orders")
    yield f"{len(MARTS)} tables of the dashboards hold rows of each shop; bi_reader reads them and no others"


def users(stack: Stack) -> Iterator[str]:
    """MySQL's users have no more rights than they need: the DAGs alter no table, backups change no row."""
    server = stack.dsn.partition("@")[2]
    loads = f"mysql://xiaoe_load:{stack.settings['MYSQL_LOAD_PASSWORD']}@{server}"
    for dsn, statement in (
        (loads, "CREATE TABLE by_hand (id INT)"),
        (loads, "DROP TABLE orders"),
        (stack.dsn, "DELETE FROM orders"),
    ):
        try:
            query(dsn, statement)
        except MySQLdb.OperationalError as error:
            expect(error.args[0] == 1142, f"{statement}: {error}")
        else:
            expect(False, f"{statement}: nothing forbids it")
    yield "MySQL refuses what a user does not need"


def nightly(stack: Stack) -> Iterator[str]:
    """A backup is made, what is old is removed, the shops fit."""
    stack.run("xiaoe_backup", "xiaoe_maintenance", "xiaoe_shop_check")
    [[count, status]] = query(stack.dsn, "SELECT row_count, status FROM backups ORDER BY id DESC LIMIT 1")
    drills = query(stack.dsn, "SELECT drill_status FROM backups WHERE drilled_at IS NOT NULL")
    expect(status == "success", f"backup: {status}")
    expect(drills != [] and all(drill == ["success"] for drill in drills), f"restore drills: {drills}")
    verdicts = dict(query(stack.dsn, "SELECT shop_id, MAX(verdict) FROM shop_checks GROUP BY shop_id"))
    expect({shop.app_id for shop in stack.shops} == set(verdicts), f"shops checked: {verdicts}")
    expect(set(verdicts.values()) <= {"fits", "fits_with_remarks"}, f"shops: {verdicts}")
    yield f"a backup of {count} rows, {len(drills)} restored as a drill; shops: {verdicts}"


def mail(stack: Stack) -> Iterator[str]:
    """The daily report is in the mailbox."""
    messages = requests.get(f"{stack.mailpit}/api/v1/messages", timeout=30).json()["messages"]
    reports = [one for one in messages if "福利" in one["Subject"]]
    expect(bool(reports), f"mails: {[one['Subject'] for one in messages]}")
    yield f"{len(messages)} mails, e.g. {reports[0]['Subject']} to {reports[0]['To'][0]['Address']}"


def dashboards(stack: Stack) -> Iterator[str]:
    """Superset asks for a login, and its dashboards show what MySQL holds."""
    api = f"{stack.superset}/api/v1"
    asked = requests.post(f"{api}/chart/data", json={}, timeout=60).status_code
    expect(asked in (401, 403), f"without a login, Superset answers {asked}")
    who = {"username": "guanli", "password": stack.passwords["guanli"], "provider": "db"}
    token = requests.post(f"{api}/security/login", json=who, timeout=60)
    token.raise_for_status()
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
    boards = session.get(f"{api}/dashboard/", timeout=120).json()["count"]
    expect(boards > 0, "Superset has no dashboard")
    datasets = session.get(f"{api}/dataset/?q=(page_size:100)", timeout=120).json()["result"]
    [sales] = [one["id"] for one in datasets if one["table_name"] == "bi_sales_daily"]
    metric = {"expressionType": "SQL", "sqlExpression": "SUM(orders_paid)", "label": "paid"}
    wish = {
        "datasource": {"id": sales, "type": "table"},
        "queries": [{"metrics": [metric], "columns": []}],
        "force": True,
    }
    # Imported orders are no revenue.
    paid = "SELECT COUNT(*) FROM orders WHERE absent_since IS NULL AND pay_time IS NOT NULL AND is_imported = 0"

    def shown() -> int:
        answer = session.post(f"{api}/chart/data", json=wish, timeout=120)
        answer.raise_for_status()
        return int(answer.json()["result"][0]["data"][0]["paid"])

    # The dashboards' tables follow each change, and the shops' clock runs again.
    wait_until(lambda: [[shown()]] == query(stack.dsn, paid), PATIENCE, "the dashboards do not show what MySQL holds")
    yield f"{boards} dashboards; paid orders: {shown()}, as in MySQL"


def expect(condition: bool, complaint: str) -> None:
    """Raise.

    Raises:
        RuntimeError: The condition does not hold.
    """
    if not condition:
        raise RuntimeError(complaint)


CHECKS: tuple[Callable[[Stack], Iterator[str]], ...] = (
    containers, login, roles, users, dags, data, benefits, quality, nightly, journal, marts, mail, dashboards, guesses,
)  # fmt: skip


def main() -> int:
    """Return an exit code: how many checks failed."""
    stack, failed = Stack(Path(sys.argv[1])), 0
    os.environ.setdefault("COMPOSE_PROJECT_NAME", "xiaoe")
    for check in CHECKS:
        try:
            for line in check(stack):
                print(f"ok      {check.__name__:<12}{line}", flush=True)
        except (RuntimeError, requests.RequestException, subprocess.CalledProcessError) as error:
            failed += 1
            print(f"FAILED  {check.__name__:<12}{error}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
