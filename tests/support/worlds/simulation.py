"""One seed, a span of days: an installation in one process, with virtual time.

The shop's API answers in process (the emulator's `Api` behind a `requests` adapter), the tasks are the operators of the
DAGs, MySQL is real and has its clock set per session. What the seed decides: the shop, when tasks run, faulty answers,
outages of the API, kills in the middle of a statement, times when nothing runs, and what people answer. At the end of
each day the trouble stops, one round of syncs runs, and the warehouse must equal the shop.
"""

from __future__ import annotations

import io
import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from emulator.api import Api, Reply
from emulator.compare import unlike
from emulator.options import Credentials, parse
from emulator.process import airflow_connection, flags
from emulator.truth import TRUTHS
from support.worlds.runs import unhurried
from support.worlds.shop import APP_ID, CLIENT_ID, SECRET, Database, merge_sql, unbalanced
from support.worlds.swift import Killed, hurry
from xiaoe import clock
from xiaoe.alerts import callbacks, delivery
from xiaoe.api import hook
from xiaoe.api.hook import XiaoeHook
from xiaoe.benefits.answers import ReviewAnswer, record_answer
from xiaoe.benefits.operators import XiaoeBenefitsOperator
from xiaoe.clock import BEIJING, beijing_text
from xiaoe.exceptions import XiaoeRetriableError
from xiaoe.mysql.session import Session
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.objectives.operators import XiaoeObjectivesOperator
from xiaoe.quality.catalogue import LEDGER_COMPLETE
from xiaoe.quality.figures import figure
from xiaoe.quality.scope import CheckScope
from xiaoe.resources.registry import RESOURCES
from xiaoe.stage import slice_reader, stager
from xiaoe.sync.operators import XiaoeMergeOperator, XiaoeStageOperator

BEGIN = datetime(2026, 1, 5, tzinfo=BEIJING)
_URL = "http://shop.invalid"
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_TRIES = 4
_REACH = timedelta(days=85)
"""Within the nightly rescan's: what changes in an older order and has no after-sale, nobody sees."""
_FAULTS = ("http_500", "http_502", "http_429", "non_json", "code_1001", "code_2008", "null_data")


class Job(NamedTuple):
    """A DAG: its name, when it runs within a day, and its work."""

    dag_id: str
    minutes: range
    work: Callable[[], object]


class _InProcess(BaseAdapter):
    """Answers a request by the emulator, without a network."""

    def __init__(self, api: Api, is_down: Callable[[], bool]) -> None:
        super().__init__()
        self._api, self._is_down = api, is_down

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        if self._is_down():
            raise requests.ConnectionError("the shop does not answer")
        path, _, query = (request.path_url or "").partition("?")
        body = request.body or b""
        raw = body if isinstance(body, bytes) else body.encode()
        if path == "/token":
            fields = dict(pair.split("=", 1) for pair in query.split("&"))
            reply = self._api.token(request.method or "GET", fields, "127.0.0.1")
        else:
            reply = self._api.call(request.method or "POST", path.lstrip("/"), raw)
        return self._response(request, *_answered(reply))

    def close(self) -> None:
        """Nothing to close."""

    def _response(self, request: requests.PreparedRequest, status: int, content: bytes) -> requests.Response:
        response = requests.Response()
        response.status_code, response.url, response.request = status, request.url or "", request
        response.raw = HTTPResponse(io.BytesIO(content), status=status, preload_content=False)
        response.headers["Content-Type"] = "application/json"
        return response


def _answered(reply: Reply) -> tuple[int, bytes]:
    statuses = {"http_500": 500, "http_502": 502, "http_429": 429}
    if reply.fault in statuses:
        return statuses[reply.fault], b"trouble"
    return 200, b"<html>" if reply.fault == "non_json" else reply.payload


class Installation:
    """A shop, its syncs, its people.

    Args:
        seed: Decides everything.
        database: Migrated and empty.
        monkeypatch: Puts the virtual time into the package.
        store: For pages.
        is_calm: Syncs run less often, so that a long time can be lived.
    """

    def __init__(
        self, seed: int, database: Database, monkeypatch: pytest.MonkeyPatch, store: Path, *, is_calm: bool = False
    ) -> None:
        self.seed, self.database = seed, database
        self.now = BEGIN
        self.counts: Counter[str] = Counter()
        self.failures: set[str] = set()
        """DAGs that failed their last try."""
        self.sent: list[str] = []
        """Titles of the messages that staff got."""
        self._dice = random.Random(seed)
        self._down_until = self._idle_until = BEGIN
        self._kill_in: int | None = None
        self._open: set[str] = set()
        options = {
            "seed": seed, "start": f"{BEGIN - 20 * _DAY:%Y-%m-%d}", "now": BEGIN.isoformat(), "frozen": True,
            "orders_per_day": self._dice.choice((10, 25, 40)), "limits": False, "token_quota": 10**9,
            "shop": [f"{APP_ID}:{CLIENT_ID}:{SECRET}"],
        }  # fmt: skip
        self.api = Api(parse([*flags(options)]))
        monkeypatch.setattr(self.api.clock, "elapsed", lambda: float(self.api.clock.now()))  # no real time
        database.rows("DELETE FROM api_tokens")  # perhaps of a later time
        self._install(monkeypatch, store)
        every = {name: range(first, 1440, step) for name, (first, step) in (_CALM if is_calm else _PACE).items()}
        self._jobs = [
            Job("xiaoe_orders_incremental", every["half hour"], lambda: self._sync("orders", "incremental")),
            Job("xiaoe_orders_rescan", every["hour"], lambda: self._sync("orders", "rescan")),
            Job("xiaoe_refunds", every["hour at 20"], self._refunds),
            Job("xiaoe_benefits", every["hour at 45"], self._decide),
            Job("xiaoe_orders_deep_rescan", every["day at 2"], lambda: self._sync("orders", "deep_rescan")),
            Job("xiaoe_dimensions_daily", every["day at 3"], self._lists),
            Job("xiaoe_objectives", every["hour at 50"], self._objectives),
        ]

    def _install(self, monkeypatch: pytest.MonkeyPatch, store: Path) -> None:
        shop = Credentials(APP_ID, CLIENT_ID, SECRET)
        connection = airflow_connection(_URL, shop, calls_per_second=300, concurrency=1)
        monkeypatch.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", connection)
        monkeypatch.setenv("XIAOE_PAGE_STORE", f"file://{store}")
        monkeypatch.setenv("XIAOE_HISTORY_START", f"{BEGIN - 20 * _DAY:%Y-%m-%d}")
        monkeypatch.setattr(clock, "now", lambda: self.now)
        monkeypatch.setattr(clock, "machine_now", self._in_utc)
        for module in (hook, slice_reader, stager):
            monkeypatch.setattr(module, "utc_now", self._in_utc)
        adapter = _InProcess(self.api, lambda: self.now < self._down_until)
        monkeypatch.setattr(hook, "XiaoeHook", partial(XiaoeHook, sleep=lambda _: None, adapter=adapter))
        monkeypatch.setattr(delivery, "_channels", lambda: {"chat": object()})
        monkeypatch.setattr(delivery, "_send", lambda message, *_: not self.sent.append(message.title))
        for name, resource in RESOURCES.items():
            monkeypatch.setitem(RESOURCES, name, unhurried(resource))
        self._dated_and_killed(monkeypatch)

    def _dated_and_killed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Sessions have the virtual time, and end in the middle when the worker is killed."""
        begin = Session.__init__

        def dated(session: Session, connection: Any, where: str) -> None:
            begin(session, connection, where)
            connection.query(f"SET timestamp = {self.now.timestamp()}")

        def is_due() -> bool:
            if self._kill_in is not None:
                self._kill_in -= 1
            return self._kill_in is not None and self._kill_in < 0

        monkeypatch.setattr(Session, "__init__", dated)
        self.connections = hurry(monkeypatch, is_due)

    def _in_utc(self) -> datetime:
        return self.now.astimezone(timezone.utc)

    # --- time ---------------------------------------------------------------------------------------

    def begin(self) -> None:
        """The first day: the history is loaded."""
        self._at(BEGIN)
        self._sync("orders", "history", kind="manual", **{"from": beijing_text(BEGIN - 20 * _DAY)})
        self.settle()

    def live_a_day(self) -> None:
        """A day with its trouble, and a quiet minute at its end."""
        day = self.now.replace(hour=0, minute=0, second=0, microsecond=0)
        day += _DAY if self.now.hour else timedelta()
        due = sorted((minute, number) for number, job in enumerate(self._jobs) for minute in job.minutes)
        for minute, number in due:
            self._at(max(day + minute * _MINUTE, self.now + timedelta(seconds=1)))
            self._trouble()
            if self.now >= self._idle_until:
                self._run(self._jobs[number])
        self._people()
        self.settle()

    def settle(self) -> None:
        """No more trouble: each sync runs once."""
        self._down_until = self._idle_until = self.now
        self._kill_in = None
        self.api.faults.set({"rate": 0.0})
        for job in self._jobs:
            self._at(self.now + timedelta(seconds=20))
            self._run(job)

    def wrong(self) -> Iterator[str]:
        """What is not as it must be at the end of a day; each begins with the seed."""
        first = max(BEGIN - 20 * _DAY, self.now - _REACH)
        begin, end = int(first.timestamp()), int((self.now - 2 * _MINUTE).timestamp())
        edges = (beijing_text(first), beijing_text(datetime.fromtimestamp(end, timezone.utc)))
        shop, unix = self.api.shop(APP_ID), self.api.clock.now()
        for table, key, column in (("orders", "order_id", "created_time"), ("refunds", "aftersale_id", "created_at")):
            truth = [row for row in TRUTHS[table](shop, begin, end, unix) if row]
            held = self.database.rows(f"SELECT * FROM {table} WHERE {column} >= %s AND {column} < %s", edges)
            yield from (self._named(f"{table}: {one}") for one in unlike(held, truth, key))
        yield from (self._named(f"unbalanced window {row['id']}") for row in unbalanced(self.database))
        yield from (self._named(f"{key} has a wrong line") for key in self.database.wrong_lines())
        with Warehouse().session() as session:
            ledger = figure(session, LEDGER_COMPLETE, scope=CheckScope(APP_ID, self.now, full=True), fresh_within={})
        if "缺口" in ledger.detail:
            yield self._named(f"ledger: {ledger.detail}")
        told = {row["dag_id"] for row in self.database.rows(_TOLD)}
        yield from (self._named(f"nobody was told that {dag_id} failed") for dag_id in sorted(self.failures - told))
        yield from (
            self._named(f"the alert of {row['dag_id']} is open, and its DAG works")
            for row in self.database.rows("SELECT dag_id FROM alerts WHERE closed_at IS NULL AND kind = 'failed'")
        )

    def _named(self, what: str) -> str:
        return f"seed {self.seed}, {self.now:%Y-%m-%d}: {what}"

    def _at(self, moment: datetime) -> None:
        self.now = moment
        self.api.clock.set(int(moment.timestamp()))

    # --- trouble and people ------------------------------------------------------------------------

    def _trouble(self) -> None:
        """Rarely something breaks, for a while."""
        if self._dice.random() < 0.01:
            self._down_until = self.now + self._dice.randrange(10, 300) * _MINUTE
            self.counts["API outages"] += 1
        if self._dice.random() < 0.003:
            self._idle_until = self.now + self._dice.randrange(30, 600) * _MINUTE
            self.counts["times without a scheduler"] += 1
        if self._dice.random() < 0.02:
            rate = self._dice.choice((0.0, 0.05, 0.3))
            self.api.faults.set({"rate": rate, "kinds": [*_FAULTS]})
        self._kill_in = self._dice.randrange(60) if self._dice.random() < 0.03 else None

    def _people(self) -> None:
        """Somebody answers about half of what is in review."""
        rows = self.database.rows(
            "SELECT order_id, basis FROM benefit_decisions WHERE decision = 'review' ORDER BY order_id LIMIT 20"
        )
        for row in rows:
            if self._dice.random() < 0.5:
                answer = ReviewAnswer(self._dice.choice(("grant", "revoke", None)), "小王", self.now)
                with Warehouse().session() as session:
                    record_answer(session, {"shop_id": APP_ID, **row}, answer)
                self.counts["answers"] += 1

    # --- jobs --------------------------------------------------------------------------------------

    def _run(self, job: Job) -> None:
        """As Airflow does: retry, then call back."""
        self.counts["runs"] += 1
        for number in range(_TRIES):
            try:
                job.work()
            except Killed:
                self.counts["kills"] += 1
                self._kill_in, error = None, None
            except XiaoeRetriableError as trouble:
                error = trouble
            else:
                if job.dag_id in self._open:
                    callbacks.run_succeeded(self._context(job))
                    self._open.discard(job.dag_id)
                return
            self._at(self.now + _MINUTE * (number + 1))
        self.counts["failed runs"] += 1
        self.failures.add(job.dag_id)
        self._open.add(job.dag_id)
        callbacks.task_failed({**self._context(job), "exception": error})

    def _context(self, job: Job) -> Any:
        run_id = f"scheduled__{self.now.isoformat()}"
        ti = SimpleNamespace(
            dag_id=job.dag_id, task_id="task", run_id=run_id, map_index=-1, try_number=_TRIES, log_url=None
        )
        dag = SimpleNamespace(dag_id=job.dag_id, catchup=False)
        run = SimpleNamespace(run_type="scheduled", run_id=run_id)
        return {"ti": ti, "task": SimpleNamespace(), "dag": dag, "dag_run": run, "run_id": run_id}

    def _about(self, kind: str = "scheduled", **params: Any) -> Any:
        run_id = f"{kind}__{self.now.isoformat()}"
        return {
            "dag_run": SimpleNamespace(run_id=run_id, run_type=kind, run_after=self.now),
            "run_id": run_id,
            "params": {"from": None, "to": None, "accept_missing": False, **params},
            "data_interval_start": self.now - _HOUR,
            "data_interval_end": self.now,
        }

    def _sync(self, resource: str, mode: str, *, kind: str = "scheduled", **params: Any) -> None:
        about = self._about(kind, **params)
        self._merge(resource, mode, self._stage(resource, mode, about), about)

    def _stage(self, resource: str, mode: str, about: Any, named_by: str | None = None) -> str:
        operator = XiaoeStageOperator(
            task_id="stage", resource=resource, mode=mode, xiaoe_conn_id="xiaoe_default", named_by=named_by
        )
        return operator.execute(about)

    def _merge(self, resource: str, mode: str, folder: str, about: Any) -> None:
        sql = _SQL.get(resource) or _SQL.setdefault(resource, merge_sql(resource))
        XiaoeMergeOperator(task_id="merge", resource=resource, mode=mode, folder=folder, sql=sql).execute(about)

    def _refunds(self) -> None:
        about = self._about()
        folder = self._stage("refunds", "incremental", about)
        self._merge("refunds", "incremental", folder, about)
        self._merge("orders", "late", self._stage("orders", "late", about, folder), about)

    def _lists(self) -> None:
        for resource in ("users", "products", "live_streams"):
            self._sync(resource, "whole")

    def _decide(self) -> None:
        XiaoeBenefitsOperator(task_id="decide", xiaoe_conn_id="xiaoe_default").execute(self._about())

    def _objectives(self) -> None:
        XiaoeObjectivesOperator(task_id="evaluate", xiaoe_conn_id="xiaoe_default").execute(self._about())


_TOLD = "SELECT DISTINCT dag_id FROM alerts WHERE cause IN (SELECT cause FROM alerts WHERE told_at IS NOT NULL)"
"""DAGs whose failures, or the outage that they belong to, staff heard of."""
_SQL: dict[str, str] = {}
_PACE = {
    "half hour": (0, 30),
    "hour": (1, 60),
    "hour at 20": (20, 60),
    "hour at 45": (45, 60),
    "hour at 50": (50, 60),
    "day at 2": (121, 1440),
    "day at 3": (181, 1440),
}
"""Name → the first minute of a day, and every how many minutes."""
_CALM = {
    **_PACE,
    "half hour": (0, 60),
    "hour": (1, 180),
    "hour at 20": (20, 120),
    "hour at 45": (45, 120),
    "hour at 50": (50, 360),
}
"""The same, less often."""
