"""Messages to staff about benefits: the daily report, and notices that cannot wait. Their texts are in `texts.yaml`."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from xiaoe.api import shop_names
from xiaoe.benefits.attention import grants_taken_back, not_observed_since
from xiaoe.benefits.names import NAMES, TAKEN_BACK
from xiaoe.clock import BEIJING, in_words, midnight, utc_text
from xiaoe.mysql.session import Session
from xiaoe.notify.channels import Message
from xiaoe.storage.files import write_whole
from xiaoe.texts import texts_beside

SHOWN_ORDERS = 20
"""Order ids in a notice; further ones are only counted."""
MAX_ATTACHMENTS = 15_000_000
"""Bytes of all files of a mail: base64 adds a third, and many servers refuse mails over 20 MB."""
MAX_NEWS_AGE = timedelta(days=7)
"""A newly configured channel is not sent grants taken back earlier than this."""
MAX_CLOCK_SKEW = timedelta(minutes=5)
"""Between this machine and the one that decided."""


def _say(language: str, key: str, *values: object) -> str:
    return str(texts_beside(__file__)[key][language]).format(*values)


# --- the daily report ----------------------------------------------------------------------------------


def export_day(
    session: Session, shop_id: str, day: date, root: Any, now: datetime, language: str = "zh"
) -> dict[str, Any]:
    """Write the day's files and count the decisions.

    Args:
        session: The warehouse.
        shop_id: The shop.
        day: Beijing day.
        root: Folder or bucket for exports.
        now: Time of the run, with an offset.
        language: Of the message, `zh` or `en`; the files are in Chinese, as the decisions are.

    Returns:
        The values of the daily message, JSON-serialisable; `files` are the addresses of the written files.
    """
    from xiaoe.benefits.export import decisions_of_day, orders_in_review, table
    from xiaoe.exports.sheets import write_csv, write_xlsx

    begin = midnight(day)
    taken_back = {order_id for _, order_id in grants_taken_back(session, shop_id, begin, begin + timedelta(days=1))}
    decided = decisions_of_day(session, shop_id, day, taken_back)
    review = orders_in_review(session, shop_id)
    counts = Counter(decided["判定"].tolist())
    waiting, longest = not_observed_since(session, shop_id, now)
    folder = root / shop_id / f"{day}"
    with tempfile.TemporaryDirectory() as place:
        files = [Path(place, f"福利判定-{shop_id}-{day}.{kind}") for kind in ("csv", "xlsx")]
        write_csv(table(decided), files[0])
        write_xlsx({"判定": table(decided), NAMES["review"]: table(review)}, files[1])
        for file in files:
            write_whole(folder / file.name, file.read_bytes())
    return {
        "language": language,
        "shop_id": shop_id,
        "shop_name": shop_names.name_of(session, shop_id),
        "day": f"{day}",
        "grant": counts[NAMES["grant"]],
        "revoke": counts[NAMES["revoke"]],
        "taken_back": counts[TAKEN_BACK],
        "review": len(review),
        "waiting": waiting,
        "longest": in_words(longest, language),
        "decided_at": _last_decided(session, shop_id),
        "files": [str(folder / file.name) for file in files],
    }


def _last_decided(session: Session, shop_id: str) -> str | None:
    rows = session.query(
        "SELECT last_success_at + INTERVAL 8 HOUR FROM sync_status"
        " WHERE shop_id = %s AND resource = 'benefits' AND mode = 'decide'",
        (shop_id,),
    )
    return f"{rows[0][0]:%Y-%m-%d %H:%M}" if rows and rows[0][0] else None


def language_of(report: dict[str, Any]) -> str:
    """The language of a report; one that an earlier release worked out is in Chinese."""
    return str(report.get("language", "zh"))


def daily_message(report: dict[str, Any], files: Sequence[Path] = (), *more: str) -> Message:
    """The daily report with files and further lines; free of personal data, so it may go to a chat."""
    say, back = partial(_say, language_of(report)), report["taken_back"]
    lines = [
        say("of_day", report["shop_name"], report["day"]),
        say("granted", report["grant"]),
        say("revoked", report["revoke"]),
        *([say("to_take_back", back)] if back else []),
        say("in_review", report["review"]),
        say("waiting", report["waiting"], say("longest", report["longest"]) if report["waiting"] else ""),
        say("last_decided", report["decided_at"] or say("never")),
        *([say("how_to_answer")] if report["review"] else []),
        *more,
    ]
    counts = report["grant"], report["revoke"], say("title_taken_back", back) if back else ""
    return Message(say("daily_title", report["shop_name"], report["day"], *counts), lines, files)


def fetch(
    names: Sequence[str], opened: Callable[[str], Any], place: Path, language: str
) -> tuple[list[Path], str | None]:
    """Copy exported files to be attached; if they are too large, return none and a line with their addresses."""
    sources = [opened(name) for name in names]
    size = sum(source.stat().st_size for source in sources)
    if size > MAX_ATTACHMENTS:
        return [], _say(language, "too_large", size / 1e6, _say(language, "between").join(names))
    files = [place / source.name for source in sources]
    for source, file in zip(sources, files, strict=True):
        with source.open("rb") as reading, file.open("wb") as writing:
            shutil.copyfileobj(reading, writing)
    return files, None


# --- notices -------------------------------------------------------------------------------------------


class Notice(NamedTuple):
    """A notice that a channel has not been sent yet.

    Args:
        kind: `taken_back` or `waiting`, as stored in `benefit_notices`.
        message: Its text.
        order_count: Number of orders concerned.
        log_id: Last log entry that it covers.
    """

    kind: str
    message: Message
    order_count: int
    log_id: int | None = None


def notices(
    session: Session, shop_id: str, channel: str, *, now: datetime, patience: timedelta, language: str = "zh"
) -> list[Notice]:
    """The notices that are due on a channel, in `zh` or `en`."""
    found = (
        _taken_back(session, shop_id, channel, now, language),
        _waiting(session, shop_id, channel, now, patience, language),
    )
    return [notice for notice in found if notice]


def write_notice(session: Session, shop_id: str, channel: str, notice: Notice, now: datetime) -> None:
    """Record that a notice was sent."""
    session.execute(
        "INSERT INTO benefit_notices (shop_id, kind, channel, order_count, log_id, sent_at)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (shop_id, notice.kind, channel, notice.order_count, notice.log_id, utc_text(now)),
    )


def _taken_back(session: Session, shop_id: str, channel: str, now: datetime, language: str) -> Notice | None:
    """Grants taken back; each is reported once, even after an interrupted run."""
    [(last_log_id,)] = session.query(
        "SELECT COALESCE(MAX(log_id), 0) FROM benefit_notices WHERE shop_id = %s AND kind = 'taken_back'"
        " AND channel = %s",
        (shop_id, channel),
    )
    found = grants_taken_back(session, shop_id, now - MAX_NEWS_AGE, now + MAX_CLOCK_SKEW, after=last_log_id)
    if not found:
        return None
    say = partial(_say, language)
    names, shop_name = list(dict.fromkeys(order_id for _, order_id in found)), shop_names.name_of(session, shop_id)
    more = say("more", len(names)) if len(names) > SHOWN_ORDERS else ""
    message = Message(
        say("urgent_title", shop_name, len(names)),
        [
            say("urgent", shop_name),
            say("orders", say("between").join(names[:SHOWN_ORDERS]), more),
            say("where"),
        ],
    )
    return Notice("taken_back", message, len(names), found[-1][0])


def _waiting(
    session: Session, shop_id: str, channel: str, now: datetime, patience: timedelta, language: str
) -> Notice | None:
    """Orders not observed for too long; once a day, and again when their number has doubled."""
    waiting, longest = not_observed_since(session, shop_id, now)
    if longest <= patience:
        return None
    sent = session.query(
        "SELECT order_count FROM benefit_notices WHERE shop_id = %s AND kind = 'waiting' AND channel = %s"
        " AND sent_at >= %s ORDER BY id DESC LIMIT 1",
        (shop_id, channel, utc_text(midnight(now.astimezone(BEIJING)))),
    )
    if sent and waiting < 2 * sent[0][0]:
        return None
    say, shop_name, length = partial(_say, language), shop_names.name_of(session, shop_id), in_words(longest, language)
    message = Message(
        say("late_title", shop_name, waiting, length),
        [say("late", shop_name, waiting, length), say("late_until"), say("late_fix")],
    )
    return Notice("waiting", message, waiting)
