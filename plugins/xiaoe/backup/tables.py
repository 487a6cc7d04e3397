"""A database as lines of SQL, and as a count and a checksum per table, both from one pass over the rows.

The server itself writes the rows as SQL literals, so the dump and the later comparison use the same text, whatever the
driver converts values to. A table's checksum is the sum of the hashes of its rows: independent of their order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from xiaoe.exceptions import XiaoeConfigError
from xiaoe.mysql.session import Session, quoted

STRUCTURE_ONLY = frozenset({"api_tokens", "backups", "yoyo_lock", "journal_status"})
"""Tables dumped without rows: they hold a secret, the list of backups, a lock, where this server's journal stands."""
IRREPLACEABLE = frozenset({
    "alerts", "api_fields", "benefit_decision_log", "benefit_decisions", "benefit_notices", "benefit_policies",
    "benefit_postponements", "benefit_queue", "benefit_reviews", "benefit_starts", "change_hints",
    "channel_refusals", "export_log", "field_problems", "hint_looks", "live_stream_days", "mart_queue",
    "objective_events", "objective_status", "order_state_log", "parent_coverage", "parent_readings", "push_days",
    "push_messages", "quality_results", "rejected_rows", "report_sends", "shop_checks", "storage_samples",
    "sync_runs", "sync_status", "sync_windows", "targets", "user_merges",
})  # fmt: skip
"""What no API gives again: what people answered and set, what was decided, sent and observed, and when."""
GIVEN_AGAIN = frozenset({
    "learning_days", "learning_progress", "live_streams", "live_viewers", "order_items", "order_lines",
    "order_origins", "order_promoters", "orders", "products", "promoter_customers", "promoters", "refunds", "users",
})  # fmt: skip
"""Rows that the API gives again; when they were observed, and which of them are gone, it does not."""
RECOMPUTED = frozenset({
    "bi_benefit_changes_daily", "bi_benefits_daily", "bi_buyers_daily", "bi_customers", "bi_refund_ages",
    "bi_refund_curve", "bi_registrations", "bi_sales_daily", "bi_sync_coverage", "buyer_firsts", "mart_buyers",
    "mart_cohorts", "mart_cohorts_daily", "mart_course_buyers", "mart_kpi_spans", "mart_live_audience",
    "mart_people", "mart_products_daily", "mart_promotions_daily", "mart_rules", "shops", "sync_limits",
    "sync_names",
})  # fmt: skip
"""What follows from the others and from the settings. The journal has all of these three."""
MIGRATIONS = frozenset({"_yoyo_log", "_yoyo_migration", "_yoyo_version"})
"""The migration tool's own."""
_BINARY = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"})
_NOT_SUPPORTED = frozenset({"bit", "geometry", "point", "linestring", "polygon", "geomcollection", "vector"})
DEFINER = re.compile(r" DEFINER=(?:`(?:[^`]|``)*`|[^@ ]+)@(?:`(?:[^`]|``)*`|\S+)")
_AT_ONCE = 1000


@dataclass(frozen=True)
class DumpColumn:
    """A column of a dumped table.

    Args:
        name: Its name.
        kind: Its type as `information_schema` names it, e.g. `varchar`.
    """

    name: str
    kind: str

    @property
    def literal(self) -> str:
        """SQL that writes a value of this column as a literal."""
        name = quoted(self.name)
        if self.kind in _NOT_SUPPORTED:
            raise XiaoeConfigError(f"column {self.name}: type {self.kind} cannot be dumped: use mysqldump")
        if self.kind in _BINARY:
            return f"COALESCE(CONCAT('x''', HEX({name}), ''''), 'NULL')"
        if self.kind == "float":  # its default text has only six digits
            return f"QUOTE(CAST({name} AS DOUBLE))"
        return f"QUOTE({name})"


@dataclass(frozen=True)
class Content:
    """Count and checksum of a table's rows.

    Args:
        rows: Number of rows.
        checksum: Of all rows, independent of their order; sixteen hex digits.
    """

    rows: int
    checksum: str


class ContentTally:
    """Counts rows and adds up their hashes."""

    def __init__(self) -> None:
        self._rows = 0
        self._sum = 0

    def add(self, rows: Sequence[bytes]) -> None:
        """Add rows, given as literals."""
        self._rows += len(rows)
        self._sum += sum(int.from_bytes(blake2b(row, digest_size=8).digest(), "big") for row in rows)

    @property
    def content(self) -> Content:
        """Count and checksum of the rows added so far."""
        return Content(self._rows, f"{self._sum % 2**64:016x}")


def columns(session: Session, table: str) -> list[DumpColumn]:
    """Columns of a table or a view, without generated ones."""
    rows = session.query(
        "SELECT column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = DATABASE() AND table_name = %s AND COALESCE(generation_expression, '') = ''"
        " ORDER BY ordinal_position",
        (table,),
    )
    return [DumpColumn(name, str(kind).lower()) for name, kind in rows]


def create_table(session: Session, table: str) -> str:
    """The CREATE TABLE statement on one line; the server escapes line breaks inside texts."""
    [(_, sql)] = session.query(f"SHOW CREATE TABLE {quoted(table)}")
    return _one_line(sql)


def create_view(session: Session, view: str) -> tuple[str, str]:
    """Two statements: a placeholder with the view's columns, so that views may refer to each other, and the view.

    The view is owned by the user who restores it.
    """
    [(_, sql, *_)] = session.query(f"SHOW CREATE VIEW {quoted(view)}")
    stand_in = ", ".join(f"1 AS {quoted(column.name)}" for column in columns(session, view))
    final = re.sub(r"^CREATE ", "CREATE OR REPLACE ", DEFINER.sub("", _one_line(sql), count=1))
    return f"CREATE OR REPLACE VIEW {quoted(view)} AS SELECT {stand_in}", final


def literal_rows(session: Session, table: str) -> Iterator[list[bytes]]:
    """All rows of a table as `('a',NULL,'3.00')`, in batches, each row without a line break.

    Raises:
        XiaoeConfigError: A row is longer than the server's max_allowed_packet.
    """
    values = ", ',', ".join(column.literal for column in columns(session, table))
    for batch in session.stream(f"SELECT CONCAT('(', {values}, ')') FROM {quoted(table)}", size=_AT_ONCE):
        if None in batch:
            raise XiaoeConfigError(f"table {table}: a row is longer than the server's max_allowed_packet: raise it")
        yield [row.replace("\n", "\\n").replace("\r", "\\r").encode() for row in batch]


def content(session: Session, table: str) -> Content:
    """Count and checksum of a table."""
    tally = ContentTally()
    for rows in literal_rows(session, table):
        tally.add(rows)
    return tally.content


def _one_line(sql: str) -> str:
    return " ".join(line.strip() for line in sql.split("\n"))
