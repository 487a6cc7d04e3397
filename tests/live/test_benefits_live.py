"""Benefits in a live Airflow: decided after a merge, told at once, reported, asked about and answered by a person.

One start of Airflow for all of it; the tests follow each other, as a morning does.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlsplit

import openpyxl
import pytest

from emulator.process import Emulator, running
from servers.airflow import Standalone, wait_until
from support.fixtures import servers, shop_connection
from support.oracles.secrets_hunt import leaks
from support.servers.browser import Visit, chromium
from support.servers.inbox import TOKEN, ChatService, MailServer, attachments, body, chat_service, mail_server
from support.worlds.shop import APP_ID, CLIENT_ID, SECRET, Database
from xiaoe.clock import BEIJING

pytestmark = [
    pytest.mark.mysql,
    pytest.mark.airflow,
    pytest.mark.slow,
    # One server is enough here: what differs between them is in tests/integration.
    pytest.mark.parametrize("migrated", servers()[:1], indirect=True),
]

NOW = datetime.now(BEIJING).replace(microsecond=0, tzinfo=None)
TODAY = NOW.replace(hour=0, minute=0, second=0)
REPORTED = (TODAY - timedelta(days=2), TODAY - timedelta(days=1))
"""What a report that begins at nine may tell of: nine may come while the tests run."""
MADE = TODAY - timedelta(days=40)
"""Outside of what the rescan reads: the emulated shop does not know these orders."""
DAGS = ("xiaoe_benefits", "xiaoe_benefits_report", "xiaoe_benefits_review", "xiaoe_orders_rescan")
TITLE = "{{ 7*7 }} {% raw %} 课程"
PATIENCE = 300


@pytest.fixture(scope="module")
def shop() -> Iterator[Emulator]:
    with running(
        orders=200,
        start=f"{TODAY - timedelta(days=20):%Y-%m-%d}",
        now=f"{TODAY:%Y-%m-%dT%H:%M:%S}",
        frozen=True,
        shop=[f"{APP_ID}:{CLIENT_ID}:{SECRET}"],
    ) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def inbox() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture(scope="module")
def group() -> Iterator[ChatService]:
    with chat_service() as service:
        yield service


@pytest.fixture(scope="module")
def warehouse(migrated: str) -> Database:
    """Three orders of long ago: one granted and refunded since, two that a person has to decide on."""
    database = Database(migrated)
    database.empty()
    for name, facts in {
        "o_back": {"order_state": 10, "refund_money": Decimal(99), "refund_time": MADE + timedelta(days=3)},
        "o_grant": {"order_state": 11, "refund_money": Decimal(5), "refund_time": MADE + timedelta(days=3)},
        "o_later": {"order_state": 11, "refund_money": Decimal(6), "refund_time": MADE + timedelta(days=3)},
    }.items():
        insert(
            database, "orders", shop_id=APP_ID, order_id=name, title=TITLE, price=99, created_time=MADE, pay_time=MADE,
            row_hash=1, raw_hash=1, observed_at=MADE, batch_id="by-hand", **facts,
        )  # fmt: skip
        insert(database, "benefit_queue", shop_id=APP_ID, order_id=name)
    insert(database, "benefit_starts", shop_id=APP_ID, since=MADE, recorded_at=MADE)
    about: dict[str, Any] = {"shop_id": APP_ID, "order_id": "o_back", "reason": "r", "policy_id": 1}
    for day in REPORTED:
        granted_at = day + timedelta(hours=4)  # noon in Beijing
        entry = {"new_decision": "grant", "decided_by": "system", "decided_at": granted_at}
        insert(database, "benefit_decision_log", **entry, **about)
    decision = {"decision": "grant", "decision_text": "发放", "basis": "old", "decided_at": granted_at}
    insert(database, "benefit_decisions", **decision, **about)
    return database


@pytest.fixture(scope="module")
def airflow(
    shop: Emulator,
    warehouse: Database,
    inbox: MailServer,
    group: ChatService,
    airflow_database: str | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Standalone]:
    airflow = Standalone(tmp_path_factory.mktemp("airflow"), database=airflow_database)
    environment = {
        "AIRFLOW_CONN_XIAOE_MYSQL": warehouse.url,
        "AIRFLOW_CONN_XIAOE_DEFAULT": shop_connection(shop.url),
        "AIRFLOW_CONN_SMTP_DEFAULT": inbox.connection(),
        "AIRFLOW_CONN_APPRISE_DEFAULT": group.connection(),
        "XIAOE_BENEFIT_MAIL_TO": "fuli@example.com",
        "XIAOE_CHAT_CONN_ID": "apprise_default",
        "XIAOE_PAGE_STORE": f"file://{airflow.home}/pages",
        "XIAOE_EXPORT_DIR": f"file://{airflow.home}/exports",
    }
    airflow.start(environment)
    try:
        airflow.wait_healthy()
        airflow.wait_for_dags(*DAGS)
        airflow.create_pools()
        yield airflow
    finally:
        airflow.stop()


def insert(database: Database, table: str, **values: Any) -> None:
    places = ", ".join(["%s"] * len(values))
    database.rows(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", tuple(values.values()))


def decided(warehouse: Database) -> dict[str, str]:
    rows = warehouse.rows("SELECT order_id, decision FROM benefit_decisions")
    return {row["order_id"]: row["decision"] for row in rows}


def unpause(airflow: Standalone, *names: str) -> None:
    """The scheduler then makes the run of the last interval."""
    for name in names:
        airflow.api("PATCH", f"dags/{name}", is_paused=False)


def runs(airflow: Standalone, dag_id: str) -> list[dict[str, Any]]:
    """In the order they were made; an empty one where there is none."""
    found: list[dict[str, Any]] = airflow.api("GET", f"dags/{dag_id}/dagRuns?order_by=id")["dag_runs"]
    return found or [{}]


def questions(airflow: Standalone) -> dict[str, dict[str, Any]]:
    """Those that wait for a person, by order.

    A question is listed a moment before its task is parked. Airflow 3.3.2 takes an answer that meets the parking itself
    for the answer to a running task and resumes nothing until `response_timeout`: `Session.get(…, with_for_update=…)`
    keeps the state that was read before the lock.
    """
    path = "dags/xiaoe_benefits_review/dagRuns/~/hitlDetails?state=awaiting_input"
    found = airflow.api("GET", path)["hitl_details"]
    return {re.findall(r"订单 (\w+)（", detail["subject"])[0]: detail for detail in found}


def answer(airflow: Standalone, detail: dict[str, Any], chosen: str) -> dict[str, Any]:
    ti = detail["task_instance"]
    path = f"dags/{ti['dag_id']}/dagRuns/{ti['dag_run_id'].replace('+', '%2B')}/taskInstances/{ti['task_id']}"
    said: dict[str, Any] = airflow.api(
        "PATCH", f"{path}/{ti['map_index']}/hitlDetails", chosen_options=[chosen], params_input={}
    )
    return said


def answer_until(
    airflow: Standalone, order_id: str, chosen: str, done: Callable[[], bool], complaint: str
) -> dict[str, Any]:
    """Answer, and again if the same is asked again; return what Airflow said to the last answer.

    Airflow 3.3.2 asks again when an answer is faster than the worker that asked: some seconds after the parking the
    executor reports that the task ended, and a task that was queued for the answer by then counts as killed.
    """
    said: dict[str, Any] = {}

    def is_done() -> bool:
        if (asked := questions(airflow).get(order_id)) and not asked["response_received"]:
            said.update(answer(airflow, asked, chosen))
        return done()

    wait_until(is_done, PATIENCE, complaint)
    return said


def test_a_merge_is_followed_by_decisions_and_staff_hear_at_once_of_a_grant_taken_back(
    airflow: Standalone, warehouse: Database, inbox: MailServer, group: ChatService
) -> None:
    unpause(airflow, "xiaoe_benefits", "xiaoe_orders_rescan")
    wait_until(
        lambda: (
            {"run_type": "asset_triggered", "state": "success"}.items() <= runs(airflow, "xiaoe_benefits")[-1].items()
        ),
        PATIENCE,
        "no run after the merge",
    )
    found = decided(warehouse)
    assert len(found) == warehouse.value("SELECT COUNT(*) FROM orders") > 100, "what was merged is decided on"
    assert {name: found[name] for name in ("o_back", "o_grant", "o_later")} == {
        "o_back": "revoke",
        "o_grant": "review",
        "o_later": "review",
    }
    [mail], [talk] = inbox.mails, group.said
    assert mail["Subject"] == talk["title"] == f"【紧急】福利收回 {APP_ID}：1 单发放后退款"
    assert "o_back" in body(mail)
    assert "o_back" in talk["message"]


def test_the_morning_s_report_arrives_with_its_files(
    airflow: Standalone, inbox: MailServer, group: ChatService
) -> None:
    unpause(airflow, "xiaoe_benefits_report", "xiaoe_benefits_review")  # the questions of the next test meanwhile
    wait_until(lambda: len(inbox.mails) >= 2 and len(group.said) >= 2, PATIENCE, "no report came")
    mail, talk = inbox.mails[1], group.said[1]
    day = runs(airflow, "xiaoe_benefits_report")[0]["data_interval_start"][:10]  # 01:00 UTC is nine in Beijing
    assert mail["Subject"] == talk["title"] == f"福利判定日报 {APP_ID} {day}：发放 1，取消 0"
    found = attachments(mail)
    assert sorted(found) == [f"福利判定-{APP_ID}-{day}.csv", f"福利判定-{APP_ID}-{day}.xlsx"]
    book = openpyxl.load_workbook(io.BytesIO(found[f"福利判定-{APP_ID}-{day}.xlsx"]))
    assert [row[1].value for row in book["判定"].iter_rows(min_row=2)] == ["o_back"]
    assert sorted(row[1].value for row in book["人工复核"].iter_rows(min_row=2)) == ["o_grant", "o_later"]
    assert [row[10].value for row in book["判定"].iter_rows(min_row=2)] == [TITLE]


def test_a_question_in_the_browser_names_the_order_and_closes_nothing_by_cancel(airflow: Standalone) -> None:
    wait_until(lambda: len(questions(airflow)) == 2, PATIENCE, "nobody was asked")
    asked = questions(airflow)["o_grant"]
    ti = asked["task_instance"]
    run = f"{airflow.url}/dags/xiaoe_benefits_review/runs/{quote(ti['dag_run_id'])}"
    with chromium() as browser:
        guest = Visit(browser, viewport={"width": 1440, "height": 900}, locale="zh-CN")
        guest.page.goto(f"{run}/tasks/order.ask/mapped/{ti['map_index']}/required_actions")
        for option in asked["options"]:
            guest.page.get_by_role("button", name=option, exact=True).wait_for()
        shown = guest.page.inner_text("body")
        assert "截止前部分退款 · ¥99.00" in shown
        assert "订单 o_grant" in shown
        assert guest.page.get_by_role("button", name="取消", exact=True).count() == 0
        guest.close()


def test_a_person_s_answer_over_the_api_becomes_the_decision_with_their_name(
    airflow: Standalone, warehouse: Database
) -> None:
    wait_until(lambda: len(questions(airflow)) == 2, PATIENCE, "nobody was asked")
    asked = questions(airflow)
    assert asked["o_grant"]["task_instance"]["rendered_map_index"] == asked["o_grant"]["subject"]
    assert asked["o_grant"]["options"] == ["发放福利", "不发放福利", "稍后再定"]
    assert "{{ 7\\*7 }} {% raw %} 课程" in asked["o_grant"]["body"], "data is no template"
    assert "**退款金额**：¥5.00" in asked["o_grant"]["body"]
    said = answer_until(
        airflow, "o_grant", "发放福利", lambda: decided(warehouse)["o_grant"] == "grant", "the answer was not applied"
    )
    name = said["responded_by"]["name"]
    assert [run["state"] for run in runs(airflow, "xiaoe_benefits_review")] == ["running"], "o_later is still open"
    [kept] = warehouse.rows("SELECT * FROM benefit_reviews")
    assert (kept["order_id"], kept["answer"]) == ("o_grant", "grant")
    assert kept["answered_by"].startswith(name)
    [entry] = warehouse.rows("SELECT * FROM benefit_decision_log WHERE order_id = 'o_grant' AND new_decision = 'grant'")
    assert (entry["old_decision"], entry["decided_by"]) == ("review", kept["answered_by"])
    assert entry["reason"] == "人工复核：截止前部分退款"


def test_later_is_no_answer(airflow: Standalone, warehouse: Database) -> None:
    def is_over() -> bool:
        return [run["state"] for run in runs(airflow, "xiaoe_benefits_review")] == ["success"]

    answer_until(airflow, "o_later", "稍后再定", is_over, "it goes on")
    assert decided(warehouse)["o_later"] == "review"
    assert warehouse.value("SELECT COUNT(*) FROM benefit_reviews") == 1
    [kept] = warehouse.rows("SELECT * FROM benefit_postponements")
    assert kept["order_id"] == "o_later"


def test_no_secret_is_in_airflow_s_folder_or_in_the_warehouse(
    airflow: Standalone, airflow_database: str | None, warehouse: Database
) -> None:
    """Logs of real workers, rendered fields, XCom, pages, files for staff. More errors: test_secrets_live.py."""
    databases = [warehouse, *([Database(airflow_database)] if airflow_database else [])]
    own = urlsplit(warehouse.url).password or ""
    assert leaks([SECRET, TOKEN, *([own] if len(own) >= 8 else [])], [airflow.home], databases) == []
