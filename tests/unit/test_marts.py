"""What a refresh works out in one go, when it runs: without a database."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import TimeRestriction

from xiaoe.exports.tables import heading
from xiaoe.marts.ranges import Entry, first_range, month_of, next_month, week_of

ROOT = Path(__file__).parents[2]
MAY = date(2026, 5, 1)


def entries(*days: int) -> list[Entry]:
    return [Entry(number, "sales", MAY + timedelta(days=day)) for number, day in enumerate(days)]


@pytest.mark.parametrize(
    ("queued", "taken"),
    [
        ((), ()),
        ((3,), (3,)),
        ((0, 0, 6, 7), (0, 0, 6)),
        ((0, 40), (0,)),
        ((0, 1, 2, 3, 4, 5, 6, 7, 8), tuple(range(7))),
    ],
)
def test_a_range_is_as_long_as_it_may_be(queued: tuple[int, ...], taken: tuple[int, ...]) -> None:
    found = first_range(entries(*queued), 7)
    assert [(one.day - MAY).days for one in found] == list(taken)


def test_days_of_which_only_the_sales_changed_are_a_separate_range() -> None:
    queued = [
        Entry(number, kind, MAY + timedelta(days=day))
        for number, (day, kind) in enumerate([(0, "sales"), (1, "sales"), (2, "sales"), (2, "buyers"), (3, "buyers")])
    ]
    assert first_range(queued, 7) == queued[:2]
    assert first_range(queued[2:], 7) == queued[2:]
    assert first_range([*queued[4:], Entry(9, "sales", MAY + timedelta(days=4))], 7) == queued[4:]


def test_months_and_weeks() -> None:
    assert month_of(date(2026, 2, 28)) == date(2026, 2, 1)
    assert [next_month(date(2026, month, 1)).month for month in range(1, 13)] == [*range(2, 13), 1]
    assert next_month(date(2026, 12, 1)) == date(2027, 1, 1)
    assert week_of(date(2026, 3, 1)) == date(2026, 2, 23)
    assert week_of(date(2026, 3, 2)) == date(2026, 3, 2)


@pytest.mark.parametrize(
    ("comment", "short"),
    [
        ("店铺ID（app_id）", "店铺ID"),
        ("商品类型；未知代码为空", "商品类型"),
        ("订单状态代码（原始值）", "订单状态代码"),
        ("退款金额（元，接口为分）", "退款金额（元）"),
        ("下单时间（北京时间）", "下单时间"),
        ("来源渠道，如 微信", "来源渠道"),
        ("退款订单数（按退款日）", "退款订单数（按退款日）"),
        ("净收入（按支付日，元）", "净收入（按支付日）"),
    ],
)
def test_headings_are_comments_without_what_explains_them(comment: str, short: str) -> None:
    assert heading(comment) == short


def test_marts_follow_every_change_and_the_clock() -> None:
    """Curves and coverage grow with the day, also when nothing comes in."""
    dag = DagBag(str(ROOT / "dags" / "xiaoe_marts.py")).dags["xiaoe_marts"]
    stored: Any = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    assets = {key.name for key, _ in stored.timetable.asset_condition.iter_assets()}
    made_from = ("orders", "users", "benefits", "live_viewers", "learning_progress")
    assert assets == {f"xiaoe_{name}" for name in made_from}, "what tables are made from; views need no run"
    info = stored.timetable.next_dagrun_info_v2(
        last_dagrun_info=None, restriction=TimeRestriction(stored.start_date, None, True)
    )
    assert info.run_after.minute == 50
    [refresh] = dag.tasks
    assert (refresh.task_id, refresh.pool, dag.max_active_runs) == ("refresh", "default_pool", 1)
    assert dict(dag.params) == {"rebuild": False}
