"""Stops a sync on a server that lacks the data merged before, such as an empty replica after a fail-over.

A file of the page store, `warehouse-<database>.json`, holds host name, port and data folder of the server merged into.
Another server with an empty ledger stops stage and merge. A restore, a move or a new host leave ledger lines; a first
install has no file; `make migrate` of an empty database removes it. A replica that lags is no alarm: its watermarks are
older, and the next run reads from there.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from xiaoe import clock
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.mysql import endpoint
from xiaoe.storage import files
from xiaoe.storage.files import write_whole

if TYPE_CHECKING:
    from xiaoe.mysql.warehouse import Warehouse

_SERVER = "SELECT EXISTS (SELECT 1 FROM sync_windows), CONCAT_WS(' ', @@hostname, @@port, @@datadir)"


def check(warehouse: Warehouse, store: Any) -> None:
    """Compare the server with the one in the page store's file; write the file if the server has ledger lines.

    Tables that were emptied on the same server are not detected here: `xiaoe_quality` reports what is not covered.

    Args:
        warehouse: Where a task is about to write.
        store: Root of the page store.

    Raises:
        XiaoeConfigError: The ledger is empty, and another server was merged into before; or the address is not one
            server (`mysql.endpoint`).
    """
    mark = _mark(warehouse, store)
    with files.explained(mark):
        known = json.loads(mark.read_text())["server"] if mark.exists() else None
    with warehouse.session() as session:
        endpoint.check(session, warehouse.conn_id)
        [(is_used, server)] = session.query(_SERVER)
    if is_used and server != known:
        write_whole(
            mark, json.dumps({"server": server, "since": f"{clock.machine_now():%Y-%m-%d %H:%M:%S} UTC"}).encode()
        )
    if not is_used and known not in (None, server):
        raise XiaoeConfigError(
            f"database {warehouse.database_name!r} of connection {warehouse.conn_id} is empty on this server"
            f" ({server}), and syncs have been merged into it on another ({known}): is this a replica without the data?"
            " Nothing was read or written. If it is the wrong server, correct host. If the data are lost, first"
            " `make restore` a backup, then `make rebuild`. To start with an empty database, remove"
            f" {mark}"
        )


def forget(warehouse: Warehouse, store: Any) -> None:
    """Remove the file: the database's tables have just been created."""
    mark = _mark(warehouse, store)
    with files.explained(mark):
        mark.unlink(missing_ok=True)


def _mark(warehouse: Warehouse, store: Any) -> Any:
    return store / f"warehouse-{warehouse.database_name}.json"
