"""The files for staff: the decisions of a day as CSV and xlsx."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import pandas as pd

from xiaoe.benefits.names import LATER, NAMES, OPTIONS, TAKEN_BACK
from xiaoe.clock import midnight, utc_text
from xiaoe.exports.sheets import SheetColumn, SheetTable
from xiaoe.mysql.session import Session

ANSWER, CHECK = "答复", "核对码（请勿改动）"
"""Columns of the sheet 人工复核 that `make import-reviews` reads: the answer, and the order's `basis`."""
TEXT_WIDTHS = {
    "店铺ID": 22, "订单ID": 34, "判定": 10, "原因": 26, "原判定": 10, "用户ID": 30, "昵称": 18, "手机号": 16,
    "商品": 36, ANSWER: 14, CHECK: 36,
}  # fmt: skip
TIME_WIDTH, MONEY_WIDTH = 20, 14
HEADERS = (
    "店铺ID", "订单ID", "判定", "原因", "原判定", "截止时间", "判定时间", "用户ID", "昵称", "手机号", "商品",
    "实付金额（元）", "退款金额（元）", "下单时间", "支付时间", "退款时间",
)  # fmt: skip
REVIEW_HEADERS = (
    ANSWER, "订单ID", "商品", "实付金额（元）", "退款金额（元）", "原因", "截止时间", "原判定", "下单时间", "支付时间",
    "退款时间", "用户ID", "昵称", "手机号", "店铺ID", CHECK,
)  # fmt: skip
MONEY = ("实付金额（元）", "退款金额（元）")
TIMES = ("截止时间", "判定时间", "下单时间", "支付时间", "退款时间")
FEW_VALUES = ("店铺ID", "判定", "原因", "原判定", "商品")
"""Columns whose values repeat: stored as categories."""

_CHUNK = 5_000
_ROWS = """
    SELECT
        l.shop_id, l.order_id, l.new_decision, l.reason, l.old_decision, d.deadline_at,
        l.decided_at + INTERVAL 8 HOUR, o.user_id, u.nickname, COALESCE(NULLIF(u.phone, ''), u.collect_phone), o.title,
        o.price, o.refund_money, o.created_time, o.pay_time, o.refund_time, d.basis, d.reason
    FROM benefit_decision_log AS l
    LEFT JOIN benefit_decisions AS d ON l.shop_id = d.shop_id AND l.order_id = d.order_id
    LEFT JOIN orders AS o ON l.shop_id = o.shop_id AND l.order_id = o.order_id
    LEFT JOIN users AS u ON o.shop_id = u.shop_id AND o.user_id = u.user_id
    WHERE l.id IN %s ORDER BY l.id
"""


# --- the decisions of a day ----------------------------------------------------------------------------


def decisions_of_day(session: Session, shop_id: str, day: date, taken_back: Collection[str]) -> pd.DataFrame:
    """Orders decided to grant or revoke on a Beijing day, by their decision at the end of the day.

    Args:
        session: The warehouse.
        shop_id: The shop.
        day: Beijing day.
        taken_back: Orders that lost a granted benefit on that day; a revoke of one of them reads 收回.

    Returns:
        The columns `HEADERS`, one row per order: 收回 first, then 取消, then 发放; each by time.
    """
    begin, end = day_utc(day)
    last = session.stream(
        "SELECT MAX(id) FROM benefit_decision_log WHERE shop_id = %s AND decided_at >= %s AND decided_at < %s"
        " GROUP BY order_id",
        (shop_id, begin, end),
    )
    frame = _rows_of_log(session, [log_id for batch in last for log_id in batch], current=False)[[*HEADERS]]
    grant, revoke = NAMES["grant"], NAMES["revoke"]
    frame["判定"] = frame["判定"].cat.set_categories([TAKEN_BACK, revoke, grant])  # all others become empty
    frame = frame[frame["判定"].notna()]
    frame.loc[(frame["判定"] == revoke) & frame["订单ID"].isin(taken_back), "判定"] = TAKEN_BACK
    return frame.sort_values("判定", key=lambda names: names.cat.codes, kind="stable", ignore_index=True)


def orders_in_review(session: Session, shop_id: str) -> pd.DataFrame:
    """Orders in review now, latest deadline first; the columns `REVIEW_HEADERS`, without answers."""
    last = session.stream(
        "SELECT MAX(l.id) FROM benefit_decisions AS d"
        " INNER JOIN benefit_decision_log AS l ON d.shop_id = l.shop_id AND d.order_id = l.order_id"
        " WHERE d.shop_id = %s AND d.decision = 'review' GROUP BY d.order_id",
        (shop_id,),
    )
    frame = _rows_of_log(session, [log_id for batch in last for log_id in batch], current=True)
    frame[ANSWER] = pd.Series([None] * len(frame), dtype="str")
    return frame[[*REVIEW_HEADERS]].sort_values(
        "截止时间", ascending=False, na_position="first", kind="stable", ignore_index=True
    )


def day_utc(day: date) -> tuple[str, str]:
    """Start of a Beijing day and of the next one, as bookkeeping columns store them (UTC)."""
    begin = midnight(day)
    return utc_text(begin), utc_text(begin + timedelta(days=1))


def _rows_of_log(session: Session, ids: list[int], *, current: bool) -> pd.DataFrame:
    """The orders of log entries, `HEADERS` and `CHECK`; the reason is the current one or the entry's."""
    ids.sort()
    frames = [_frame([], current=current)]
    frames += [
        _frame(session.query(_ROWS, (tuple(ids[start : start + _CHUNK]),)), current=current)
        for start in range(0, len(ids), _CHUNK)
    ]
    frame = pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]
    return frame.astype(dict.fromkeys(FEW_VALUES, "category"))


def _frame(rows: list[tuple[Any, ...]], *, current: bool) -> pd.DataFrame:
    names = (*HEADERS, CHECK)
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [()] * (len(names) + 1)
    *columns, reason_now = columns
    if current:
        columns[3] = reason_now
    columns[2], columns[4] = ([NAMES.get(name, name) for name in columns[place]] for place in (2, 4))
    kinds = {**dict.fromkeys(MONEY, "float64"), **dict.fromkeys(TIMES, "datetime64[s]")}
    return pd.DataFrame(
        {name: pd.Series(values, dtype=kinds.get(name, "str")) for name, values in zip(names, columns, strict=True)}
    )


def table(frame: pd.DataFrame) -> SheetTable:
    """A frame with some of the columns of the files, formatted for them."""
    columns = [
        SheetColumn(name, "time", TIME_WIDTH)
        if name in TIMES
        else SheetColumn(name, "money", MONEY_WIDTH)
        if name in MONEY
        else SheetColumn(name, "text", TEXT_WIDTHS[name], (*OPTIONS, LATER) if name == ANSWER else ())
        for name in frame.columns
    ]
    return SheetTable(columns, _values(frame))


def _values(frame: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    """The rows as plain Python values: text, float, datetime or None; converted in chunks."""
    for start in range(0, len(frame), _CHUNK):
        chunk = frame.iloc[start : start + _CHUNK].astype(object)
        yield from chunk.where(chunk.notna(), None).itertuples(index=False, name=None)
