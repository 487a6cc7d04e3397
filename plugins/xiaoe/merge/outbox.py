"""Transactional outbox: what a merge tells the benefit decision and the marts, in its own transaction."""

from __future__ import annotations

from collections.abc import Iterable

from xiaoe.mysql.session import Session


def _decide_again(session: Session, resource: str, shop_id: str, names: Iterable[str]) -> None:
    """Queue orders for a new decision on their benefit; the merge templates queue those they write."""
    if resource == "orders":
        session.insert_many(
            "INSERT INTO benefit_queue (shop_id, order_id) VALUES (%s, %s)"
            " ON DUPLICATE KEY UPDATE order_id = VALUES(order_id)",
            [(shop_id, name) for name in names],
        )
