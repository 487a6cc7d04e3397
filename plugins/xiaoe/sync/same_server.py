"""What has to hold before a task touches the warehouse: code and schema fit, clocks agree, it has not lost all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from xiaoe import clock
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.storage import files
from xiaoe.storage.files import write_whole

if TYPE_CHECKING:
    from xiaoe.mysql.warehouse import Warehouse

_WHERE_IT_IS = "SELECT EXISTS (SELECT 1 FROM sync_windows), CONCAT_WS(' ', @@hostname, @@port, @@datadir)"


def check_kept(warehouse: Warehouse, store: Any) -> None:
    """Compare the warehouse with what the page store remembers: on another server, what was merged is there as well.

    A server that failed over to an empty replica has every table and answers every question. The page store
    remembers, in a file, on which server the database was merged into. Without that file nothing can be wrong (a
    first install), with a line in the ledger neither (a restore, a rebuild, another server with the data). Tables
    that somebody emptied on the same server are not meant: `xiaoe_quality` tells what is not covered.

    Args:
        warehouse: Where a task is about to write.
        store: Root of the page store.

    Raises:
        XiaoeConfigError: The ledger of windows is empty, and was not on the server before this one.
    """
    mark = _mark(warehouse, store)
    with files.explained(mark):
        known = json.loads(mark.read_text())["server"] if mark.exists() else None
    with warehouse.session() as session:
        [(is_used, server)] = session.query(_WHERE_IT_IS)
    if is_used and server != known:
        write_whole(
            mark, json.dumps({"server": server, "since": f"{clock.machine_now():%Y-%m-%d %H:%M:%S} UTC"}).encode()
        )
    if not is_used and known not in (None, server):
        raise XiaoeConfigError(
            f"database {warehouse.database_name!r} of connection {warehouse.conn_id} is empty on this server"
            f" ({server}), and syncs have been merged into it on another ({known}): is this a replica without the data?"
            " Nothing was read or written. If it is the wrong server, correct host. If the data are lost, first"
            " `make restore` a backup, then `make rebuild`. If you want to begin with an empty database, remove"
            f" {mark}"
        )


def begin_anew(warehouse: Warehouse, store: Any) -> None:
    """Forget where the database was: its tables have just been made."""
    mark = _mark(warehouse, store)
    with files.explained(mark):
        mark.unlink(missing_ok=True)


def _mark(warehouse: Warehouse, store: Any) -> Any:
    return store / f"warehouse-{warehouse.database_name}.json"
