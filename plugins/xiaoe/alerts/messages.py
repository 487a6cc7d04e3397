"""Texts of the alert messages: Chinese, with the essentials in English. Pure: no clock, no database."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from xiaoe.alerts.events import Event
from xiaoe.alerts.state import Alert
from xiaoe.clock import BEIJING, in_words
from xiaoe.notify.channels import Message

MAX_HEADLINE = 80
MAX_NAMED = 12
ERROR = "报错 error："
LOG = "日志 log："
ADVICE = (
    "怎么办 What to do：报错里写着要改什么；每种报错见 docs/operations.zh-CN.md《报错对照表》"
    "（docs/operations.md, Failures）。"
)
NOTHING_LOST = (
    "数据不会丢：水位线未动，下一次运行会把同一时间段重新读一遍；"
    "xiaoe_orders_history 除外，它失败的那一周要清除后重跑。"
    " Nothing is lost: the next run tries again; a failed week of the history has to be cleared."
)
QUIET = "同一原因再失败不会重复通知，恢复后会再通知一次。 No more mail of this cause until it is over."


def failed(alert: Alert, others: Sequence[Alert]) -> Message:
    """A task failed its last try; `others` failed for the same reason."""
    return Message(
        f"【失败】{_name(alert)}：{headline(alert.message)}",
        [
            f"DAG：{alert.dag_id}　任务 task：{alert.task_id}　店铺 shop：{alert.shop or '—'}",
            f"运行 run：{alert.run_id}　第 {alert.tries or 1} 次尝试 try",
            *([f"时间段 window（北京时间）：{alert.time_window}"] if alert.time_window else []),
            f"自 since {beijing(alert.opened_at)} 起，共 {alert.seen_count} 次",
            f"{ERROR}{alert.message}",
            *([f"{LOG}{alert.log_url}"] if alert.log_url else []),
            *([f"同一原因的还有 likewise：{named(others)}"] if others else []),
            ADVICE,
            NOTHING_LOST,
            QUIET,
        ],
    )


def overdue(alert: Alert, others: Sequence[Alert]) -> Message:
    """A run missed its deadline; so did `others`."""
    return Message(
        f"【超时】{alert.dag_id}：到时间仍未完成",
        [
            f"DAG：{alert.dag_id}　运行 run：{alert.run_id}",
            f"自 since {beijing(alert.opened_at)} 起：{alert.message}",
            *([f"同样超时的还有 likewise：{named(others)}"] if others else []),
            "可能仍在运行、在重试或在排队 It may be running, retrying or waiting："
            "请看 Airflow 页面该 DAG 的最近一次运行；任务卡在 scheduled、queued 时看池 xiaoe_api 和调度器。"
            "见 docs/operations.zh-CN.md《告警》"
            "（docs/operations.md, Alerts）。",
            "数据不会丢 Nothing is lost。下一次按时完成后会再通知一次。 One more mail when a run is in time again.",
        ],
    )


def over(alerts: Sequence[Alert]) -> Message:
    """An outage is over."""
    begin = min(alert.opened_at for alert in alerts)
    end = max(alert.closed_at or alert.last_seen_at for alert in alerts)
    first = next((alert for alert in alerts if alert.kind == "failed"), alerts[0])
    reported = any(alert.told_at for alert in alerts)
    names = list(dict.fromkeys(alert.dag_id for alert in alerts))
    more = f" 等 {len(names)} 个 DAG" if len(names) > 1 else ""
    return Message(
        f"【恢复】{first.dag_id}{more}：故障已结束，历时 {in_words(end - begin)}",
        [
            f"自 since {beijing(begin)} 至 until {beijing(end)}（北京时间），历时 {in_words(end - begin)}。",
            f"涉及 affected：{named(alerts)}",
            f"{ERROR}{first.message}",
            *([] if reported else ["故障期间的通知未能发出，原因见任务日志。 The first mail could not be sent."]),
            "无需处理 Nothing to do。",
        ],
    )


def warehouse_gone(event: Event, reason: str, since: datetime) -> Message:
    """MySQL is not reached, so no alert can be looked up; `event` is the one that could not be recorded."""
    return Message(
        f"【失败】数据库用不了 warehouse down：{headline(reason)}",
        [
            f"自 since {beijing(since)} 起；最先发现 noticed by：{_name(event)}",
            f"{ERROR}{reason}",
            *([f"{LOG}{event.log_url}"] if event.log_url else []),
            "所有同步都会失败，直到数据库恢复。 Every sync fails until it is back.",
            "怎么办 What to do：检查数据库是否在运行、连接 xiaoe_mysql 的地址、用户名和密码、磁盘；"
            "缺表就 make migrate。见 docs/operations.zh-CN.md《告警》（docs/operations.md, Alerts）。",
            "数据不会丢 Nothing is lost。恢复后会再通知一次，期间不再重复。 One more mail when it is back.",
        ],
    )


def warehouse_back(since: datetime, now: datetime) -> Message:
    """MySQL is reached again."""
    return Message(
        f"【恢复】数据库可用了 warehouse is back，历时 {in_words(now - since)}",
        [
            f"自 since {beijing(since)} 至 until {beijing(now)}（北京时间）用不了。",
            "无需处理 Nothing to do：下一次运行会补齐 the next runs catch up。",
        ],
    )


def digest(parts: Sequence[Message]) -> Message:
    """Many messages as one: the title of each, and where to read on."""
    kept = [[part.title, *(line for line in part.lines if line.startswith((ERROR, LOG)))] for part in parts]
    return Message(f"【{len(parts)} 条通知】{parts[0].title} 等", [*(line for lines in kept for line in lines), ADVICE])


def headline(message: str) -> str:
    """The first line, shortened and without quoted values: mail subjects end up in many logs."""
    first = re.sub(r"'[^']*'|\"[^\"]*\"", "'…'", message.strip().partition("\n")[0])
    return first if len(first) <= MAX_HEADLINE else f"{first[: MAX_HEADLINE - 1]}…"


def named(alerts: Sequence[Alert]) -> str:
    """The tasks that alerts are about."""
    names = list(dict.fromkeys(_name(alert) for alert in alerts))
    return "、".join(names[:MAX_NAMED]) + (f" 等 {len(names)} 项" if len(names) > MAX_NAMED else "")


def beijing(moment: datetime) -> str:
    """Beijing time, to the minute."""
    return f"{moment.astimezone(BEIJING):%Y-%m-%d %H:%M}"


def for_chat(message: Message) -> Message:
    """The message without the error's text, which may quote personal data: a chat gets none."""
    return Message(message.title, [line for line in message.lines if not line.startswith(ERROR)])


def _name(what: Alert | Event) -> str:
    return " · ".join(filter(None, (what.dag_id, what.task_id, what.shop)))
