"""Where a row of the API goes besides the table of its own resource."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xiaoe.mysql.load_data import Twins


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
        columns: Its other columns → columns of the typed row, or a number.
        twins: What becomes of a row whose key is there already.
    """

    table: str
    columns: Mapping[str, str | int]
    twins: Twins = "refuse"


@dataclass(frozen=True)
class Fresh:
    """What the merge statements would do with a row that the warehouse does not hold; without a join it is faster.

    Args:
        copies: Further tables the row goes to.
        days: Kind of `mart_queue` → time columns of the row: their days are to be worked out anew.
    """

    copies: tuple[Copy, ...]
    days: dict[str, tuple[str, ...]]
