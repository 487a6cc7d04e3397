"""The tables that staff may have as a file: which columns, under which headings, in words instead of codes.

Headings are the columns' comments without their explanations. Bookkeeping columns (hashes, batches) are left out, and
codes unless they are asked for: what they mean stands in the column with their text. Times are Beijing wall-clock,
amounts are yuan.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from xiaoe.exports.sheets import SheetColumn, SheetTable
from xiaoe.mysql.session import Session
from xiaoe.resources.registry import PERSONAL
from xiaoe.rows import codes

EIGHT_HOURS = timedelta(hours=8)


class Added(NamedTuple):
    """A column that a joined table brings.

    Args:
        after: Column of the table that it stands behind.
        heading: Its heading.
        sql: The expression.
        kind: See `SheetColumn`.
    """

    after: str
    heading: str
    sql: str
    kind: str = "text"


class Source(NamedTuple):
    """A table that can be exported.

    Args:
        title: Title of the file and the sheet.
        table: Table or view, `t` in the other fields.
        time: Column that FROM and TO filter; with `o.` one of the joined table.
        join: What is joined.
        added: Columns of the joined tables.
        order: In which the rows stand.
        in_words: Puts words for codes into a row of column → value.
    """

    title: str
    table: str
    time: str
    join: str = ""
    added: tuple[Added, ...] = ()
    order: str = "1, 2"
    in_words: Callable[[dict[str, Any]], dict[str, Any]] | None = None


_ORDER = "JOIN orders AS o ON o.shop_id = t.shop_id AND o.order_id = t.order_id"
_PRODUCT = "LEFT JOIN products AS p ON p.shop_id = t.shop_id AND p.resource_id = t.resource_id"
_CHANGES = {
    "order_state": "订单状态",
    "ship_state": "发货状态",
    "refund_money": "退款金额（元）",
    "refund_time": "退款时间",
    "settle_time": "结算时间",
}


def _change_in_words(row: dict[str, Any]) -> dict[str, Any]:
    """An entry of `order_state_log`, with texts for states; a state without a text stays a code."""
    field, words = row["field"], dict(row)
    words["field"] = _CHANGES.get(field, field)
    if field in ("order_state", "ship_state"):
        texts = codes.texts(field)
        for name in ("old_value", "new_value"):
            code = row[name]
            words[name] = texts.get(int(code), code) if code and code.lstrip("-").isdigit() else code
    return words


SOURCES = {
    "orders": Source("订单", "orders", "created_time"),
    "order_items": Source(
        "订单商品", "order_items", "o.created_time", f"INNER {_ORDER}",
        (
            Added("resource_type", "商品类型", "o.resource_type_text"),
            Added("amount", "订单状态", "o.order_state_text"),
            Added("amount", "下单时间", "o.created_time", "time"),
            Added("amount", "支付时间", "o.pay_time", "time"),
        ),
        "t.shop_id, t.order_id, t.line_no",
    ),
    "order_state_log": Source(
        "订单变化记录", "order_state_log", "observed_at",
        order="t.shop_id, t.order_id, t.id", in_words=_change_in_words,
    ),
    "refunds": Source("售后", "refunds", "created_at"),
    "users": Source("用户", "users", "registered_at"),
    "products": Source("商品", "products", "created_at"),
    "live_streams": Source("直播", "live_streams", "start_at"),
    "live_viewers": Source(
        "直播观众", "live_viewers", "l.start_at",
        "LEFT JOIN live_streams AS l ON l.shop_id = t.shop_id AND l.live_id = t.live_id",
        (Added("live_id", "直播标题", "l.title"), Added("live_id", "计划开始时间", "l.start_at", "time")),
        "t.shop_id, t.row_key",
    ),
    "learning_days": Source("每日学习", "learning_days", "day", order="t.shop_id, t.day, t.user_id"),
    "learning_progress": Source(
        "学习进度", "learning_progress", "last_learned_at", _PRODUCT,
        (Added("resource_id", "内容名称", "p.name"),), "t.shop_id, t.user_id, t.resource_id",
    ),
    "promoters": Source("推广员", "promoters", "observed_at"),
    "promoter_customers": Source(
        "推广客户", "promoter_customers", "bound_at", order="t.shop_id, t.promoter_id, t.customer_id"
    ),
    "order_promoters": Source(
        "订单推广员", "order_promoters", "o.created_time", f"LEFT {_ORDER}",
        (Added("order_id", "下单时间", "o.created_time", "time"), Added("order_id", "订单状态", "o.order_state_text")),
        "t.shop_id, t.order_id, t.promoter_id",
    ),
    "benefit_decisions": Source(
        "福利判定", "benefit_decisions", "deadline_at", f"LEFT {_ORDER}",
        (
            Added("order_id", "商品名称", "o.title"),
            Added("order_id", "实付金额（元）", "o.price", "money"),
        ),
    ),
    "daily_sales": Source("每日销售", "bi_sales_daily", "day"),
    "daily_products": Source(
        "每日商品销售", "mart_products_daily", "day", _PRODUCT,
        (Added("resource_id", "商品名称", "COALESCE(NULLIF(p.name, ''), t.resource_id)"),),
    ),
    "daily_buyers": Source("每日付款用户", "bi_buyers_daily", "day"),
    "customers": Source("客户分层", "mart_buyers", "last_day"),
}  # fmt: skip
_LEFT_OUT = (
    "id", "row_key", "row_hash", "raw_hash", "batch_id", "is_inferred", "basis", "policy_id", "decision", "avatar",
)  # fmt: skip
_OBSERVED = "observed_at"
"""Left out of every table but the log of changes, whose time it is."""
_KINDS = {"datetime": "time", "date": "day", "int": "count", "bigint": "count", "tinyint": "count"}
_WIDTHS = {"money": 14, "time": 20, "day": 12, "count": 12, "number": 12}
_EXPLAINED = re.compile("[；：]|，如|，从|（逗号|（接口|，接口|（原始值|（app_id|（北京|（UTC|，元）")
_CODE = re.compile("（原始值）|（接口原值）|^无法解析的列")
"""In the comment of a column that says something to developers only."""


@dataclass(frozen=True)
class Export:
    """What is exported.

    Args:
        name: A key of `SOURCES`.
        begin: Beijing, naive; None: no lower limit.
        end: Beijing, naive, exclusive; None: no upper limit.
        with_personal: With the columns that say who somebody is.
        with_codes: With the codes of the API beside their texts.
    """

    name: str
    begin: datetime | None = None
    end: datetime | None = None
    with_personal: bool = True
    with_codes: bool = False

    @property
    def source(self) -> Source:
        """The table."""
        return SOURCES[self.name]


class _Column(NamedTuple):
    """A column of the file: `name` is its key in a row, `sql` what is selected."""

    name: str
    sql: str
    shown: SheetColumn


def read_table(session: Session, export: Export) -> SheetTable:
    """The rows of an export, streamed from the server."""
    source = export.source
    found = session.query(
        "SELECT column_name, data_type, numeric_scale, column_comment FROM information_schema.columns"
        " WHERE table_schema = DATABASE() AND table_name = %s ORDER BY ordinal_position",
        (source.table,),
    )
    comments = {name: comment for name, _, _, comment in found}
    columns = list(_columns(export, found))
    condition, moments = _condition(export, is_utc=_is_utc(comments.get(source.time, "")))
    names = ", ".join(column.sql for column in columns)
    rows = session.rows(
        f"SELECT {names} FROM {source.table} AS t {source.join} WHERE {condition} ORDER BY {source.order}",  # noqa: S608 - names of the schema
        moments,
    )
    if source.in_words and not export.with_codes:
        rows = _in_words(rows, [column.name for column in columns], source.in_words)
    return SheetTable([column.shown for column in columns], rows)


def count_rows(session: Session, export: Export) -> int:
    """How many rows an export has."""
    source = export.source
    [(comment,)] = session.query(
        "SELECT COALESCE(MAX(column_comment), '') FROM information_schema.columns"
        " WHERE table_schema = DATABASE() AND table_name = %s AND column_name = %s",
        (source.table, source.time),
    )
    condition, moments = _condition(export, is_utc=_is_utc(comment))
    [(rows,)] = session.query(
        f"SELECT COUNT(*) FROM {source.table} AS t {source.join} WHERE {condition}",  # noqa: S608 - names of the schema
        moments,
    )
    return int(rows)


def _columns(export: Export, found: Iterable[tuple[str, str, int | None, str]]) -> Iterator[_Column]:
    source = export.source
    personal = () if export.with_personal else PERSONAL.get(source.table, ())
    for name, data_type, scale, comment in found:
        is_code = bool(_CODE.search(comment)) and data_type != "decimal"
        is_kept = name not in (*_LEFT_OUT, *personal) and (name != _OBSERVED or source.time == _OBSERVED)
        if is_kept and (export.with_codes or not is_code):
            sql = f"t.{name} + INTERVAL 8 HOUR" if _is_utc(comment) else f"t.{name}"
            yield _Column(name, sql, _sheet_column(data_type, scale, comment, is_code=is_code))
        for added in source.added:
            if added.after == name:
                shown = SheetColumn(added.heading, added.kind, _WIDTHS.get(added.kind, 24))
                yield _Column(added.sql, added.sql, shown)


def _condition(export: Export, *, is_utc: bool) -> tuple[str, list[datetime]]:
    time = export.source.time
    column = time if "." in time else f"t.{time}"
    wanted = [(f"{column} {sign} %s", moment) for sign, moment in ((">=", export.begin), ("<", export.end)) if moment]
    ahead = EIGHT_HOURS if is_utc else timedelta()
    return " AND ".join(text for text, _ in wanted) or "1 = 1", [moment - ahead for _, moment in wanted]


def _in_words(
    rows: Iterable[tuple[Any, ...]], names: list[str], put: Callable[[dict[str, Any]], Mapping[str, Any]]
) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        yield tuple(put(dict(zip(names, row, strict=True))).values())


def _is_utc(comment: str) -> bool:
    return "UTC" in comment


def _sheet_column(data_type: str, scale: int | None, comment: str, *, is_code: bool) -> SheetColumn:
    """The format of a column: a decimal with two places is money; one with more, or a code, is a plain number."""
    decimal = "money" if scale == 2 else "number"
    kind = decimal if data_type == "decimal" else _KINDS.get(data_type, "text")
    kind = "number" if is_code and kind == "count" else kind
    return SheetColumn(heading(comment), kind, _WIDTHS.get(kind, 24))


def heading(comment: str) -> str:
    """A column's comment without its explanation: `退款金额（元，接口为分）` → `退款金额（元）`."""
    short = _EXPLAINED.split(comment, maxsplit=1)[0]
    return f"{short}）" if short.count("（") > short.count("）") else short
