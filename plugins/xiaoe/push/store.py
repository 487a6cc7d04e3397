"""Stores pushed messages: messages, hints, account merges and the day's counts, in one transaction."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum, auto

from xiaoe.clock import BEIJING, utc_text
from xiaoe.hints import queue
from xiaoe.mysql.session import Session
from xiaoe.push.gate import Accepted, PushRefusal
from xiaoe.push.messages import UNREADABLE, Hide

_NOTED = "messages", "repeated", "hints", "unreadable", "content_bytes", "without_content", "over_limit", "refused"
"""Counts of `push_days`."""
_MOST_COUNTED = 100


class Outcome(Enum):
    """What became of a message."""

    STORED = auto()
    REPEATED = auto()
    OVER_LIMIT = auto()


@dataclass(frozen=True)
class DayLimits:
    """What a shop may bring in a day.

    Args:
        messages: Beyond, none is taken.
        content_bytes: Of stored texts; beyond, a message is stored without its text.
    """

    messages: int
    content_bytes: int


@dataclass(frozen=True)
class Store:
    """Writes batches of messages.

    Args:
        limits: Of each shop and day.
        hide: The form of texts about people; None: as they are.
    """

    limits: DayLimits
    hide: Hide | None

    def write(self, session: Session, batch: Sequence[Accepted], now: datetime) -> list[Outcome]:
        """Store messages, in the caller's transaction.

        Locks the day's row of each shop first, so that counts are exact and two services do not store a message twice.

        Args:
            session: The caller commits.
            batch: In the order in which they came.
            now: The present moment, with an offset.

        Returns:
            The outcome of each.
        """
        day = now.astimezone(BEIJING).date()
        places: dict[str, list[int]] = defaultdict(list)
        for place, one in enumerate(batch):
            places[one.app_id].append(place)
        # All locks before the first plain read, which fixes what this transaction sees; in one order: no deadlock.
        used = {app_id: _lock_day(session, app_id, day) for app_id in sorted(places)}
        outcomes = [Outcome.REPEATED] * len(batch)
        for app_id, own in places.items():
            told = self._write_shop(session, app_id, [batch[place] for place in own], used[app_id], now)
            for place, outcome in zip(own, told, strict=True):
                outcomes[place] = outcome
        return outcomes

    def _write_shop(
        self, session: Session, app_id: str, batch: Sequence[Accepted], used: tuple[int, int], now: datetime
    ) -> list[Outcome]:
        messages, content_bytes = used
        known = _stored(session, app_id, [one.message.key for one in batch])
        outcomes: list[Outcome] = []
        fresh: list[tuple[Accepted, str | None]] = []
        others: list[str] = []
        noted: Counter[str] = Counter()
        repeated: Counter[str] = Counter()
        for one in batch:
            key = one.message.key
            if key in known:
                repeated[key] += 1
                if (order_id := one.message.order_id) and order_id != known[key]:
                    others.append(order_id)
                outcomes.append(Outcome.REPEATED)
            elif messages + len(fresh) >= self.limits.messages:
                noted["over_limit"] += 1
                outcomes.append(Outcome.OVER_LIMIT)
            else:
                known[key] = one.message.order_id
                content: str | None = one.message.kept(self.hide)
                size = len((content or "").encode())
                is_over = content_bytes + noted["content_bytes"] + size > self.limits.content_bytes
                if is_over or size > session.largest_text:
                    content, size = None, 0
                    noted["without_content"] += 1
                noted["content_bytes"] += size
                fresh.append((one, content))
                outcomes.append(Outcome.STORED)
        _insert(session, fresh, now)
        _count_repetitions(session, app_id, repeated, now)
        hints = [(app_id, one.message.order_id) for one, _ in fresh if one.message.order_id]
        hints += [(app_id, order_id) for order_id in others]  # a sender that gives an id twice loses no order
        queue.add_many(session, hints, "push", None, now)
        _note_merges(session, [one for one, _ in fresh], now)
        noted["messages"] = len(fresh)
        noted["repeated"] = repeated.total()
        noted["hints"] = len(hints)
        noted["unreadable"] = sum(one.message.kind == UNREADABLE for one, _ in fresh)
        _note(session, app_id, now.astimezone(BEIJING).date(), noted)
        return outcomes


def note_refusals(session: Session, refusals: Counter[tuple[str, PushRefusal]], now: datetime) -> None:
    """Add refused requests to the day's counts, in the caller's transaction.

    Args:
        session: The caller commits.
        refusals: Shop and reason → how many.
        now: The present moment, with an offset.
    """
    day = now.astimezone(BEIJING).date()
    for (app_id, reason), count in sorted(refusals.items(), key=lambda item: item[0][0]):
        _lock_day(session, app_id, day)
        _note(session, app_id, day, Counter(refused=count))
        session.execute(
            "UPDATE push_days SET last_refusal = %s WHERE shop_id = %s AND day = %s", (reason.word, app_id, day)
        )


def _lock_day(session: Session, app_id: str, day: date) -> tuple[int, int]:
    """Lock a day's row and return its messages and bytes."""
    session.execute(
        "INSERT INTO push_days (shop_id, day) VALUES (%s, %s) ON DUPLICATE KEY UPDATE day = VALUES(day)", (app_id, day)
    )
    [(messages, content_bytes)] = session.query(
        "SELECT messages, content_bytes FROM push_days WHERE shop_id = %s AND day = %s FOR UPDATE", (app_id, day)
    )
    return messages, content_bytes


def _stored(session: Session, app_id: str, keys: Iterable[str]) -> dict[str, str | None]:
    """Which of these messages are stored → the order that each hints at."""
    rows = session.query(
        "SELECT message_key, order_id FROM push_messages WHERE shop_id = %s AND message_key IN %s",
        (app_id, sorted(set(keys))),
    )
    return dict(rows)


def _insert(session: Session, fresh: Sequence[tuple[Accepted, str | None]], now: datetime) -> None:
    at = utc_text(now)
    session.insert_many(
        "INSERT INTO push_messages (shop_id, message_key, kind, order_id, content, problem, sent_at, received_at,"
        " last_received_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            (
                one.app_id,
                one.message.key,
                one.message.kind,
                one.message.order_id,
                content,
                one.message.problem,
                utc_text(one.sent_at),
                at,
                at,
            )
            for one, content in fresh
        ],
    )


def _count_repetitions(session: Session, app_id: str, repeated: Counter[str], now: datetime) -> None:
    """Count them with the message, too, up to a number: each change of a row puts its text into the binary log."""
    for key, count in sorted(repeated.items()):
        session.execute(
            "UPDATE push_messages SET received_count = received_count + %s, last_received_at = %s"
            " WHERE shop_id = %s AND message_key = %s AND received_count < %s",
            (count, utc_text(now), app_id, key, _MOST_COUNTED),
        )


def _note_merges(session: Session, fresh: Sequence[Accepted], now: datetime) -> None:
    """Keep which account became which; messages come in any order, so the latest merge of an account counts."""
    merges = [(one.app_id, one.message.merge) for one in fresh if one.message.merge]
    is_later = "VALUES(merged_at) >= COALESCE(merged_at, VALUES(merged_at))"
    changes = ", ".join(
        f"{name} = IF({is_later}, VALUES({name}), {name})"
        for name in ("target_user_id", "told_at", "merged_at")  # the condition reads the last one
    )
    session.insert_many(
        "INSERT INTO user_merges (shop_id, source_user_id, target_user_id, merged_at, told_at)"
        f" VALUES (%s, %s, %s, %s, %s) ON DUPLICATE KEY UPDATE {changes}",
        [
            (app_id, merge.source_user_id, merge.target_user_id, merge.merged_at, utc_text(now))
            for app_id, merge in merges
        ],
    )


def _note(session: Session, app_id: str, day: date, counts: Counter[str]) -> None:
    changed = [(name, counts[name]) for name in _NOTED if counts[name]]
    if changed:
        sums = ", ".join(f"{name} = {name} + %s" for name, _ in changed)
        session.execute(
            f"UPDATE push_days SET {sums} WHERE shop_id = %s AND day = %s",
            (*(count for _, count in changed), app_id, day),
        )
