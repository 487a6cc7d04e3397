"""Robots of 钉钉, 企业微信 and 飞书 (Lark): a message is delivered when the service's answer says so.

All of them answer a refused message with HTTP 200 and an error code in the body, which Apprise takes for delivery and
shows nobody; so they are asked here, with one POST each, and Apprise only parses their addresses.

Facts: success is `errcode` 0 (钉钉 open.dingtalk.com/document/robots/custom-robot-access, 企业微信
developer.work.weixin.qq.com/document/path/91770), or `code` 0 and, of older robots, `StatusCode` 0 (飞书
open.feishu.cn/document/client-docs/bot-v3/add-custom-bot) [doc]. Texts: 2,048 bytes in 企业微信, requests of 20,000
bytes in 钉钉 and 20 KB in 飞书 [doc]. 20 messages a minute and robot (飞书 100), then 钉钉 takes none for ten minutes
[doc].
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec

from xiaoe.exceptions import XiaoeConfigError, XiaoeError, XiaoeRetriableError

BUSY = frozenset({-1, 2200, 11232, 45009, 130101, 99991400})
"""Codes after which the same message may be accepted later: system busy, and too many messages a minute."""
_TOO_MANY = re.compile(r"too (?:many|fast)|freq|limit", re.IGNORECASE)
"""Words of a limit under a code that also stands for other refusals: 飞书 answers HTTP 400 with 9499."""
_MAX_WORDS = 200
_ENVELOPE = 1000
"""Bytes of a request besides its text, at most."""
_NUMBERING = len("（99/99）\n".encode())


class Request(NamedTuple):
    """A POST that carries one text."""

    url: str
    payload: dict[str, Any]
    query: dict[str, str]


class Robot(NamedTuple):
    """A kind of robot.

    Args:
        max_bytes: Longest text of a message, as JSON.
        request: Makes the request for a text, from Apprise's parsed address.
    """

    max_bytes: int
    request: Callable[[Any, str], Request]


def _dingtalk(service: Any, text: str) -> Request:
    query = {}
    if service.secret:
        timestamp, sign = service.get_signature()
        query = {"timestamp": timestamp, "sign": unquote(sign)}  # quoted once more on its way
    at = {"atMobiles": service.targets, "isAtAll": False}
    payload = {"msgtype": "text", "text": {"content": text}, "at": at}
    return Request(service.notify_url.format(token=service.token), payload, query)


def _wecom(service: Any, text: str) -> Request:
    return Request(service.notify_url.format(key=service.key), {"msgtype": "text", "text": {"content": text}}, {})


_AT = re.compile("<(?=/?at\\b)", re.IGNORECASE)
"""In a text of 飞书, `<at user_id="all">` calls everybody: a product's or a shop's name may not."""


def _feishu(service: Any, text: str) -> Request:
    url = service.notify_url.format(token=service.token).rstrip("/")
    return Request(url, {"msg_type": "text", "content": {"text": _AT.sub("＜", text)}}, {})


def _lark(service: Any, text: str) -> Request:
    return Request(service.webhook_url, {"msg_type": "text", "content": {"text": _AT.sub("＜", text)}}, {})


ROBOTS = {
    "dingtalk": Robot(20_000 - _ENVELOPE, _dingtalk),
    "wecombot": Robot(2_048, _wecom),
    "feishu": Robot(20_000 - _ENVELOPE, _feishu),
    "lark": Robot(20_000 - _ENVELOPE, _lark),
}
"""Scheme of an Apprise URL → its robot."""


def send(service: Any, title: str, lines: Sequence[str]) -> None:
    """Send a message to a robot, in as many pieces as it takes.

    Args:
        service: Apprise's parsed address; its scheme is a key of `ROBOTS`.
        title: First line of every piece: a robot may demand a word that is in it.
        lines: The text.

    Raises:
        XiaoeConfigError: The service refuses it, in its own words.
        XiaoeRetriableError: It cannot be reached, or asks to try later.
    """
    robot = ROBOTS[service.secure_protocol]
    for text in pieces(title, lines, robot.max_bytes):
        _post(service, robot.request(service, text))


def _post(service: Any, request: Request) -> None:
    import requests

    try:
        answer = requests.post(
            request.url,
            params=request.query,
            data=msgspec.json.encode(request.payload),
            headers={"Content-Type": "application/json; charset=utf-8"},
            verify=service.verify_certificate,
            timeout=service.request_timeout,
            allow_redirects=False,
        )
    except requests.RequestException as error:  # its text contains the address, which is secret
        raise XiaoeRetriableError(f"cannot be reached ({type(error).__name__})") from None
    if refused := refusal(answer.status_code, answer.content, hidden=_secrets(service)):
        raise refused


def _secrets(service: Any) -> list[str]:
    return [word for name in ("token", "secret", "key") if (word := getattr(service, name, None))]


def refusal(status: int, body: bytes, *, hidden: Sequence[str] = ()) -> XiaoeError | None:
    """What an answer says against the message; None if it confirms it.

    Args:
        status: HTTP status.
        body: Of the answer.
        hidden: Secrets that the answer may repeat.
    """
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        answer = None
    found = answer if isinstance(answer, dict) else {}
    codes = [found[name] for name in ("errcode", "code", "StatusCode") if name in found]
    wrong = [code for code in codes if type(code) is not int or code != 0]
    if status == 200 and codes and not wrong:
        return None
    said = next((found[name] for name in ("errmsg", "msg", "StatusMessage") if found.get(name)), None)
    has_code = any(type(code) is int and code in BUSY for code in wrong)
    # 钉钉 redirects who goes on beyond the limit to a page that says so
    is_busy = status == 429 or status >= 500 or status == 302 or has_code or bool(_TOO_MANY.search(str(said or "")))
    words = f"{wrong[0]} {said or ''}" if wrong else f"HTTP {status}, and no answer that confirms the message"
    for secret in hidden:
        words = words.replace(secret, "***")
    words = " ".join(words.split())[:_MAX_WORDS]
    return (XiaoeRetriableError if is_busy else XiaoeConfigError)(words)


# --- long messages -------------------------------------------------------------------------------------


def pieces(title: str, lines: Sequence[str], max_bytes: int) -> list[str]:
    """A message as texts of at most `max_bytes` of JSON; several are numbered, and each begins with the title."""
    whole = "\n".join([title, *lines])
    if _size(whole) <= max_bytes:
        return [whole]
    title = next(_cut(title, max_bytes // 4))
    room = max_bytes - _size(title) - _NUMBERING
    texts: list[str] = []
    for part in (part for line in lines for part in _cut(line, room)):
        if texts and _size(f"{texts[-1]}\n{part}") <= room:
            texts[-1] += f"\n{part}"
        else:
            texts.append(part)
    return [f"{title}（{number}/{len(texts)}）\n{text}" for number, text in enumerate(texts, 1)]


def _cut(line: str, max_bytes: int) -> Iterator[str]:
    """A line in parts of at most `max_bytes` of JSON; one at least."""
    begin, size = 0, 2
    for place, sign in enumerate(line):
        more = _size(sign) - 2
        if size + more > max_bytes:
            yield line[begin:place]
            begin, size = place, 2
        size += more
    yield line[begin:]


def _size(text: str) -> int:
    """Bytes of the text as JSON, quotes included: never less than its UTF-8."""
    return len(msgspec.json.encode(text))
