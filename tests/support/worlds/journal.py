"""A warehouse in which everything happens that the API could not give again, shipped by the journal."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from support.worlds.shop import APP_ID, Sync
from support.worlds.staged import StagedRun, at, raw_order
from xiaoe import settings
from xiaoe.backup import tables
from xiaoe.backup.tables import Content
from xiaoe.benefits import decide
from xiaoe.benefits.answers import ReviewAnswer, write_answers
from xiaoe.benefits.policy import Policy
from xiaoe.clock import BEIJING
from xiaoe.hints import queue
from xiaoe.mysql.session import Session, names
from xiaoe.mysql.warehouse import Warehouse

ORDERS = 60


class Life:
    """What merges, decisions and people do to a warehouse, drawn from a seed.

    Args:
        folder: For pages.
        seed: Of what happens.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self._random = random.Random(seed)
        self._sync = Sync(folder)
        self._runs = 0
        self.steps: list[Callable[[], None]] = [
            self._merge, self._merge, self._decide, self.answer, self._target, self._hint, self._absent,
        ]  # fmt: skip

    def goes_on(self) -> None:
        """One thing happens, and is committed."""
        self._random.choice(self.steps)()

    def _merge(self) -> None:
        """Orders come, and change."""
        self._runs += 1
        rows = [
            raw_order(number, order_state=self._random.choice((1, 4, 10)), title=f"it's {self._runs} \\ 中文 😀")
            for number in sorted(self._random.sample(range(ORDERS), 20))
        ]
        run = StagedRun([(at(100 * self._runs), rows)], run_id=f"run-{self._runs}")
        self._sync.merge(*run.write(self._sync.store), accept_missing=True)

    def _decide(self) -> None:
        policy = Policy(days=14, anchor="created_time", partial_refund="review", resource_types=[])
        with Warehouse().session() as session:
            policy_id = decide.apply_policy(session, policy, by="test", shop_ids=[APP_ID])
            session.commit()
        decide.Decider(Warehouse(), APP_ID, policy, policy_id, now=at(100 * self._runs).astimezone(BEIJING)).decide()

    def answer(self) -> None:
        """A person answers."""
        order = f"o_{self._random.randrange(ORDERS):05d}"
        answer = ReviewAnswer("grant", f"小王{self._runs}", at(self._runs))
        with Warehouse().session() as session:
            write_answers(session, APP_ID, [(order, f"{self._random.randrange(10**9):032d}", answer)])
            session.commit()

    def _target(self) -> None:
        self._write(
            "REPLACE INTO targets (shop_id, month, metric, value, updated_at)"
            " VALUES (%s, '2026-11-01', 'net_amount', %s, NOW(3))",
            self._random.randrange(10**6),
        )

    def _hint(self) -> None:
        with Warehouse().session() as session:
            known = queue.waiting(session, APP_ID, 3)
            queue.remove(session, [hint.id for hint in known[:2]])
            queue.add(session, APP_ID, f"o_{self._random.randrange(ORDERS):05d}", "list", None, at(self._runs))
            session.commit()

    def _absent(self) -> None:
        self._write("UPDATE orders SET absent_since = NOW(3) WHERE shop_id = %s AND order_id = %s", "o_00001")

    @staticmethod
    def _write(sql: str, value: object) -> None:
        with Warehouse().session() as session:
            session.execute(sql, (APP_ID, value))
            session.commit()


def contents(warehouse: Warehouse) -> dict[str, Content]:
    """Count and checksum of every table that a backup holds."""

    def of(session: Session) -> dict[str, Content]:
        return {name: tables.content(session, name) for name in names(session)[0] if name not in tables.STRUCTURE_ONLY}

    with warehouse.session(any_schema=True) as session:
        return of(session)


def database_of(url: str) -> str:
    """Its name."""
    return urlsplit(url).path[1:]


def store() -> Path:
    """The folder of the journal's segments."""
    return Path(urlsplit(settings.backup_store()).path)
