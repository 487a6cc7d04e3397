"""A change of the rule for benefits: shown first, put in force by a person, and never by accident."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from airflow.sdk import DAG

from support.oracles.benefits import LONG_AGO
from support.worlds.shop import APP_ID, END, EVERYTHING, Database, Sync
from xiaoe import clock, settings
from xiaoe.benefits import decide, policy, policy_change
from xiaoe.benefits.names import NAMES
from xiaoe.benefits.operators import XiaoeBenefitsOperator
from xiaoe.benefits.policy import Policy
from xiaoe.exceptions import XiaoeConfigError, XiaoeRetriableError
from xiaoe.resources.refunds import REFUNDS

pytestmark = pytest.mark.mysql

FORTNIGHT = Policy(days=14, anchor="created_time", partial_refund="review", resource_types=[], since=LONG_AGO)
MONTH = msgspec.structs.replace(FORTNIGHT, days=30, partial_refund="revoke")
TABLES = ("benefit_decisions", "benefit_decision_log", "benefit_policies", "benefit_queue")


@pytest.fixture
def shop(sync: Sync, database: Database, monkeypatch: pytest.MonkeyPatch) -> Sync:
    """A shop with all of its orders and after-sales, decided on by the rule of 14 days."""
    monkeypatch.setattr(clock, "now", lambda: END)
    propose(FORTNIGHT, monkeypatch)
    sync.run(EVERYTHING)
    sync.run(EVERYTHING, resource=REFUNDS)
    run()
    return sync


def propose(rule: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule stands in the file."""
    monkeypatch.setattr(policy, "read_policy", lambda: rule)
    monkeypatch.setattr(policy_change, "read_policy", lambda: rule)


def run() -> dict[str, Any]:
    """What the task of the DAG does."""
    with DAG("benefits", schedule=None, template_searchpath=str(settings.INCLUDE_DIR / "sql")):
        operator = XiaoeBenefitsOperator(task_id="decide", xiaoe_conn_id="xiaoe_default")
    return operator.execute({})


def content(database: Database) -> dict[str, list[dict[str, Any]]]:
    return {table: database.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in TABLES}


def decided(database: Database) -> dict[str, str]:
    return {row["order_id"]: row["decision"] for row in database.rows("SELECT * FROM benefit_decisions")}


def test_the_first_run_puts_the_file_in_force_and_decides_on_every_order(shop: Sync, database: Database) -> None:
    [row] = database.rows("SELECT * FROM benefit_policies")
    assert (policy.parse_policy(row["policy"]), row["applied_by"]) == (FORTNIGHT, "system")
    assert len(decided(database)) == 3000
    assert set(decided(database).values()) == set(NAMES)
    [status] = database.rows("SELECT * FROM sync_status WHERE resource = 'benefits'")
    assert (status["status"], status["message"][:5]) == ("success", "本次判定：")


def test_what_a_change_would_do_is_told_to_the_order_before_anything_is_written(
    shop: Sync, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, old = content(database), decided(database)
    propose(MONTH, monkeypatch)
    told = policy_change.change_policy(apply=False)
    assert content(database) == before
    assert "未启用" in told

    policy_change.change_policy(apply=True, by="王芳")
    assert decided(database) == old, "the next run decides"
    run()
    new = decided(database)
    changes = Counter((old[name], new[name]) for name in old if old[name] != new[name])
    assert {("grant", "pending"), ("review", "revoke")} <= set(changes)
    assert f"{sum(changes.values())} 单的判定会变化" in told
    for (was, now), orders in changes.items():
        assert f"{NAMES[was]} → {NAMES[now]}：{orders} 单" in told
    assert told.count("→") == len(changes)
    logged = database.rows(
        "SELECT old_decision, new_decision FROM benefit_decision_log"
        " WHERE policy_id = (SELECT MAX(id) FROM benefit_policies)"
    )
    assert Counter((row["old_decision"], row["new_decision"]) for row in logged) == changes
    assert [row["applied_by"] for row in database.rows("SELECT * FROM benefit_policies ORDER BY id")] == [
        "system",
        "王芳",
    ]


def test_a_changed_file_alone_changes_no_decision(
    shop: Sync, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = decided(database)
    propose(MONTH, monkeypatch)
    database.rows("INSERT INTO benefit_queue SELECT shop_id, order_id FROM orders")
    run()
    assert decided(database) == old
    assert database.value("SELECT COUNT(*) FROM benefit_policies") == 1


def test_the_same_rule_again_is_no_change(shop: Sync, database: Database) -> None:
    before = content(database)
    assert policy_change.change_policy(apply=True).startswith("规则未变（编号 ")
    assert content(database) == before


def test_a_run_that_began_with_the_old_rule_writes_nothing(
    shop: Sync, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise it would decide by the old rule and take the orders out of the queue."""
    with shop.warehouse.session() as session:
        held = decide.policy_in_force(session)
    assert held is not None
    begun = decide.Decider(shop.warehouse, APP_ID, held[1], held[0], now=END)
    propose(MONTH, monkeypatch)
    policy_change.change_policy(apply=True, by="王芳")
    before = content(database)
    with pytest.raises(XiaoeRetriableError, match="another policy was put in force"):
        begun.decide()
    assert content(database) == before
    assert len(before["benefit_queue"]) == 3000
    run()
    assert decided(database) != {row["order_id"]: row["decision"] for row in before["benefit_decisions"]}
    assert database.value("SELECT COUNT(*) FROM benefit_queue") == 0


def test_a_wrong_file_decides_nothing_and_says_which_field(
    shop: Sync, database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = content(database)
    monkeypatch.undo()
    file = tmp_path / "benefit_policy.yaml"
    file.write_text("days: 0\nanchor: created_time\npartial_refund: review\nresource_types: []\n", "utf-8")
    with pytest.raises(XiaoeConfigError, match=r"\$\.days"):
        policy.read_policy(file)
    assert content(database) == before


def test_days_that_no_rescan_reaches_are_neither_shown_nor_followed(
    shop: Sync, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(database)
    propose(msgspec.structs.replace(FORTNIGHT, days=90), monkeypatch)
    with pytest.raises(XiaoeConfigError, match="XIAOE_DEEP_RESCAN_DAYS to 91 or more"):
        policy_change.change_policy(apply=True)
    propose(FORTNIGHT, monkeypatch)
    monkeypatch.setenv("XIAOE_RESCAN_DAYS", "7")
    monkeypatch.setenv("XIAOE_DEEP_RESCAN_DAYS", "14")
    with pytest.raises(XiaoeConfigError, match="XIAOE_DEEP_RESCAN_DAYS to 15 or more"):
        run()
    assert content(database) == before


def test_days_that_only_the_nightly_rescan_reaches_are_shown(
    shop: Sync, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    propose(MONTH, monkeypatch)
    assert "每小时复查只读近 15 天的订单（XIAOE_RESCAN_DAYS），少于 30 + 1 天" in policy_change.change_policy(
        apply=True
    )
    run()
    assert "30 days and one are more than XIAOE_RESCAN_DAYS" in capsys.readouterr().out
