"""Messages to staff about benefits, in Chinese: the daily report, and notices that cannot wait."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from xiaoe.api import shop_names
from xiaoe.benefits.attention import grants_taken_back, not_observed_since
from xiaoe.benefits.names import NAMES, TAKEN_BACK
from xiaoe.clock import BEIJING, in_words, midnight, utc_text
from xiaoe.mysql.session import Session
from xiaoe.notify.channels import Message
from xiaoe.storage.files import write_whole

SHOWN_ORDERS = 20
"""Order ids in a notice; further ones are only counted."""
MAX_ATTACHMENTS = 15_000_000
"""Bytes of all files of a mail: base64 adds a third, and many servers refuse mails over 20 MB."""
MAX_NEWS_AGE = timedelta(days=7)
"""A newly configured channel is not sent grants taken back earlier than this."""
MAX_CLOCK_SKEW = timedelta(minutes=5)
"""Between this machine and the one that decided."""


# --- the daily report ----------------------------------------------------------------------------------


def export_day(session: Session, shop_id: str, day: date, root: Any, now: datetime) -> dict[str, Any]:
    """Write the day's files and count the decisions.

    Args:
        session: The warehouse.
        shop_id: The shop.
        day: Beijing day.
        root: Folder or bucket for exports.
        now: Time of the run, with an offset.

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
        "shop_id": shop_id,
        "shop_name": shop_names.name_of(session, shop_id),
        "day": f"{day}",
        "grant": counts[NAMES["grant"]],
        "revoke": counts[NAMES["revoke"]],
        "taken_back": counts[TAKEN_BACK],
        "review": len(review),
        "waiting": waiting,
        "longest": in_words(longest),
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


def daily_message(report: dict[str, Any], files: Sequence[Path] = (), *more: str) -> Message:
    """The daily report with files and further lines; free of personal data, so it may go to a chat."""
    back = [f"{TAKEN_BACK} {report['taken_back']} 单：此前判定为发放，请收回已发的福利"] if report["taken_back"] else []
    wait = f"，最久 {report['longest']}" if report["waiting"] else ""
    lines = [
        f"店铺 {report['shop_name']}，{report['day']} 的福利判定：",
        f"发放 {report['grant']} 单",
        f"取消 {report['revoke']} 单",
        *back,
        f"待人工复核 {report['review']} 单（当前）",
        f"已过截止、等待复查 {report['waiting']} 单（当前）{wait}",
        f"最近一次判定：{report['decided_at'] or '尚无'}（北京时间）",
    ]
    if report["review"]:
        lines.append(
            "请在 Airflow 的“待操作的任务实例”中答复待复核订单；单多时，在附件“人工复核”表的“答复”列填好，"
            "由管理员导入（make import-reviews FILE=…）。"
        )
    lines += more
    title = f"福利判定日报 {report['shop_name']} {report['day']}：发放 {report['grant']}，取消 {report['revoke']}"
    title += f"，{TAKEN_BACK} {report['taken_back']}" if report["taken_back"] else ""
    return Message(title, lines, files)


def fetch(names: Sequence[str], opened: Callable[[str], Any], place: Path) -> tuple[list[Path], str | None]:
    """Copy exported files to be attached; if they are too large, return none and a line with their addresses."""
    sources = [opened(name) for name in names]
    size = sum(source.stat().st_size for source in sources)
    if size > MAX_ATTACHMENTS:
        return [], f"文件共 {size / 1e6:.0f} MB，超过邮件上限，未附上；请到此处取：{'，'.join(names)}"
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


def notices(session: Session, shop_id: str, channel: str, *, now: datetime, patience: timedelta) -> list[Notice]:
    """The notices that are due on a channel."""
    found = (_taken_back(session, shop_id, channel, now), _waiting(session, shop_id, channel, now, patience))
    return [notice for notice in found if notice]


def write_notice(session: Session, shop_id: str, channel: str, notice: Notice, now: datetime) -> None:
    """Record that a notice was sent."""
    session.execute(
        "INSERT INTO benefit_notices (shop_id, kind, channel, order_count, log_id, sent_at)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (shop_id, notice.kind, channel, notice.order_count, notice.log_id, utc_text(now)),
    )


def _taken_back(session: Session, shop_id: str, channel: str, now: datetime) -> Notice | None:
    """Grants taken back; each is reported once, even after an interrupted run."""
    [(last_log_id,)] = session.query(
        "SELECT COALESCE(MAX(log_id), 0) FROM benefit_notices WHERE shop_id = %s AND kind = 'taken_back'"
        " AND channel = %s",
        (shop_id, channel),
    )
    found = grants_taken_back(session, shop_id, now - MAX_NEWS_AGE, now + MAX_CLOCK_SKEW, after=last_log_id)
    if not found:
        return None
    names, shop_name = list(dict.fromkeys(order_id for _, order_id in found)), shop_names.name_of(session, shop_id)
    more = f" 等 {len(names)} 单" if len(names) > SHOWN_ORDERS else ""
    message = Message(
        f"【紧急】福利收回 {shop_name}：{len(names)} 单发放后退款",
        [
            f"店铺 {shop_name}：以下订单此前判定为发放，现需收回。如福利已发出，请尽快收回。",
            f"订单：{'、'.join(names[:SHOWN_ORDERS])}{more}",
            "明细见福利判定表 benefit_decisions 及次日日报附件。",
        ],
    )
    return Notice("taken_back", message, len(names), found[-1][0])


def _waiting(session: Session, shop_id: str, channel: str, now: datetime, patience: timedelta) -> Notice | None:
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
    shop_name = shop_names.name_of(session, shop_id)
    message = Message(
        f"【提醒】福利等待复查 {shop_name}：{waiting} 单，最久 {in_words(longest)}",
        [
            f"店铺 {shop_name}：{waiting} 单已过福利截止时间，但之后尚未再次读取，最久已等 {in_words(longest)}。",
            "在读到最新状态之前不会发放。",
            "请检查 15 天复查（xiaoe_orders_rescan）、90 天复查（xiaoe_orders_deep_rescan）是否正常；恢复后自动判定。",
        ],
    )
    return Notice("waiting", message, waiting)
