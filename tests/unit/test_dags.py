"""Policy: what every DAG has to have, and which way the code depends."""

from __future__ import annotations

import ast
import copy
import graphlib
import pkgutil
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import MySQLdb
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, CronDataIntervalTimetable, DeltaDataIntervalTimetable, RetryAction, TaskGroup
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import DataInterval, TimeRestriction

from support.worlds.shop import merge_sql
from xiaoe import exceptions, settings
from xiaoe.alerts import callbacks
from xiaoe.alerts.deadline import RunQueued
from xiaoe.cli.commands import SYNC_DAGS
from xiaoe.clock import BEIJING, parse_time
from xiaoe.resources.base import BOOKKEEPING, Scope
from xiaoe.resources.registry import RESOURCES
from xiaoe.sync.operators import XiaoeMergeOperator, XiaoeStageOperator
from xiaoe.tasks.defaults import dag_defaults, dag_description, dag_name, named
from xiaoe.vocabulary import DAGS, TAGS, TASKS

pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")

ROOT = Path(__file__).parents[2]
DAG_FILES = sorted((ROOT / "dags").glob("*.py"))
SYNCS: dict[str, dict[str, tuple[str, str]]] = {
    "xiaoe_orders_incremental": {"shop": ("orders", "incremental")},
    "xiaoe_orders_history": {"shop": ("orders", "history")},
    "xiaoe_orders_rescan": {"shop": ("orders", "rescan")},
    "xiaoe_orders_deep_rescan": {"shop": ("orders", "deep_rescan")},
    "xiaoe_orders_changed": {"shop": ("order_origins", "incremental")},
    "xiaoe_orders_hinted": {"shop": ("orders", "hints")},
    "xiaoe_refunds": {"shop": ("refunds", "incremental")},
    "xiaoe_dimensions_daily": {
        name: (name, "recent" if resource.recent else "whole")
        for name, resource in RESOURCES.items()
        if resource.scope is Scope.WHOLE and not resource.more
    },
    "xiaoe_live": {"live_streams": ("live_streams", "whole")},
    "xiaoe_learning": {name: (name, "incremental") for name in ("learning_days", "learning_progress")},
    "xiaoe_promoters": {"promoters": ("promoters", "whole")},
}
"""DAG → task group that is mapped over the shops → resource and mode."""
CRONS = {
    "xiaoe_orders_incremental": ("*/30 * * * *", timedelta(minutes=30)),
    "xiaoe_orders_rescan": ("0 * * * *", timedelta(hours=1)),
    "xiaoe_orders_deep_rescan": ("0 2 * * *", timedelta(days=1)),
    "xiaoe_orders_changed": ("*/5 * * * *", timedelta(minutes=5)),
    "xiaoe_refunds": ("20 * * * *", timedelta(hours=1)),
    "xiaoe_dimensions_daily": ("0 3 * * *", timedelta(days=1)),
    "xiaoe_live": ("50 * * * *", timedelta(hours=1)),
    "xiaoe_learning": ("30 5 * * *", timedelta(days=1)),
    "xiaoe_promoters": ("15 4 * * *", timedelta(days=1)),
}
EACH = {"xiaoe_live": "live_viewers", "xiaoe_promoters": "promoter_customers"}
"""DAG → the list that it reads of each row of the first."""
LATE_AFTER = {
    "xiaoe_orders_incremental": timedelta(minutes=15),
    "xiaoe_orders_rescan": timedelta(minutes=45),
    "xiaoe_refunds": timedelta(minutes=45),
    "xiaoe_dimensions_daily": timedelta(hours=3),
    "xiaoe_orders_deep_rescan": timedelta(hours=3),
    "xiaoe_orders_history": timedelta(hours=6),
    "xiaoe_orders_changed": timedelta(minutes=15),
    "xiaoe_live": timedelta(minutes=50),
    "xiaoe_learning": timedelta(hours=6),
    "xiaoe_promoters": timedelta(hours=6),
    "xiaoe_orders_hinted": timedelta(minutes=30),
    "xiaoe_benefits": timedelta(hours=1),
    "xiaoe_benefits_report": timedelta(hours=1),
    "xiaoe_benefits_review": timedelta(hours=22),
    "xiaoe_daily_report": timedelta(minutes=30),
    "xiaoe_backup": timedelta(hours=2),
    "xiaoe_maintenance": timedelta(hours=2),
    "xiaoe_quality": timedelta(minutes=30),
    "xiaoe_marts": timedelta(hours=1),
    "xiaoe_objectives": timedelta(minutes=20),
    "xiaoe_shop_check": timedelta(minutes=15),
}
"""When staff hear that a run is not through, counted from its queueing; docs/operations.md lists them."""
WITHOUT_API = (
    "xiaoe_benefits",
    "xiaoe_daily_report",
    "xiaoe_marts",
    "xiaoe_objectives",
    "xiaoe_backup",
    "xiaoe_maintenance",
)
CHECKS_WITHOUT_API = {"shop.columns", "shop.rows", "shop.queries", "storage"}
OFF = {
    ("order_origins", "incremental"), ("orders", "hints"), ("learning_days", "incremental"),
    ("learning_progress", "incremental"), ("promoters", "whole"),
}  # fmt: skip
"""Syncs that have no schedule, and so cannot be late, unless `XIAOE_HINTS` or `XIAOE_MORE_LISTS` says so."""
WITHOUT_WINDOW = {"xiaoe_dimensions_daily", "xiaoe_orders_hinted", "xiaoe_promoters"}
DAG_IDS = list(SYNCS)
PACKAGE = ROOT / "plugins" / "xiaoe"
SHOPS = ["xiaoe_default", "xiaoe_second"]


@pytest.fixture(scope="module")
def bag() -> Iterator[DagBag]:
    """All DAGs, for two shops."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("XIAOE_CONN_IDS", ",".join(SHOPS))
        monkeypatch.setenv("XIAOE_HINTS", "list,push")
        monkeypatch.setenv("XIAOE_MORE_LISTS", "live_viewers,learning,promoters")
        yield DagBag(str(ROOT / "dags"))


@pytest.fixture(params=DAG_IDS)
def dag(bag: DagBag, request: pytest.FixtureRequest) -> DAG:
    return bag.dags[request.param]


@pytest.fixture(params=[file.stem for file in DAG_FILES])
def any_dag(bag: DagBag, request: pytest.FixtureRequest) -> DAG:
    return bag.dags[request.param]


# --- every DAG -----------------------------------------------------------------------------------------


def test_the_dags_are_there_and_import_without_an_error(bag: DagBag) -> None:
    assert bag.import_errors == {}
    assert set(bag.dags) == {file.stem for file in DAG_FILES} > set(DAG_IDS)


@pytest.mark.parametrize("file", DAG_FILES, ids=lambda file: file.stem)
def test_a_dag_file_is_wiring(file: Path) -> None:
    """Named after its DAG, short, and without functions or classes of its own."""
    source = file.read_text("utf-8")
    assert len(source.splitlines()) < 100
    tree = ast.parse(source)
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Try)]
    assert f'dag_id="{file.stem}"' in source
    assert ast.get_docstring(tree)


def test_a_person_at_night_finds_what_to_do(any_dag: DAG) -> None:
    assert any_dag.doc_md
    chinese, english = any_dag.doc_md.split("\n---\n")
    for part in ("**失败时**", "**影响**", "**手动触发**"):
        assert part in chinese
    for part in ("**When it fails**", "**Who is hurt**", "**By hand**"):
        assert part in english
    hurt = DAGS[any_dag.dag_id].hurt
    assert f"**影响**：{hurt.zh}\n" in chinese, "what an alert says of it"
    assert f"**Who is hurt**: {hurt.en}\n" in english
    assert any_dag.description == DAGS[any_dag.dag_id].about.zh


def test_staff_read_chinese_names(any_dag: DAG) -> None:
    assert any_dag.dag_display_name == DAGS[any_dag.dag_id].name.zh
    assert any_dag.doc_md
    assert any_dag.doc_md.startswith(f"### {any_dag.dag_display_name} · ")
    for task in any_dag.tasks:
        assert re.fullmatch("[\u4e00-\u9fff]+", task.task_display_name), task.task_id
    for group in (one for one in any_dag.task_group.children.values() if isinstance(one, TaskGroup)):
        assert re.fullmatch("[\u4e00-\u9fff]+", group.label or ""), group.group_id


def test_the_names_follow_the_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XIAOE_LANGUAGE", "en")
    assert dag_name("xiaoe_orders_rescan") == "15-day rescan"
    assert dag_description("xiaoe_orders_rescan") == "Changes of recent orders"
    assert dag_defaults("orders", params={}, overdue_after=timedelta(hours=1))["tags"] == ["xiaoe", "orders"]
    assert named("merge") == {"task_id": "merge", "task_display_name": "merge"}


def test_every_task_that_has_a_name_is_there(bag: DagBag) -> None:
    found = {task.task_id.rpartition(".")[2] for dag in bag.dags.values() for task in dag.tasks}
    assert found == TASKS.keys()
    assert bag.dags.keys() == DAGS.keys()


def test_every_dag_is_tagged_and_owned(any_dag: DAG) -> None:
    _, subject, *_ = any_dag.dag_id.split("_")
    assert {TAGS["xiaoe"].zh, TAGS[subject].zh} <= set(any_dag.tags)
    assert any_dag.owner == "xiaoe"


def test_no_dag_runs_for_ever_or_more_often_than_meant(any_dag: DAG) -> None:
    assert any_dag.dagrun_timeout
    assert timedelta(0) < any_dag.dagrun_timeout <= timedelta(days=1)
    assert 1 <= any_dag.max_active_runs <= 2
    for task in any_dag.tasks:
        assert task.execution_timeout
        assert timedelta(0) < task.execution_timeout <= any_dag.dagrun_timeout


def test_every_task_is_retried_by_policy_and_bounded_by_the_pool(any_dag: DAG) -> None:
    for task in any_dag.tasks:
        assert task.retries >= 2
        assert task.retry_delay > timedelta(0)
        assert isinstance(task.retry_policy, ExceptionRetryPolicy)
        # What does not call the API does not wait for those that do.
        is_local = any_dag.dag_id.startswith(WITHOUT_API) or task.task_id in CHECKS_WITHOUT_API
        assert task.pool == ("default_pool" if is_local else "xiaoe_api")
        assert task.owner == "xiaoe"
        assert task.doc_md


def test_staff_hear_of_every_run_that_is_late(any_dag: DAG) -> None:
    [alert] = any_dag.deadline
    assert alert.reference == RunQueued(), "a run of the past is not late by its date"
    assert alert.interval == LATE_AFTER[any_dag.dag_id]
    assert alert.interval < any_dag.dagrun_timeout, "a run that is ended for its length fails no task"
    assert isinstance(alert.callback, AsyncCallback)
    assert pkgutil.resolve_name(alert.callback.path) is callbacks.run_late, "the triggerer finds it by name"


def test_where_alerts_are_off_dags_have_no_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """`make sync` is such a place: with a deadline, `dag.test()` of Airflow 3.3.2 breaks when a run succeeds."""
    monkeypatch.setenv("XIAOE_ALERTS", "off")
    assert dag_defaults("orders", params={}, overdue_after=timedelta(hours=1))["deadline"] is None


def test_staff_hear_of_every_task_that_fails_and_when_that_is_over(any_dag: DAG) -> None:
    assert any_dag.on_success_callback is callbacks.run_succeeded
    for task in any_dag.tasks:
        assert list(task.on_failure_callback) == [callbacks.task_failed]
        assert list(task.on_success_callback) == [callbacks.task_succeeded]


def test_no_task_uses_the_mail_settings_that_airflow_3_dropped(any_dag: DAG) -> None:
    assert not any(getattr(task, name, None) for task in any_dag.tasks for name in ("email", "sla"))
    assert not {"email", "email_on_failure", "email_on_retry", "sla"} & set(any_dag.default_args)


@pytest.mark.parametrize("file", DAG_FILES, ids=lambda file: file.stem)
def test_catchup_and_limits_are_chosen_and_not_inherited(file: Path) -> None:
    [call] = [
        node
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "DAG"
    ]
    chosen = {keyword.arg for keyword in call.keywords}
    assert {"dag_id", "schedule", "start_date", "catchup", "max_active_runs", "dagrun_timeout", "doc_md"} <= chosen


def test_only_the_history_catches_up(any_dag: DAG) -> None:
    assert any_dag.catchup == (any_dag.dag_id == "xiaoe_orders_history")


def test_the_form_offers_a_window_where_there_is_one_and_needs_none(dag: DAG) -> None:
    window = {} if dag.dag_id in WITHOUT_WINDOW else {"from": None, "to": None}
    assert {name: dag.params[name] for name in dag.params} == {**window, "accept_missing": False}
    for name in dag.params:
        about = dag.params.get_param(name)
        assert about.schema["format"] == "date-time" if name in window else about.value is False


def test_a_form_reads_chinese_first_and_requires_nothing(any_dag: DAG) -> None:
    for name in any_dag.params:
        about = any_dag.params.get_param(name)
        assert "null" in about.schema["type"], "without it the form marks the field as required"
        assert re.match("[\u4e00-\u9fff]", about.schema["title"])
        assert about.schema["title"].endswith(f" {name}"), "the name on the command line"
        assert re.match("[\u4e00-\u9fff]", about.description or "")
        about.resolve()


def test_a_form_takes_what_a_date_picker_sends_and_what_a_person_types(bag: DagBag) -> None:
    begin = bag.dags["xiaoe_orders_rescan"].params.get_param("from")
    for value in ("2026-10-31T16:00:00.000Z", "2026-11-01T00:00:00+08:00", "2026-11-01", "2026-11-01 00:00"):
        assert parse_time("from", begin.resolve(value)).isoformat() == "2026-11-01T00:00:00+08:00"
    with pytest.raises(ParamValidationError):
        begin.resolve(20261101)


def test_the_command_line_knows_every_dag() -> None:
    assert sorted(SYNC_DAGS.values()) == sorted([*DAG_IDS, "xiaoe_benefits", "xiaoe_quality", "xiaoe_marts"])


# --- schedules -----------------------------------------------------------------------------------------


def first_intervals(dag: DAG, number: int) -> list[DataInterval]:
    """What the scheduler makes of the timetable, after the way through the database."""
    stored: Any = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    found: list[DataInterval] = []
    for _ in range(number):
        last = found[-1] if found else None
        info = stored.timetable.next_dagrun_info(
            last_automated_data_interval=last, restriction=TimeRestriction(stored.start_date, None, True)
        )
        found.append(info.data_interval)
    return found


@pytest.mark.parametrize(
    ("dag_id", "width"),
    [
        *((name, width) for name, (_, width) in CRONS.items()),
        ("xiaoe_orders_history", timedelta(days=7)),
    ],
)
def test_each_run_has_an_interval_and_they_meet(bag: DagBag, dag_id: str, width: timedelta) -> None:
    """A bare cron string would give intervals of no width."""
    intervals = first_intervals(bag.dags[dag_id], 4)
    assert [interval.end - interval.start for interval in intervals] == [width] * 4
    assert all(intervals[place].end == intervals[place + 1].start for place in range(3))


@pytest.mark.parametrize("dag_id", CRONS)
def test_each_dag_has_the_schedule_that_is_documented(bag: DagBag, dag_id: str) -> None:
    dag = bag.dags[dag_id]
    assert isinstance(dag.timetable, CronDataIntervalTimetable)
    assert dag.timetable.expression == CRONS[dag_id][0]
    assert dag.max_active_runs == 1, "two runs at once would ask for the same"


def test_hints_wake_their_dag_and_an_hour_does_if_nobody_watches(bag: DagBag) -> None:
    stored: Any = DagSerialization.from_dict(DagSerialization.to_dict(bag.dags["xiaoe_orders_hinted"]))
    [(queue, _)] = stored.timetable.asset_condition.iter_assets()
    assert queue.name == "xiaoe_change_hints"
    info = stored.timetable.next_dagrun_info_v2(
        last_dagrun_info=None, restriction=TimeRestriction(stored.start_date, None, True)
    )
    assert info.run_after.minute == 40


def test_without_a_source_of_hints_nothing_of_them_runs(clean_environment: pytest.MonkeyPatch) -> None:
    bag = DagBag(str(ROOT / "dags"))
    assert [bag.dags[dag_id].schedule for dag_id in ("xiaoe_orders_changed", "xiaoe_orders_hinted")] == [None, None]
    clean_environment.setenv("XIAOE_HINTS", "push")
    bag = DagBag(str(ROOT / "dags"))
    assert bag.dags["xiaoe_orders_changed"].schedule is None
    assert bag.dags["xiaoe_orders_hinted"].schedule is not None


@pytest.mark.parametrize(("hours", "cron"), [("1", "0 * * * *"), ("6", "0 */6 * * *"), ("24", "0 0 * * *")])
def test_the_rescan_may_be_rarer(clean_environment: pytest.MonkeyPatch, hours: str, cron: str) -> None:
    clean_environment.setenv("XIAOE_RESCAN_HOURS", hours)
    [dag] = DagBag(str(ROOT / "dags" / "xiaoe_orders_rescan.py")).dags.values()
    assert dag.timetable.expression == cron


def test_history_begins_where_the_setting_says_in_beijing(bag: DagBag) -> None:
    [first] = first_intervals(bag.dags["xiaoe_orders_history"], 1)
    assert first.start == settings.history_start()
    assert first.start.astimezone(BEIJING).isoformat() == "2025-01-01T00:00:00+08:00"


def test_timetables_have_intervals_and_crons_are_in_beijing_time(dag: DAG) -> None:
    is_by_hint = dag.dag_id == "xiaoe_orders_hinted"
    assert is_by_hint or isinstance(dag.timetable, CronDataIntervalTimetable | DeltaDataIntervalTimetable)
    if isinstance(dag.timetable, CronDataIntervalTimetable):
        assert str(dag.timetable.timezone) == "Asia/Shanghai"
    assert dag.start_date
    assert str(dag.timezone) == "Asia/Shanghai"


# --- benefits ------------------------------------------------------------------------------------------


def test_decisions_are_made_on_every_change_and_every_hour(bag: DagBag) -> None:
    """The hour is for the day on which no sync gets through: then orders wait, and somebody has to hear of it."""
    stored: Any = DagSerialization.from_dict(DagSerialization.to_dict(bag.dags["xiaoe_benefits"]))
    assets = {key.name for key, _ in stored.timetable.asset_condition.iter_assets()}
    assert assets == {"xiaoe_orders", "xiaoe_refunds", "xiaoe_benefit_answers"}
    info = stored.timetable.next_dagrun_info_v2(
        last_dagrun_info=None, restriction=TimeRestriction(stored.start_date, None, True)
    )
    assert info.run_after.minute == 45


@pytest.mark.parametrize(
    ("dag_id", "hour", "minute"),
    [("xiaoe_daily_report", 8, 30), ("xiaoe_benefits_report", 9, 0), ("xiaoe_benefits_review", 9, 30)],
)
def test_staff_hear_every_morning(bag: DagBag, dag_id: str, hour: int, minute: int) -> None:
    first, second = first_intervals(bag.dags[dag_id], 2)
    assert first.end == second.start == first.start + timedelta(days=1)
    begin = first.end.astimezone(BEIJING)
    assert (begin.hour, begin.minute) == (hour, minute)


def test_decide_and_report_run_once_for_each_shop(bag: DagBag) -> None:
    for dag_id, edges in (
        ("xiaoe_benefits", {"shop.decide": set(), "shop.notify": {"shop.decide"}}),
        ("xiaoe_benefits_report", {"shop.export": set(), "shop.mail": {"shop.export"}, "shop.chat": {"shop.export"}}),
    ):
        group: Any = bag.dags[dag_id].task_group.children["shop"]
        assert group._expand_input.value == {"xiaoe_conn_id": SHOPS}
        assert {task.task_id: task.upstream_task_ids for task in bag.dags[dag_id].tasks} == edges


def test_a_question_waits_for_a_person_and_is_over_before_the_next_day(bag: DagBag) -> None:
    dag = bag.dags["xiaoe_benefits_review"]
    ask, answer = dag.get_task("order.ask"), dag.get_task("order.answer")
    assert (ask.options, ask.defaults, ask.multiple) == (["发放福利", "不发放福利", "稍后再定"], ["稍后再定"], False)
    assert ask.map_index_template == "{{ task.subject }}", "else a list of questions shows numbers"
    assert ask.execution_timeout + ask.response_timeout < dag.dagrun_timeout < timedelta(days=1)
    assert "order.ask" in answer.upstream_task_ids
    assert [asset.name for asset in answer.outlets] == ["xiaoe_benefit_answers"]


@pytest.mark.parametrize("word", ["发放福利", "不发放福利", "稍后再定", "发放", "取消", "稍后"])
def test_a_question_asked_before_an_update_may_be_answered_after_it(bag: DagBag, word: str) -> None:
    """Airflow holds an answer against the options that the task has now."""
    ask = bag.dags["xiaoe_benefits_review"].get_task("order.ask")
    ask.validate_chosen_options([word])
    with pytest.raises(ValueError, match="好"):
        ask.validate_chosen_options(["好"])


def test_what_a_customer_wrote_is_not_run_as_a_template(bag: DagBag) -> None:
    """Airflow renders subject and body of a question; what comes from another task is not rendered again."""
    ask = copy.copy(bag.dags["xiaoe_benefits_review"].get_task("order.ask"))
    said = {"subject": "{{ 7*7 }}", "body": "{{ 7*7 }} {% raw %}"}
    for name in said:
        handed_over = copy.copy(getattr(ask, name))
        handed_over._input = SimpleNamespace(resolve=lambda _: (said, set()), iter_references=lambda: [])
        setattr(ask, name, handed_over)
    ask.render_template_fields({})
    assert (ask.subject, ask.body) == (said["subject"], said["body"])


# --- the morning report --------------------------------------------------------------------------------


def test_the_morning_report_is_worked_out_once_and_each_channel_sends_by_itself(bag: DagBag) -> None:
    tasks = bag.dags["xiaoe_daily_report"].tasks
    assert {task.task_id: task.upstream_task_ids for task in tasks} == {
        "prepare": set(),
        "mail": {"prepare"},
        "chat": {"prepare"},
    }
    prepare: Any = bag.dags["xiaoe_daily_report"].get_task("prepare")
    assert prepare.xiaoe_conn_ids == SHOPS


# --- backup and maintenance ----------------------------------------------------------------------------


@pytest.mark.parametrize(("dag_id", "hour", "minute"), [("xiaoe_backup", 4, 0), ("xiaoe_maintenance", 5, 30)])
def test_nightly_work_is_done_before_the_day_begins(bag: DagBag, dag_id: str, hour: int, minute: int) -> None:
    first, second = first_intervals(bag.dags[dag_id], 2)
    assert first.end == second.start == first.start + timedelta(days=1)
    begin = first.end.astimezone(BEIJING)
    assert (begin.hour, begin.minute) == (hour, minute)


def test_a_step_that_fails_holds_up_no_other(bag: DagBag) -> None:
    assert {task.task_id: task.upstream_task_ids for task in bag.dags["xiaoe_backup"].tasks} == {
        "dump": set(),
        "retention": {"dump"},
        "drill": {"dump"},
    }
    maintenance = bag.dags["xiaoe_maintenance"]
    assert len(maintenance.tasks) == 9
    assert all(not task.upstream_task_ids for task in maintenance.tasks)


# --- quality -------------------------------------------------------------------------------------------


def test_the_data_is_checked_every_hour_once_for_each_shop(bag: DagBag) -> None:
    dag = bag.dags["xiaoe_quality"]
    first, second = first_intervals(dag, 2)
    assert first.end == second.start == first.start + timedelta(hours=1)
    assert first.end.minute == 50
    group: Any = dag.task_group.children["shop"]
    assert group._expand_input.value == {"xiaoe_conn_id": SHOPS}
    assert {task.task_id for task in dag.tasks} == {*CHECKS_WITHOUT_API, "shop.day_totals"}
    assert all(not task.upstream_task_ids for task in dag.tasks), "no check holds up another"


def test_each_sync_has_a_time_within_which_it_is_fresh(bag: DagBag) -> None:
    fresh_within = bag.dags["xiaoe_quality"].get_task("shop.queries").fresh_within
    due = {what: CRONS.get(dag_id, ("", timedelta(days=7)))[1] for dag_id in SYNCS for what in SYNCS[dag_id].values()}
    due |= {("orders", "late"): timedelta(hours=1), ("benefits", "decide"): timedelta(hours=1)}
    due |= {("marts", "refresh"): timedelta(hours=1)}
    due = {what: interval for what, interval in due.items() if what not in OFF}
    assert fresh_within.keys() == due.keys()
    for what, interval in due.items():
        assert interval < fresh_within[what] <= max(2 * interval, timedelta(hours=30))


# --- the check of a shop -------------------------------------------------------------------------------


def test_a_shop_is_checked_by_hand_only_and_each_by_itself(bag: DagBag) -> None:
    dag = bag.dags["xiaoe_shop_check"]
    assert dag.schedule is None
    group: Any = dag.task_group.children["shop"]
    assert group._expand_input.value == {"xiaoe_conn_id": SHOPS}
    assert [task.task_id for task in dag.tasks] == ["shop.check"]


# --- shops ---------------------------------------------------------------------------------------------


def test_stage_and_merge_run_once_for_each_shop(dag: DAG) -> None:
    """Mapped: the failure of one shop's task leaves the tasks of the others alone."""
    groups: Any = dag.task_group.children
    assert groups.keys() == SYNCS[dag.dag_id].keys()
    for name, what in SYNCS[dag.dag_id].items():
        assert groups[name]._expand_input.value == {"xiaoe_conn_id": SHOPS}
        stage, merge = dag.get_task(f"{name}.stage"), dag.get_task(f"{name}.merge")
        assert isinstance(stage, XiaoeStageOperator)
        assert isinstance(merge, XiaoeMergeOperator)
        assert stage.upstream_task_ids == set(), "shops and resources wait for nobody"
        assert merge.upstream_task_ids == {f"{name}.stage"}
        assert (stage.resource, stage.mode) == (merge.resource, merge.mode) == what
        assert stage.named_by is None
        assert [asset.name for asset in merge.outlets] == [f"xiaoe_{what[0]}"]
        assert [asset.name for asset in (*stage.inlets, *stage.outlets, *merge.inlets)] == [
            f"xiaoe_api_{what[0]}", f"xiaoe_pages_{what[0]}", f"xiaoe_pages_{what[0]}"
        ]  # fmt: skip


def test_orders_that_after_sales_name_are_looked_up_behind_their_merge(bag: DagBag) -> None:
    dag = bag.dags["xiaoe_refunds"]
    stage, merge = dag.get_task("shop.stage_orders"), dag.get_task("shop.merge_orders")
    assert isinstance(stage, XiaoeStageOperator)
    assert isinstance(merge, XiaoeMergeOperator)
    assert (stage.resource, stage.mode) == (merge.resource, merge.mode) == ("orders", "late")
    assert "shop.merge" in stage.upstream_task_ids
    assert merge.upstream_task_ids == {"shop.stage_orders"}
    assert stage.named_by.operator.task_id == "shop.stage"
    assert [asset.name for asset in merge.outlets] == ["xiaoe_orders"]
    assert len(dag.tasks) == 4


@pytest.mark.parametrize("dag_id", EACH)
def test_lists_of_each_parent_are_read_behind_the_merge_of_the_parents(bag: DagBag, dag_id: str) -> None:
    dag = bag.dags[dag_id]
    [(group, what)] = SYNCS[dag_id].items()
    first, stage, merge = (dag.get_task(f"{group}.{name}") for name in ("stage", "stage_each", "merge_each"))
    assert isinstance(first, XiaoeStageOperator)
    assert isinstance(stage, XiaoeStageOperator)
    assert isinstance(merge, XiaoeMergeOperator)
    assert (stage.resource, stage.mode) == (merge.resource, merge.mode) == (EACH[dag_id], "incremental")
    assert (first.takes_window, stage.takes_window) == (False, True), what
    assert f"{group}.merge" in stage.upstream_task_ids
    assert merge.upstream_task_ids == {f"{group}.stage_each"}
    assert [asset.name for asset in merge.outlets] == [f"xiaoe_{EACH[dag_id]}"]
    assert len(dag.tasks) == 4


def test_orders_are_asked_for_their_promoters_where_order_list_2_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XIAOE_CONN_IDS", ",".join(SHOPS))
    monkeypatch.setenv("XIAOE_MORE_LISTS", "promoters")
    for hints, groups in (("list", set()), ("push", {"order_promoters"})):
        monkeypatch.setenv("XIAOE_HINTS", hints)
        dag = DagBag(str(ROOT / "dags" / "xiaoe_promoters.py")).dags["xiaoe_promoters"]
        assert {task.task_id.partition(".")[0] for task in dag.tasks} - {"promoters"} == groups
    stage = dag.get_task("order_promoters.stage")
    assert isinstance(stage, XiaoeStageOperator)
    assert (stage.resource, stage.mode) == ("order_promoters", "incremental")
    assert stage.upstream_task_ids == set()


def test_no_other_dag_looks_orders_up(bag: DagBag) -> None:
    for dag_id, groups in SYNCS.items():
        if dag_id != "xiaoe_refunds" and dag_id not in EACH:
            assert {task.task_id for task in bag.dags[dag_id].tasks} == {
                f"{name}.{task}" for name in groups for task in ("stage", "merge")
            }


def test_every_dag_can_be_stored_for_the_scheduler(any_dag: DAG) -> None:
    stored: Any = DagSerialization.from_dict(DagSerialization.to_dict(any_dag))
    assert [task.task_id for task in stored.tasks] == [task.task_id for task in any_dag.tasks]


# --- retries -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "action", "delay"),
    [
        (exceptions.XiaoeConfigError("x"), RetryAction.FAIL, None),
        (exceptions.XiaoeReconciliationError("x"), RetryAction.FAIL, None),
        (exceptions.XiaoeQualityError("x"), RetryAction.FAIL, None),
        (exceptions.XiaoeQuotaError("x"), RetryAction.RETRY, timedelta(minutes=5)),
        (exceptions.XiaoeIncompleteError("x"), RetryAction.RETRY, timedelta(minutes=5)),
        (exceptions.XiaoeNetworkError("x"), RetryAction.RETRY, timedelta(minutes=1)),
        (exceptions.XiaoeBusyError("x"), RetryAction.RETRY, timedelta(minutes=1)),
        (exceptions.XiaoeRetriableError("x"), RetryAction.RETRY, timedelta(minutes=1)),
        (MySQLdb.OperationalError(2006, "gone away"), RetryAction.RETRY, timedelta(minutes=1)),
        (RuntimeError("x"), RetryAction.DEFAULT, None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_each_error_is_retried_or_not_as_it_says(
    dag: DAG, error: Exception, action: RetryAction, delay: timedelta | None
) -> None:
    [policy, *others] = [task.retry_policy for task in dag.tasks]
    assert all(other == policy for other in others)
    decision = policy.evaluate(error, try_number=1, max_tries=3)
    assert (decision.action, decision.retry_delay) == (action, delay)
    again = type(policy).deserialize(policy.serialize()).evaluate(error, try_number=1, max_tries=3)
    assert (again.action, again.retry_delay) == (action, delay)


# --- the merge statements ------------------------------------------------------------------------------


@pytest.mark.parametrize("resource", RESOURCES.values(), ids=list(RESOURCES))
def test_the_merge_writes_every_column_that_is_typed(resource: Any) -> None:
    sql = merge_sql(resource.name)
    inserts = re.findall(rf"INSERT INTO {resource.table} \(([^)]*)\)", sql)
    assert len(inserts) == 1
    columns = [name.strip() for name in inserts[0].split(",")]
    assert columns[0] == "shop_id"
    assert sorted(columns) == sorted({"shop_id", *resource.reader.columns, *BOOKKEEPING})
    updates = re.findall(r"^\s+(\w+) = (?:IF|GREATEST)\(s\.observed_at", sql, re.MULTILINE)
    assert set(columns) - set(updates) == {"shop_id", resource.key}
    assert updates[-1] == "observed_at", "the condition of every other column reads it"


# --- dependencies --------------------------------------------------------------------------------------


def imports(file: Path, *, also_lazy: bool = True) -> set[str]:
    """Modules a file imports, on wish also inside functions, but not those for type checking only."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not also_lazy:
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(file.read_text("utf-8")))
    return found


MODULES = {
    f"xiaoe.{'.'.join(file.relative_to(PACKAGE).with_suffix('').parts)}": file
    for file in PACKAGE.rglob("*.py")
    if file.name != "__init__.py"
}


@pytest.mark.parametrize(
    "name",
    [
        *(name for name in MODULES if name.startswith("xiaoe.rows.")),
        "xiaoe.storage.manifest",
        "xiaoe.storage.pages",
        "xiaoe.stage.paging",
    ],
)
def test_rows_pages_and_paging_know_neither_airflow_nor_http(name: str) -> None:
    strange = {"airflow", "requests", "urllib3", "tenacity"}
    assert not strange & {module.split(".")[0] for module in imports(MODULES[name])}


def test_windows_are_pure() -> None:
    """No clock, no database, no files; `clock` is the one place that asks what time it is."""
    assert {module.split(".")[0] for module in imports(MODULES["xiaoe.windows"])} <= {
        "__future__",
        "dataclasses",
        "datetime",
        "xiaoe",
    }
    for name, file in MODULES.items():
        if name != "xiaoe.clock":
            assert not re.search(r"datetime\.(now|utcnow|today)\(|time\.time\(", file.read_text("utf-8")), name


FLOORS: list[set[str]] = [
    {"exceptions", "provider_info", "texts"},
    {"clock", "connections", "vocabulary"},
    {"settings", "windows", "coverage"},
    {"lineage"},
    {"shop_operator"},
    {"rows"},
    {"storage"},
    {"mysql"},
    {"resources", "maintenance", "backup", "notify", "hints"},
    {"api", "merge", "exports"},
    {"stage", "marts", "benefits", "quality", "alerts", "csv_import", "shop_check", "push"},
    {"targets", "login", "objectives"},
    {"sync", "reports"},
    {"monitor"},
    {"tasks", "hook", "operators"},
    {"cli"},
]
"""Rooms of the package, the ground floor first: a room imports from the floors below its own only."""


def room(module: str) -> str:
    return module.split(".")[1]


def test_every_room_stands_on_the_floors_below_it() -> None:
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    assert {room(name) for name in MODULES} == floor.keys()
    wrong = [
        f"{name} imports {used}"
        for name, file in MODULES.items()
        for used in imports(file) & MODULES.keys()
        if room(used) != room(name) and floor[room(used)] >= floor[room(name)]
    ]
    assert wrong == []


def test_no_module_imports_one_that_builds_on_it() -> None:
    graph = {name: imports(file) & MODULES.keys() for name, file in MODULES.items()}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError
    assert {name for name, used in graph.items() if "xiaoe.sync.operators" in used} <= {
        "xiaoe.operators",
        "xiaoe.tasks.sync",
    }


GENERIC = {"rows", "storage", "mysql", "api", "merge", "stage", "sync"}
"""Rooms that serve every resource alike."""


@pytest.mark.parametrize("name", [name for name in MODULES if room(name) in GENERIC])
def test_no_room_that_serves_every_resource_names_one(name: str) -> None:
    """In code; a docstring may give an example. What differs, `Resource` declares."""
    tree = ast.parse(MODULES[name].read_text("utf-8"))
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    assert not texts & RESOURCES.keys()
    sql = [text for text in texts if re.search(r"\b(SELECT|UPDATE|INSERT|DELETE)\b", text)]
    named = [text for text in sql if re.search(rf"\b(FROM|JOIN|INTO|UPDATE) ({'|'.join(RESOURCES)})\b", text)]
    assert name in NAMES_ORDERS or named == []


NAMES_ORDERS = {"xiaoe.stage.lookup", "xiaoe.stage.hinted", "xiaoe.merge.unconfirmed"}
"""Orders that after-sales or hints name, and orders from files: about orders by nature."""


def test_parsing_a_dag_file_loads_neither_the_database_driver_nor_http_nor_numpy() -> None:
    """It happens every half minute, for each file."""
    loaded: set[str] = set()
    waiting = [name for name in MODULES if room(name) == "tasks" and name != "xiaoe.tasks.quality"]
    while waiting:
        name = waiting.pop()
        loaded.add(name)
        if name in MODULES:
            waiting.extend(imports(MODULES[name], also_lazy=False) - loaded)
    assert "xiaoe.sync.operators" in loaded
    assert not {"MySQLdb", "requests", "numpy", "sqlparse"} & {module.split(".")[0] for module in loaded}
    assert not any(module.startswith("airflow.providers") for module in loaded)


@pytest.mark.parametrize("file", DAG_FILES, ids=lambda file: file.stem)
def test_dag_files_touch_the_package_at_its_surface_only(file: Path) -> None:
    ours = {module for module in imports(file) if module in MODULES}
    tasks = {module for module in ours if module.startswith("xiaoe.tasks.")}
    assert ours - tasks <= {"xiaoe.settings", "xiaoe.windows"}
    assert len(tasks - {"xiaoe.tasks.assets", "xiaoe.tasks.defaults", "xiaoe.tasks.sync"}) <= 1
