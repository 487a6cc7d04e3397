"""Mail as public bug reports say that servers of QQ, 163, Exmail and others take it, or do not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult

from support.servers.inbox import PASSWORD, MailServer, body, mail_server
from xiaoe.exceptions import XiaoeConfigError, XiaoeRetriableError
from xiaoe.notify.channels import Message, mail

MESSAGE = Message("昨日经营", ["支付订单 12 单"])
TO = ["a@example.com", "b@example.com"]


@pytest.fixture
def inbox() -> Iterator[MailServer]:
    with mail_server(logs_in=True) as server:
        yield server


def connect(patch: pytest.MonkeyPatch, inbox: MailServer, *, password: str | None = None, **extra: Any) -> None:
    fields = json.loads(inbox.connection(**extra))
    if password is not None:
        fields |= {"login": "robot@example.com", "password": password}
    patch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(fields))


@pytest.mark.parametrize(
    ("given", "name", "address"),
    [
        ("小鹅报表 <robot@example.com>", "小鹅报表", "robot@example.com"),
        ('"报表, 每日" <robot@example.com>', "报表, 每日", "robot@example.com"),
        ("Shop reports <robot@example.com>", "Shop reports", "robot@example.com"),
        (" robot@example.com ", "", "robot@example.com"),
    ],
)
def test_a_sender_may_have_a_name(
    inbox: MailServer, monkeypatch: pytest.MonkeyPatch, given: str, name: str, address: str
) -> None:
    """QQ and Exmail answer 550 to a From whose address is encoded together with its Chinese name (RFC 2047, 5)."""
    connect(monkeypatch, inbox, from_email=given)
    assert mail(MESSAGE, TO) == {}
    [arrived] = inbox.mails
    [sender] = arrived["From"].addresses
    assert (sender.display_name, sender.addr_spec, inbox.senders) == (name, address, [address])


@pytest.mark.parametrize("given", ["小鹅报表", "robot", "<robot@>", "a@example.com, b@example.com"])
def test_a_sender_without_one_address_is_named(inbox: MailServer, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    connect(monkeypatch, inbox, from_email=given)
    with pytest.raises(XiaoeConfigError, match=f"smtp_default: from_email={re.escape(repr(given))}"):
        mail(MESSAGE, TO)
    assert inbox.mails == []


def test_a_mail_has_the_headers_that_receivers_ask_for(inbox: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, inbox)
    for _ in range(2):
        mail(MESSAGE, TO)
    ids = [arrived["Message-ID"] for arrived in inbox.mails]
    assert all(re.fullmatch(r"<[^@<>\s]+@example\.com>", str(one)) for one in ids)
    assert len(set(ids)) == 2
    assert all(arrived["Date"].datetime for arrived in inbox.mails)


@pytest.mark.parametrize("password", ["密码密码密码密码", "pass\u00a0word-with-a-blank-of-the-web"])
def test_a_password_that_smtplib_cannot_send_is_named_without_it(
    inbox: MailServer, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    connect(monkeypatch, inbox, password=password)
    with pytest.raises(XiaoeConfigError, match=r"login, password .* ASCII") as raised:
        mail(MESSAGE, TO)
    assert password not in str(raised.value)
    assert inbox.mails == []


def test_a_log_in_of_ascii_works_and_a_refused_one_names_the_authorisation_code(
    inbox: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, inbox, password=PASSWORD)
    assert mail(MESSAGE, TO) == {}
    inbox.log_in = AuthResult(
        success=False, handled=False, message="535 Login Fail. Please enter your authorization code"
    )
    with pytest.raises(XiaoeConfigError, match=r"535 Login Fail.*授权码"):
        mail(MESSAGE, TO)
    assert len(inbox.mails) == 1


@pytest.mark.parametrize(
    "extra", [{"timeout": "soon"}, {"retry_limit": "often"}, {"ssl_context": "mine", "disable_tls": False}]
)
def test_a_wrong_field_of_the_connection_is_an_answer_and_no_crash(
    inbox: MailServer, monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any]
) -> None:
    connect(monkeypatch, inbox, **extra)
    with pytest.raises(XiaoeConfigError, match="connection smtp_default: "):
        mail(MESSAGE, TO)
    assert inbox.mails == []


def test_a_refusal_in_gbk_is_read(inbox: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, inbox)
    inbox.refusals["DATA"] = "554 用户被锁定".encode("gb18030")
    with pytest.raises(XiaoeConfigError, match="554 用户被锁定"):
        mail(MESSAGE, TO)


def test_names_make_neither_headers_nor_long_lines(inbox: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shop's or a product's name may hold anything; RFC 5322 ends a line at 998 octets."""
    connect(monkeypatch, inbox)
    names = (
        "店\r\nBcc: all@example.com\r\n\r\n<script>",
        "x" * 5000,
        "长" * 5000,
        "\x00\x08\x1b[31m",
        "half \ud83d emoji",
    )
    for name in names:
        assert mail(Message(f"日报 {name}", [f"商品：{name}"]), TO) == {}
    assert [arrived["Bcc"] for arrived in inbox.mails] == [None] * len(names)
    assert max(len(line) for line in b"\n".join(inbox.contents).splitlines()) <= 998
    for content in inbox.contents:
        words = re.findall(rb"=\?utf-8\?.*?\?=", content)
        assert max(map(len, words)) <= 75, "RFC 2047, section 2"
    assert [arrived["Subject"].count("x" * 5000) for arrived in inbox.mails] == [0, 1, 0, 0, 0]
    assert "&lt;script&gt;" in body(inbox.mails[0])
    assert "half \ufffd emoji" in body(inbox.mails[-1])


def test_a_line_that_drops_after_the_message_may_be_later(inbox: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, inbox)
    inbox.drops = True
    with pytest.raises(XiaoeRetriableError, match="could not be reached"):
        mail(MESSAGE, TO)
    inbox.drops = False
    assert mail(MESSAGE, TO) == {}
