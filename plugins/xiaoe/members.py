"""Inferred members: users and products that an order names before their own list brings them."""

from __future__ import annotations

from xiaoe.pages import Manifest
from xiaoe.resources import Member
from xiaoe.warehouse import Session

NEVER_OBSERVED = "1970-01-01 00:00:00"
"""`observed_at` of an inferred row: older than any observation, so that the first one wins."""


def insert_unknown(session: Session, member: Member, staging: str, manifest: Manifest) -> None:
    """Insert what the rows in staging name and the member's table does not have.

    Which ones are unknown is found by a plain SELECT, which locks nothing: a merge of the other table may be
    running. Whoever comes second finds the row there.

    Args:
        session: In the merge's transaction.
        member: Which table and columns.
        staging: The table that holds the chunk.
        manifest: Of the run.
    """
    key, *others = member.columns
    source = member.columns[key]
    picked = "".join(f", MAX(s.{member.columns[column]})" for column in others)
    unknown = session.query(
        f"SELECT s.{source}{picked} FROM {staging} AS s LEFT JOIN {member.table} AS m"
        f" ON m.shop_id = s.shop_id AND m.{key} = s.{source}"
        f" WHERE m.{key} IS NULL AND s.{source} > '' GROUP BY s.{source} ORDER BY s.{source}"
    )
    columns = ("shop_id", key, *others, "batch_id")
    places = ", ".join(["%s"] * len(columns))
    session.insert_many(
        f"INSERT INTO {member.table} ({', '.join(columns)}, is_inferred, row_hash, raw_hash, observed_at)"
        f" VALUES ({places}, 1, 0, 0, '{NEVER_OBSERVED}')"
        f" ON DUPLICATE KEY UPDATE {member.table}.is_inferred = {member.table}.is_inferred",
        [(manifest.shop_id, *row, manifest.batch_id) for row in unknown],
    )
