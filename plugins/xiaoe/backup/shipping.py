"""`make journal`: ships the changes of the warehouse to the backup store, every few seconds until it is stopped.

A chain begins with a backup. It ends when the server no longer has the log behind it, as after a restore: then a new
one begins. The table `journal_status` says where it stands, for the task `storage` and for backups.
"""

from __future__ import annotations

import logging
import signal
import uuid
from pathlib import Path
from threading import Event
from types import FrameType

from airflow.sdk.log import redact

from xiaoe import clock, settings
from xiaoe.backup import binlog, service
from xiaoe.backup.binlog import LogLost, Position
from xiaoe.backup.journal import Journal, order
from xiaoe.clock import utc_text
from xiaoe.exceptions import XiaoeConfigError, XiaoeRetriableError
from xiaoe.mysql.warehouse import Warehouse

log = logging.getLogger(__name__)


class Shipper:
    """Ships one warehouse's changes.

    Args:
        warehouse: With the backup user's connection.

    Raises:
        XiaoeConfigError: Server or account lack something; the message names all of it.
    """

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._journal = Journal(service.store_of(warehouse), service.configured_key())
        with warehouse.session() as session:
            if missing := binlog.lacking(session):
                raise XiaoeConfigError(
                    f"connection {warehouse.conn_id}: the journal cannot be kept (docs/backup.md): {'; '.join(missing)}"
                )
            known = session.query(
                "SELECT chain, begin_file, begin_position, log_file, log_position FROM journal_status"
            )
        if not known:
            self._begin_chain()
            return
        chain, begin_file, begin_offset, file, offset = known[0]
        self._chain, self._begin = str(chain), Position(str(begin_file), int(begin_offset))
        mine = [one.end for one in self._journal.segments() if one.chain == self._chain]
        self._segment_end = max([self._begin, *mine], key=order)
        self._place = max(Position(str(file), int(offset)), self._segment_end, key=order)

    def ship(self) -> bool:
        """Ship what was committed since the last time; return whether there was anything.

        Raises:
            XiaoeRetriableError: Server or store cannot be reached; nothing is lost, the next time ships it.
        """
        now = clock.now()
        with self._warehouse.session() as session:
            known = session.query("SELECT chain FROM journal_status")
        if known != [(self._chain,)]:
            log.warning("the warehouse was restored or emptied: a new chain of the journal begins")
            self._begin_chain()
            return False
        changes = binlog.changes(self._warehouse.conn_id, self._warehouse.database_name, self._place)
        try:
            end, has_shipped = self._journal.ship(self._chain, self._segment_end, changes, now)
        except LogLost as error:
            log.error("%s. A new chain begins: moments in between cannot be restored", error)
            self._begin_chain()
            return False
        self._place = end or self._place
        if has_shipped:
            self._segment_end = self._place
        self._note(utc_text(now))
        return has_shipped

    def _begin_chain(self) -> None:
        """A new chain from now on, with a backup at its beginning."""
        with self._warehouse.session() as session:
            place = binlog.current(session)
        if place is None:
            raise XiaoeRetriableError("the server shows no binary log: trying again later")
        self._chain, self._begin, self._place, self._segment_end = uuid.uuid4().hex, place, place, place
        self._note(utc_text(clock.now()))
        url, _ = service.back_up_now()
        log.info("chain %s of the journal begins with the backup %s", self._chain, url)

    def _note(self, shipped_at: str) -> None:
        with self._warehouse.session() as session:
            session.execute(
                "REPLACE INTO journal_status"
                " (id, chain, begin_file, begin_position, log_file, log_position, shipped_at)"
                " VALUES (1, %s, %s, %s, %s, %s, %s)",
                (self._chain, *self._begin, *self._place, shipped_at),
            )
            session.commit()


def serve(alive: Path | None = None) -> None:
    """Ship until SIGTERM or SIGINT.

    Args:
        alive: A file that is touched after each shipment; one that is old means that nothing is shipped.

    Raises:
        XiaoeConfigError: As of `Shipper`.
    """
    stopped = Event()

    def stop(_: int, __: FrameType | None) -> None:
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    every = settings.journal_every().total_seconds()
    shipper = Shipper(service.source())
    print(f"变更日志运送已启动 shipping the journal every {every:.0f} s to {settings.backup_store()}", flush=True)
    while not stopped.wait(every):
        try:
            shipper.ship()
        except XiaoeRetriableError as error:
            log.warning("%s", redact(str(error)))
        else:
            if alive:
                alive.touch()
    shipper.ship()
