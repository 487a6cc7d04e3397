"""Checks that the schema fits the code, and that the clocks agree."""

from __future__ import annotations

from datetime import timezone
from functools import cache

from xiaoe import clock, settings
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.mysql.session import Session

SCHEMA_DIR = settings.INCLUDE_DIR / "sql" / "schema"
FIRST_MIGRATION = "0001-orders"


def check(session: Session) -> None:
    """Compare migrations and clocks; one statement.

    Raises:
        XiaoeConfigError: The database is older or newer than this code, or a clock is wrong.
    """
    before = clock.machine_now()
    rows = session.query("SELECT migration_id, UTC_TIMESTAMP(3) FROM _yoyo_migration")
    theirs = rows[0][1].replace(tzinfo=timezone.utc) if rows else before
    clock.check_clock(theirs, before, clock.machine_now(), whose="MySQL's", limit=settings.max_clock_skew())
    _check_schema({name for name, _ in rows})
    session.rollback()


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
    """Names of the migrations in this checkout."""
    return frozenset(path.stem for path in SCHEMA_DIR.glob("*.sql"))
