"""What has to hold before a task touches the warehouse: code and schema fit, clocks agree, it has not lost all."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from xiaoe import disk_errors, settings
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.storage.pages import write_whole

if TYPE_CHECKING:
    from xiaoe.mysql.session import Session, Warehouse

SCHEMA_DIR = settings.INCLUDE_DIR / "sql" / "schema"
FIRST_MIGRATION = "0001-orders"
_WHERE_IT_IS = "SELECT EXISTS (SELECT 1 FROM sync_windows), CONCAT_WS(' ', @@hostname, @@port, @@datadir)"


def check(session: Session) -> None:
    """Compare migrations and clocks; one statement.

    Raises:
        XiaoeConfigError: The database is older or newer than this code, or a clock is wrong.
    """
    before = utc_now()
    rows = session.query("SELECT migration_id, UTC_TIMESTAMP(3) FROM _yoyo_migration")
    check_clock(rows[0][1].replace(tzinfo=timezone.utc) if rows else before, before, utc_now(), whose="MySQL's")
    _check_schema({name for name, _ in rows})
    session.rollback()


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
    with disk_errors.explained(mark):
        known = json.loads(mark.read_text())["server"] if mark.exists() else None
    with warehouse.session() as session:
        [(is_used, server)] = session.query(_WHERE_IT_IS)
    if is_used and server != known:
        write_whole(mark, json.dumps({"server": server, "since": f"{utc_now():%Y-%m-%d %H:%M:%S} UTC"}).encode())
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
    with disk_errors.explained(mark):
        mark.unlink(missing_ok=True)


def _mark(warehouse: Warehouse, store: Any) -> Any:
    return store / f"warehouse-{warehouse.database_name}.json"


def check_clock(theirs: datetime, before: datetime, after: datetime, *, whose: str) -> None:
    """Compare another machine's clock with ours.

    Which of two observations is newer, whether a window lies in the past, whether a deadline has passed: all that
    rests on this machine's clock.

    Args:
        theirs: What the other clock said.
        before: Ours, before it was asked.
        after: Ours, after it answered.
        whose: For the message.

    Raises:
        XiaoeConfigError: They differ by more than `XIAOE_MAX_CLOCK_SKEW_SECONDS`.
    """
    skew = max(theirs - after, before - theirs, timedelta())
    if skew > settings.max_clock_skew():
        direction = "behind" if theirs > after else "ahead of"
        raise XiaoeConfigError(
            f"this machine's clock ({after:%Y-%m-%d %H:%M:%S} UTC) is {skew.total_seconds():.0f} s {direction}"
            f" {whose} ({theirs:%Y-%m-%d %H:%M:%S} UTC): set the one that is wrong (NTP). Nothing was read or written."
            " If the other one cannot be helped, raise XIAOE_MAX_CLOCK_SKEW_SECONDS"
        )


def check_date(header: str, sent_at: datetime) -> None:
    """Compare the clock of the API, as the header `Date` of an answer tells it, with ours; none there tells nothing.

    Args:
        header: E.g. `Fri, 20 Nov 2026 04:00:00 GMT`.
        sent_at: Our clock before the request.

    Raises:
        XiaoeConfigError: They are too far apart.
    """
    try:
        theirs = parsedate_to_datetime(header)
    except ValueError:
        return
    check_clock(theirs if theirs.tzinfo else theirs.replace(tzinfo=timezone.utc), sent_at, utc_now(), whose="the API's")


def utc_now() -> datetime:
    """This machine's clock; as it is, not as a test sets the shop's time."""
    return datetime.now(timezone.utc)


def _check_schema(applied: set[str]) -> None:
    known = known_migrations()
    if missing := known - applied:
        raise XiaoeConfigError(
            f"the warehouse's schema is missing or old ({', '.join(sorted(missing))} not applied): run `make migrate`"
        )
    if unknown := applied - known:
        raise XiaoeConfigError(
            f"the warehouse's schema is newer than this code ({', '.join(sorted(unknown))} not known here): update this"
            " installation to the version that ran `make migrate` last. Nothing was read or written"
        )


@cache
def known_migrations() -> frozenset[str]:
    """Names of the migrations that this code brings."""
    return frozenset(path.stem for path in SCHEMA_DIR.glob("*.sql"))
