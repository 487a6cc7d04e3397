"""Names of shops: from the connection's field `shop_name` into the table `shops`, and from there to whoever reads.

A shop without a name is called by its id; a name that two shops have is followed by the id (view `bi_shops`).
"""

from __future__ import annotations

import logging

from airflow.sdk.log import redact
from MySQLdb import Error

from xiaoe import clock
from xiaoe.clock import utc_text
from xiaoe.exceptions import XiaoeError
from xiaoe.mysql.session import Session

log = logging.getLogger(__name__)


def remember(session: Session, shop_id: str, name: str | None, conn_id: str) -> bool:
    """Write a shop's name and connection if they are not what the table holds; return whether they were not."""
    held = session.query("SELECT name, conn_id FROM shops WHERE shop_id = %s", (shop_id,))
    if held == [(name, conn_id)]:
        return False
    session.execute(
        "REPLACE INTO shops (shop_id, name, conn_id, updated_at) VALUES (%s, %s, %s, %s)",
        (shop_id, name, conn_id, utc_text(clock.now())),
    )
    return True


def names(session: Session) -> dict[str, str]:
    """Shop id → what staff call the shop; a shop that is not in it is called by its id."""
    return dict(session.query("SELECT shop_id, shop_name FROM bi_shops"))


def name_of(session: Session, shop_id: str) -> str:
    """What staff call a shop."""
    return names(session).get(shop_id, shop_id)


def names_of_connections(session: Session) -> dict[str, str]:
    """Connection → the name of its shop; shops without a name are left out.

    For alerts, which must not wait for a table: where it cannot be read, there are none.
    """
    try:
        rows = session.query("SELECT conn_id, name FROM shops WHERE name IS NOT NULL")
    except (Error, XiaoeError) as error:
        log.warning("shops cannot be read: %s", redact(str(error)))
        return {}
    return dict(rows)
