"""钉钉, 企业微信, 飞书: delivered is what the service confirms; long messages, limits, signatures, secrets."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.servers.inbox import CONFIRMED, MOST_A_MINUTE, TOO_FAST, ChatService, chat_service
from xiaoe.exceptions import XiaoeConfigError, XiaoeRetriableError
from xiaoe.notify import robots
from xiaoe.notify.channels import Message, chat

TOKEN = "abcdef0123456789token"
KEY = "SECsecretsecretsecretsecret"
URLS = {
    "dingtalk": f"dingtalk://{TOKEN}",
    "wecombot": f"wecombot://{TOKEN}",
    "feishu": f"feishu://{TOKEN}",
    "lark": f"lark://{TOKEN}",
}
MESSAGE = Message("【紧急】福利收回 app1：2 单\n发放后退款", ["订单：o_1、o_2", "<b>不是</b> & 标签 🙂"])
WHOLE = "【紧急】福利收回 app1：2 单 发放后退款\n订单：o_1、o_2\n<b>不是</b> & 标签 🙂"

every_robot = pytest.mark.parametrize("robot", URLS)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatService]:
    with chat_service() as service:
        service.stand_in(monkeypatch)
        yield service


def connect(patch: pytest.MonkeyPatch, service: ChatService, *urls: str) -> None:
    patch.setenv("AIRFLOW_CONN_TEAM", service.connection(*urls))


@every_robot
def test_a_message_arrives(service: ChatService, monkeypatch: pytest.MonkeyPatch, robot: str) -> None:
    connect(monkeypatch, service, URLS[robot])
    assert chat(MESSAGE, "team") == {}
    assert service.texts == {robot: [WHOLE]}


REFUSED = [
    ("dingtalk", {"errcode": 310000, "errmsg": "keywords not in content"}, "310000 keywords not in content"),
    ("dingtalk", {"errcode": 310000, "errmsg": "sign not match"}, "310000 sign not match"),
    ("dingtalk", {"errcode": 300001, "errmsg": f"token {TOKEN} is not exist"}, "300001 token *** is not exist"),
    ("wecombot", {"errcode": 93000, "errmsg": "invalid webhook url, hint: [1]"}, "93000 invalid webhook url"),
    ("feishu", {"code": 19024, "msg": "Key Words Not Found"}, "19024 Key Words Not Found"),
    ("feishu", {"code": 19021, "StatusCode": 0, "msg": "sign match fail"}, "19021 sign match fail"),
    ("feishu", {"StatusCode": 19001, "StatusMessage": "token invalid"}, "19001 token invalid"),
    ("lark", {"code": 19024, "msg": "Key Words Not Found"}, "19024 Key Words Not Found"),
    ("dingtalk", {}, "HTTP 200, and no answer that confirms"),
    ("dingtalk", "<html>log in to the hotel's network</html>", "HTTP 200, and no answer that confirms"),
    ("wecombot", "null", "HTTP 200, and no answer that confirms"),
    ("wecombot", {"errcode": False}, "False"),
    ("wecombot", {"errcode": "0"}, "0"),
]


@pytest.mark.parametrize(("robot", "answer", "words"), REFUSED)
def test_a_refusal_with_http_200_is_one(
    service: ChatService,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    robot: str,
    answer: Any,
    words: str,
) -> None:
    connect(monkeypatch, service, URLS[robot])
    service.answers[robot] = answer
    with caplog.at_level(logging.DEBUG, "xiaoe"), pytest.raises(XiaoeConfigError) as raised:
        chat(MESSAGE, "team")
    assert f"({robot}: {words}" in str(raised.value)
    assert TOKEN not in f"{raised.value}{caplog.text}"
    assert service.texts == {}


@every_robot
def test_too_many_messages_a_minute_may_be_sent_later(
    service: ChatService, monkeypatch: pytest.MonkeyPatch, robot: str
) -> None:
    connect(monkeypatch, service, URLS[robot])
    for _ in range(MOST_A_MINUTE):
        chat(MESSAGE, "team")
    code = next(iter(TOO_FAST[robot].values()))
    with pytest.raises(XiaoeRetriableError, match=f"{robot}: {code} "):
        chat(MESSAGE, "team")
    assert len(service.texts[robot]) == MOST_A_MINUTE


@pytest.mark.parametrize("status", [429, 500, 502])
def test_a_service_that_is_not_there_may_be_later(
    service: ChatService, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    connect(monkeypatch, service, URLS["dingtalk"])
    service.status = status
    with pytest.raises(XiaoeRetriableError, match=f"dingtalk: HTTP {status}, and no answer that confirms"):
        chat(MESSAGE, "team")
    service.port = 1
    service.stand_in(monkeypatch)
    with pytest.raises(XiaoeRetriableError, match=r"cannot be reached \(ConnectionError\)") as raised:
        chat(MESSAGE, "team")
    assert TOKEN not in str(raised.value)


@pytest.mark.parametrize(
    ("robot", "status", "answer"),
    [
        ("feishu", 400, {"code": 9499, "msg": "too many request", "data": {}}),
        ("feishu", 200, {"code": 99991400, "msg": "request trigger frequency limit"}),
        ("feishu", 200, {"code": 2200, "msg": "internal error"}),
        ("dingtalk", 302, "<html>penalty</html>"),
        ("dingtalk", 200, {"status": 1111, "wait": 5, "errcode": 130101, "errmsg": "send too fast"}),
    ],
)
def test_a_limit_in_another_form_is_one(
    service: ChatService, monkeypatch: pytest.MonkeyPatch, robot: str, status: int, answer: Any
) -> None:
    """As public reports quote the answers; a limit that counts as a refusal is never sent again."""
    connect(monkeypatch, service, URLS[robot])
    service.status, service.answers[robot] = status, answer
    with pytest.raises(XiaoeRetriableError, match=f"{robot}: "):
        chat(MESSAGE, "team")


def test_a_message_that_is_refused_for_good_stays_so(service: ChatService, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, service, URLS["feishu"])
    service.status, service.answers["feishu"] = 400, {"code": 9499, "msg": "Bad Request"}
    with pytest.raises(XiaoeConfigError, match="9499 Bad Request"):
        chat(MESSAGE, "team")


@every_robot
def test_a_name_calls_nobody_and_half_an_emoji_stops_nothing(
    service: ChatService, monkeypatch: pytest.MonkeyPatch, robot: str
) -> None:
    connect(monkeypatch, service, URLS[robot])
    name = '<at user_id="all">所有人</at> <AT id=all></AT> <attach> **粗** \ud83d'
    assert chat(Message(f"日报 {name}", [f"商品：{name}"]), "team") == {}
    [text] = service.texts[robot]
    assert text.count("\ufffd") == 2
    assert text.count("<attach> **粗**") == 2
    assert ("<at user_id" in text or "<AT" in text) is (robot not in ("feishu", "lark"))


def test_where_one_service_refuses_the_others_are_sent_and_it_is_named(
    service: ChatService, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, service, URLS["dingtalk"], URLS["wecombot"], URLS["wecombot"] + "2")
    service.answers["dingtalk"] = {"errcode": 310000, "errmsg": "keywords not in content"}
    assert chat(MESSAGE, "team") == {"team": "dingtalk: 310000 keywords not in content"}
    assert service.texts == {"wecombot": [WHOLE, WHOLE]}
    service.answers["wecombot"] = TOO_FAST["wecombot"]
    with pytest.raises(XiaoeRetriableError, match=r"dingtalk: 310000 .*; wecombot: 45009 .*; wecombot 2: 45009"):
        chat(MESSAGE, "team")


def test_a_signature_is_quoted_once(service: ChatService, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, service, f"dingtalk://{KEY}@{TOKEN}")
    chat(MESSAGE, "team")
    [query] = service.queries
    assert query["access_token"] == [TOKEN]
    [timestamp], [sign] = query["timestamp"], query["sign"]
    digest = hmac.new(KEY.encode(), f"{timestamp}\n{KEY}".encode(), hashlib.sha256).digest()
    assert base64.b64decode(sign) == digest


# --- long messages -------------------------------------------------------------------------------------


@every_robot
def test_a_message_that_is_too_long_arrives_in_pieces(
    service: ChatService, monkeypatch: pytest.MonkeyPatch, robot: str
) -> None:
    connect(monkeypatch, service, URLS[robot])
    orders = "、".join(f"o_{number}_🙂" for number in range(2000))
    chat(Message("【紧急】福利收回", ["店铺 app1", orders, "明细见日报"]), "team")
    texts = service.texts[robot]
    assert len(texts) > 1
    assert [text.partition("\n")[0] for text in texts] == [
        f"【紧急】福利收回（{number}/{len(texts)}）" for number in range(1, len(texts) + 1)
    ]
    rest = "".join(text.partition("\n")[2] for text in texts)
    assert rest.replace("\n", "") == f"店铺 app1{orders}明细见日报"


@given(title=st.text(max_size=200), lines=st.lists(st.text(max_size=300), max_size=20))
def test_no_piece_is_too_long_and_nothing_is_lost(title: str, lines: list[str]) -> None:
    title = title.replace("\n", " ")
    texts = robots.pieces(title, lines, 400)
    assert all(len(text.encode()) <= len(json.dumps(text, ensure_ascii=False).encode()) - 2 <= 400 for text in texts)
    if len(texts) == 1 and "（1/1）" not in texts[0]:
        assert texts == ["\n".join([title, *lines])]
    else:
        rest = "".join(text.partition("）\n")[2] if "）" not in title else text for text in texts)
        assert "）" in title or rest.replace("\n", "") == "".join(lines).replace("\n", "")


def test_every_answer_of_success_is_one() -> None:
    for answer in CONFIRMED.values():
        assert robots.refusal(200, json.dumps(answer).encode()) is None
    assert robots.refusal(200, b'{"StatusCode": 0, "StatusMessage": "success"}') is None
