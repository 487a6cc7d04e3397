"""What a resource declares: one list of the API, the table it fills, and what is told of its rows downstream.

A new resource is a file beside this one and a line in `registry` (CONTRIBUTING.md).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from xiaoe import settings
from xiaoe.mysql.load_data import OnDuplicate
from xiaoe.rows.children import Parent, with_parent
from xiaoe.rows.decode import RowReader
from xiaoe.rows.envelope import Listing, rows_of
from xiaoe.windows import Window, whole_days

if TYPE_CHECKING:
    from xiaoe.mysql.session import Session

BOOKKEEPING = ("row_hash", "raw_hash", "observed_at", "batch_id")
"""Columns of every resource's table beside the typed ones; `row_hash` and `raw_hash` as in `rows.decode`."""


class Scope(enum.Enum):
    """What a window of a resource holds."""

    CREATED = "rows made in the window: once it lies in the past, their set is fixed"
    CHANGED = "rows last changed in the window: a row leaves it for a later one when it changes again"
    WHOLE = "everything there is at the moment"
    PER_PARENT = "everything there is of one parent at the moment: one list each, such as the viewers of a live stream"


@dataclass(frozen=True)
class Numbered:
    """Pages are asked for by number, from 1.

    Args:
        key: How the interface spells "which page"; a wrong key is ignored by the API.
    """

    key: str

    def fields(self, index: int, cursor: Any) -> dict[str, Any]:
        """What to send for a page."""
        return {self.key: index}

    def cursor(self, rows: Sequence[msgspec.Raw]) -> Any:
        """Numbers need no cursor."""
        return None


@dataclass(frozen=True)
class Cursor:
    """A page is asked for by what the last row of the page before it carries; newest rows come first.

    What is added while the list is read comes before its first page and is not met: such a list is complete
    when it holds as many rows as its first page told.

    Args:
        key: Field of the request, and of a row.
    """

    key: str

    def fields(self, index: int, cursor: Any) -> dict[str, Any]:
        """What to send for a page; the first one is asked for without a cursor."""
        return {} if cursor is None else {self.key: cursor}

    def cursor(self, rows: Sequence[msgspec.Raw]) -> Any:
        """The cursor behind these rows: the last row's, or that of the row before where the last one lacks it."""
        for raw in reversed(rows):
            try:
                fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
                cursor = msgspec.json.decode(fields.get(self.key, b"null"))
            except (ValueError, RecursionError):  # a row that is no object, or cannot be read
                continue
            if cursor:
                return cursor
        return None


SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
"""What a time filter can tell apart."""


@dataclass(frozen=True)
class Parts:
    """How a list is asked for part by part, by a time of its rows; where the whole may exceed a cap (`rows.caps`).

    Args:
        step: The finest that the filter can tell apart.
        filters: A part → the interface's own filter fields.
        column: The time that the filter works on.
    """

    step: timedelta
    filters: Callable[[Window], dict[str, Any]]
    column: str


@dataclass(frozen=True)
class Recent:
    """How the rows of a whole list that are new or changed are asked for, between two readings of all of it.

    Args:
        filters: Time column of a row → what to send for the rows whose time lies on a day or later. Each is one list.
        every: How many days after a reading of the whole list the next one is due.
    """

    filters: Mapping[str, Callable[[datetime], dict[str, Any]]]
    every: Callable[[], timedelta]


@dataclass(frozen=True)
class Member:
    """A row of another table that rows of this one name; it is inserted as inferred until its own list brings it.

    Args:
        table: The other table; has `is_inferred`.
        columns: Its columns → columns of the naming row, key first.
    """

    table: str
    columns: dict[str, str]


@dataclass(frozen=True)
class Copy:
    """Where a typed row goes, or a part of it.

    Args:
        table: A table; its key begins with `shop_id`.
        columns: Its other columns → columns of the typed row, or the same number or text for all rows.
        on_duplicate: What becomes of a row whose key is there already.
    """

    table: str
    columns: Mapping[str, str | int]
    on_duplicate: OnDuplicate = "fail"


@dataclass(frozen=True)
class Feeds:
    """What stands downstream of a resource; `merge.outbox` and the merge templates queue it in the merge's transaction.

    Args:
        decisions: Column with the order whose benefit is decided again (`benefit_queue`).
        mart_days: Kind of `mart_queue` → time columns of the row: the figures of these days are computed again.
        mart_buyer: Column with the user whose sums are computed again when the row is no longer theirs, or is lost.
        arrival: Name of an objective, and the column from which a new row's arrival is measured.
    """

    decisions: str | None = None
    mart_days: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    mart_buyer: str | None = None
    arrival: tuple[str, str] | None = None


@dataclass(frozen=True)
class Parents:
    """Who has a list each, where the interface lists one parent at a time (`Scope.PER_PARENT`).

    A row of the answer does not say whose it is: `rows.children` adds the parent and a key made of both.

    Args:
        column: Column of the table with the parent's id; the field is `rows.children.PARENT`.
        keys: Fields of a row that tell it from the others of its parent; the first has to be there.
        due: The warehouse, the shop, a window → parents to ask for now, most urgent first. The window begins with
            `windows.EVER`, or is what somebody chose in the form; it ends with the moment of the run.
        lists_all: Whether an answer has every row of the parent, so that a missing one is gone.
        group: The group of a row that the key's fields may lie in.
        budget: Calls of one run; parents beyond wait for the next one. None: no limit.
    """

    column: str
    keys: tuple[str, ...]
    due: Callable[[Session, str, Window], list[Parent]]
    lists_all: bool = True
    budget: Callable[[], int] | None = None
    group: str | None = None


@dataclass(frozen=True)
class Resource:
    """One list interface of the API and the table it fills.

    Args:
        name: `sync_status.resource`, a folder of the page store, the asset `xiaoe_<name>`.
        table: Table of the warehouse; its staging table is `stg_<table>`.
        endpoint: Path of the list call.
        scope: What a window of it means.
        paging: How pages are asked for.
        size_key: How the interface spells "rows per page".
        total_key: The key in the answer's `data` of the number of all rows.
        list_key: Where it has the rows.
        tells_total: False where nobody has documented that it does.
        may_be_array: `data` may be the rows themselves: all of them, on one page.
        largest_page: Rows per page the interface allows.
        calls_per_second: What the interface allows.
        quota_seconds: Length of the window in which calls are counted.
        filters: A window → the interface's own filter fields.
        parts: How it is read part by part; None where no filter by time is known.
        recent: How new and changed rows are asked for; None: the list is always read whole.
        time: Column that the window filter works on; None where the scope is WHOLE.
        time_index: The index over `shop_id`, that column or the parent's, `observed_at` and `absent_since`.
        reader: Types one row; names the key column, beside shop_id.
        personal: Columns that say who somebody is: `XIAOE_PERSONAL_DATA` may have them masked or hashed.
        members: Rows of other tables that a row names.
        loads_new_rows: New rows go into their tables directly, which is faster; otherwise all rows go through staging.
        copies: With it, further tables that a new row goes to.
        has_inferred: Rows may have been inserted as inferred members, because rows of another resource name them.
        feeds: What stands downstream.
        fresh_within: Mode → how long ago the last success may be: two runs of its schedule, or one and the time that a
            long one takes.
        overlap: How far an incremental run reaches back before the watermark.
        lag: How long before now the window of an incremental run ends.
        reads_history: Whether the first incremental run reads everything since the start of the history; if not, the
            history DAG does.
        parents: Who has a list each; where the scope is PER_PARENT.
        group: The field of the request that holds the paging fields; None: they stand beside the others.
        more: Its name in `XIAOE_MORE_LISTS`: a shop without the interface is fit all the same. None: always read.
    """

    name: str
    table: str
    endpoint: str
    scope: Scope
    paging: Numbered | Cursor
    size_key: str
    total_key: str
    largest_page: int
    calls_per_second: int
    quota_seconds: float
    filters: Callable[[Window], dict[str, Any]]
    time: str | None
    reader: RowReader
    personal: tuple[str, ...] = ()
    members: tuple[Member, ...] = ()
    loads_new_rows: bool = False
    copies: tuple[Copy, ...] = ()
    has_inferred: bool = False
    feeds: Feeds = Feeds()
    fresh_within: Mapping[str, timedelta] = field(default_factory=dict)
    overlap: Callable[[], timedelta] = settings.overlap
    lag: Callable[[], timedelta] = settings.lag
    reads_history: bool = False
    time_index: str | None = None
    tells_total: bool = True
    may_be_array: bool = False
    parts: Parts | None = None
    recent: Recent | None = None
    list_key: str = "list"
    parents: Parents | None = None
    group: str | None = None
    more: str | None = None

    @property
    def key(self) -> str:
        """Key column, beside shop_id."""
        return self.reader.key_column

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of a row as it is written, in their order: shop, typed values, bookkeeping."""
        return ("shop_id", *self.reader.columns, *BOOKKEEPING)

    def request(self, fields: Mapping[str, Any], size: int) -> dict[str, Any]:
        """What is sent for a page: its fields and the number of rows, in a group where the interface wants one."""
        body = {**fields, self.size_key: size}
        if self.group is None:
            return body
        paging = {name: body.pop(name) for name in (self.paging.key, self.size_key) if name in body}
        return {**body, self.group: paging}

    def listing(self, body: bytes, parent: str | None = None) -> Listing:
        """The rows of an answer that was good when it came, and its total; errors as of `rows.envelope.rows_of`.

        Args:
            body: The answer.
            parent: Whose rows these are.
        """
        listing = rows_of(body, total_field=self.total_key, list_field=self.list_key, may_be_array=self.may_be_array)
        return self.of_parent(listing, parent)

    def of_parent(self, listing: Listing, parent: str | None) -> Listing:
        """The same rows, with their parent's id and their key in them where they have a parent."""
        if parent is None or self.parents is None:
            return listing
        return Listing(listing.total, with_parent(listing.rows, parent, self.parents.keys, self.parents.group))

    def covers_present(self, window: Window, read_at: datetime) -> bool:
        """Whether every row that the window ever held has to be in what was read of it.

        It has to for rows by creation and for whole lists. A row by its last change may have moved on since,
        to a time that only a window up to the present holds. A filter by days asks for the whole last day.
        """
        if self.parents is not None:
            return self.parents.lists_all
        is_fine = self.parts is not None and self.parts.step < DAY
        return self.scope is not Scope.CHANGED or read_at < (window if is_fine else whole_days(window)).end


def everything(window: Window) -> dict[str, Any]:
    """No filter at all: of products, all types and states."""
    return {}
