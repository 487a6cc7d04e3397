"""Decides for every order that may have changed; the rule itself is include/sql/marts/benefit_decisions.sql.

A decision runs under the merges' locks, so it reads orders, after-sales and ledger in one state; merges wait for it.
Beside the queue, only pending orders past their deadline are looked at, by an index: the cost follows what can change.
An unchanged order is not written, so the ledger proves when it was last observed: overlapping windows are cut into
segments with their latest observation (`xiaoe.coverage`), since joining each order with each window would grow with
both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timezone
from functools import partial

from xiaoe.benefits.policy import Policy, parse_policy
from xiaoe.clock import BEIJING, beijing_text, utc_text
from xiaoe.coverage import segments
from xiaoe.exceptions import XiaoeRetriableError
from xiaoe.merge.ledger import observations
from xiaoe.mysql.session import Session, retry_conflicts
from xiaoe.mysql.templates import render, split_statements
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.resources.orders import ORDERS
from xiaoe.resources.registry import RESOURCES

CHUNK_ORDERS = 50_000
"""Orders decided in one transaction; the merges wait for it, a few seconds."""
_DUE = (
    "SELECT order_id FROM ("
    " (SELECT order_id FROM benefit_queue WHERE shop_id = %s AND order_id > %s ORDER BY order_id LIMIT {chunk})"
    " UNION"
    " (SELECT order_id FROM benefit_decisions WHERE shop_id = %s AND decision = 'pending' AND deadline_at < %s"
    " AND order_id > %s ORDER BY order_id LIMIT {chunk})"
    ") AS due ORDER BY order_id LIMIT {chunk}"
)
_DECIDED = "SELECT order_id FROM benefit_decisions WHERE shop_id = %s AND order_id > %s ORDER BY order_id LIMIT {chunk}"


class Decider:
    """Decides for one shop's orders under one policy.

    Args:
        warehouse: The warehouse.
        shop_id: The shop.
        policy: The rule.
        policy_id: Its id in `benefit_policies`; `decide` requires it to be the one in force.
        now: Time of the run, with an offset.
    """

    def __init__(self, warehouse: Warehouse, shop_id: str, policy: Policy, policy_id: int, *, now: datetime) -> None:
        self._warehouse = warehouse
        self._shop_id = shop_id
        self._policy_id = policy_id
        self._now = now.astimezone(timezone.utc)
        self._tables = split_statements(render("marts/benefit_tables.sql"))
        decisions = split_statements(
            render("marts/benefit_decisions.sql", policy=policy, policy_id=policy_id, decided_at=utc_text(now))
        )
        writes = 1 + next(n for n, one in enumerate(decisions) if one.startswith("INSERT INTO benefit_new "))
        self._compute, self._write = decisions[:writes], decisions[writes:]

    def decide(self) -> Counter[str]:
        """Decide for every order that is due, chunk by chunk; return counts by decision.

        Due are orders that changed, or whose after-sales changed, since they were decided on, and pending orders whose
        deadline has passed. Each chunk is one transaction: after an interruption the next run continues.

        Raises:
            XiaoeRetriableError: Another policy was put in force meanwhile.
        """
        counts: Counter[str] = Counter()
        after: str | None = ""
        while after is not None:
            chunk, after = retry_conflicts(partial(self._decide_chunk, after))
            counts.update(chunk)
        return counts

    def effect(self) -> Counter[tuple[str, str]]:
        """Counts by (old, new) of decisions that would change if every order were decided again; writes nothing."""
        changes: Counter[tuple[str, str]] = Counter()
        after: str | None = ""
        while after is not None:
            with self._session() as session:
                due = self._fill_due(session, _DECIDED, (self._shop_id, after))
                after = _last_of_full_chunk(due)
                self._run(session, self._compute)
                changes.update(
                    {
                        (old, new): int(orders)
                        for old, new, orders in session.query(
                            "SELECT d.decision, n.decision, COUNT(*) FROM benefit_new AS n"
                            " INNER JOIN benefit_decisions AS d ON d.shop_id = n.shop_id AND d.order_id = n.order_id"
                            " WHERE d.decision <> n.decision GROUP BY d.decision, n.decision"
                        )
                    }
                )
        return changes

    def _decide_chunk(self, after: str) -> tuple[Counter[str], str | None]:
        """Decide for the next orders by id; return counts, and the last id of a full chunk, else None."""
        with self._session() as session:
            self._check_policy(session)
            waiting = (self._shop_id, beijing_text(self._now), after)
            due = self._fill_due(session, _DUE, (self._shop_id, after, *waiting))
            if not due:
                return Counter(), None
            self._run(session, self._compute)
            counts = Counter(dict(session.query("SELECT decision, COUNT(*) FROM benefit_new GROUP BY decision")))
            self._run(session, self._write)
            session.commit()
        return counts, _last_of_full_chunk(due)

    def _check_policy(self, session: Session) -> None:
        """A policy is put in force under the same locks, so it cannot change before the chunk is written."""
        current = policy_in_force(session)
        if current is None or current[0] != self._policy_id:
            raise XiaoeRetriableError("another policy was put in force during the run: retrying with the new one")

    @contextmanager
    def _session(self) -> Iterator[Session]:
        """A session with the temporary tables, under the merges' locks; uncommitted work is rolled back."""
        with self._warehouse.session() as session, merges_locked(session, self._shop_id):
            self._run(session, self._tables)
            session.commit()
            yield session

    @staticmethod
    def _run(session: Session, statements: Sequence[str]) -> None:
        for statement in statements:
            session.execute(statement)

    def _fill_due(self, session: Session, sql: str, parameters: tuple[str, ...]) -> list[str]:
        """Fill benefit_due with the orders due, and benefit_seen with their observations; return the order ids."""
        due = [order_id for (order_id,) in session.query(sql.format(chunk=CHUNK_ORDERS), parameters)]
        session.insert_many(
            "INSERT INTO benefit_due (shop_id, order_id) VALUES (%s, %s)", [(self._shop_id, one) for one in due]
        )
        [(first, last)] = session.query(
            "SELECT MIN(o.created_time), MAX(o.created_time) FROM benefit_due AS d"
            " INNER JOIN orders AS o ON o.shop_id = d.shop_id AND o.order_id = d.order_id"
        )
        if first is not None:
            made = first.replace(tzinfo=BEIJING), last.replace(tzinfo=BEIJING)
            session.insert_many(
                "INSERT INTO benefit_seen (since, observed_at) VALUES (%s, %s)",
                [
                    (beijing_text(begin), seen and utc_text(seen))
                    for begin, seen in segments(observations(session, ORDERS, self._shop_id, *made))
                ],
            )
        return due


def _last_of_full_chunk(due: list[str]) -> str | None:
    """The last id of a full chunk, after which there may be more orders; else None."""
    return due[-1] if len(due) == CHUNK_ORDERS else None


@contextmanager
def merges_locked(session: Session, shop_id: str) -> Iterator[None]:
    """Lock out the merges that queue a shop's decisions; locks are taken in the order that all code uses."""
    with ExitStack() as stack:
        for resource in RESOURCES.values():
            if resource.feeds.decisions:
                stack.enter_context(session.lock("merge", shop_id, resource.name))
        yield


def policy_in_force(session: Session) -> tuple[int, Policy] | None:
    """Id and content of the policy in force; None before the first."""
    rows = session.query("SELECT id, policy FROM benefit_policies ORDER BY id DESC LIMIT 1")
    return (int(rows[0][0]), parse_policy(rows[0][1])) if rows else None


def apply_policy(session: Session, policy: Policy, *, by: str, shop_ids: Sequence[str]) -> int:
    """Put a policy in force, queue every order of these shops, and return the policy's id.

    Call it under `merges_locked` of every shop that has decisions: a run that began with the old policy has then
    ended, or notices the change.
    """
    session.execute(
        "INSERT INTO benefit_policies (policy, applied_at, applied_by) VALUES (%s, UTC_TIMESTAMP(3), %s)",
        (policy.to_json(), by),
    )
    [(policy_id,)] = session.query("SELECT LAST_INSERT_ID()")
    for shop_id in shop_ids:
        session.execute(
            "INSERT IGNORE INTO benefit_queue (shop_id, order_id)"
            " SELECT shop_id, order_id FROM benefit_decisions WHERE shop_id = %s",
            (shop_id,),
        )
    return int(policy_id)
