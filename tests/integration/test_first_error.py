"""The error that a person reads is the first one: whichever statement fails, nothing that cleans up behind it hides it.

Migrations are in test_migrate.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import MySQLdb
import pytest
from MySQLdb.connections import Connection
from MySQLdb.cursors import BaseCursor

from support.fixtures import servers
from support.worlds.marts import refresh
from support.worlds.shop import APP_ID, Database, Sync
from support.worlds.staged import StagedRun, at, raw_order
from xiaoe import clock
from xiaoe.backup import service
from xiaoe.benefits.decide import Decider, apply_policy
from xiaoe.benefits.policy import read_policy
from xiaoe.exceptions import XiaoeRetriableError
from xiaoe.mysql.warehouse import Warehouse

pytestmark = [pytest.mark.mysql, pytest.mark.parametrize("migrated", servers()[:1], indirect=True)]
FIRST = "Lost connection: the first error"


class Fuse:
    """Breaks the connection at the n-th statement or commit of this process."""

    def __init__(self, patch: pytest.MonkeyPatch, after: int) -> None:
        self._left = after
        self.broke = False
        self._put_before(patch, BaseCursor, "_query", lambda cursor: cursor._get_db())
        self._put_before(patch, Connection, "commit", lambda connection: connection)

    def _put_before(
        self, patch: pytest.MonkeyPatch, owner: type, name: str, connection_of: Callable[..., Connection]
    ) -> None:
        original = getattr(owner, name)

        def step(subject: object, *arguments: object) -> object:
            self._left -= 1
            if self._left == -1:
                self.broke = True
                connection_of(subject).close()
                raise MySQLdb.OperationalError(2013, FIRST)
            return original(subject, *arguments)

        patch.setattr(owner, name, step)


def merge(store: Path) -> None:
    """A new row, a changed one, one that is rejected."""
    rows = [raw_order(1), raw_order(2, title="changed"), raw_order(3, order_id=None), raw_order(4, price="odd")]
    Sync(store).merge(*StagedRun([(at(9), rows)], run_id="now").write(store))


def decide(store: Path) -> None:
    policy, warehouse = read_policy(), Warehouse()
    with warehouse.session() as session:
        number = apply_policy(session, policy, by="test", shop_ids=[APP_ID])
        session.commit()
    Decider(warehouse, APP_ID, policy, number, now=at(10)).decide()


def marts(store: Path) -> None:
    refresh(APP_ID, at(10).replace(tzinfo=None), rebuild=True)


def back_up(store: Path) -> None:
    service.back_up_now()


def drill(store: Path) -> None:
    service.drill_newest(clock.now())


@pytest.fixture
def filled(sync: Sync, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A warehouse with an order, its marts, its decision and a backup."""
    monkeypatch.setenv("XIAOE_BACKUP_STORE", f"file://{tmp_path}/backups")
    sync.merge(*StagedRun([(at(0), [raw_order(2)])], run_id="before").write(sync.store))
    decide(sync.store)
    marts(sync.store)
    back_up(sync.store)
    yield database
    database.rows("DROP DATABASE IF EXISTS " + database.value("SELECT CONCAT(DATABASE(), '_drill')"))


def told_by(work: Callable[[Path], None], store: Path) -> str | None:
    """The message that the work ends with; None if it ends well."""
    try:
        work(store)
    except XiaoeRetriableError as error:
        return str(error)
    return None


@pytest.mark.parametrize(("work", "every"), [(merge, 2), (decide, 4), (marts, 7), (back_up, 15), (drill, 20)])
def test_the_first_error_is_the_one_that_is_told(
    filled: Database, sync: Sync, work: Callable[[Path], None], every: int
) -> None:
    orders, broken = filled.rows("SELECT order_id, title FROM orders ORDER BY 1"), 0
    for point in count(0, every):
        with pytest.MonkeyPatch.context() as patch:
            fuse = Fuse(patch, point)
            said = told_by(work, sync.store)
        found = filled.rows("SELECT order_id, title FROM orders ORDER BY 1")
        if not fuse.broke:
            break
        if said is None:  # what broke was only to be tried, or came behind the commit
            orders = found
            continue
        broken += 1
        assert FIRST in said, point
        assert found == orders, point
    assert broken >= 3
