"""Mail and chat: what arrives, what is said when it does not, and that no secret is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowNotFoundException
from apprise.logger import logger as apprise_logger

from support.servers.inbox import PASSWORD, TOKEN, ChatService, MailServer, attachments, body, chat_service, mail_server
from xiaoe import connections, settings
from xiaoe.exceptions import XiaoeConfigError, XiaoeRetriableError
from xiaoe.notify.channels import Message, chat, configured_channels, mail

MESSAGE = Message("【紧急】福利收回 app1：2 单\n发放后退款", ["订单：o_1、o_2", "<b>不是</b> & 标签 🙂"])
TO = ["a@example.com", "b@example.com"]


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    with mail_server() as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", server.connection())
        yield server


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatService]:
    with chat_service() as service:
        monkeypatch.setenv("AIRFLOW_CONN_APPRISE_DEFAULT", service.connection())
        yield service


# --- mail ----------------------------------------------------------------------------------------------


def test_a_mail_arrives_with_chinese_text_and_files(inbox: MailServer, tmp_path: Path) -> None:
    files = [tmp_path / "福利判定-app1-2026-11-20.csv", tmp_path / "福利判定-app1-2026-11-20.xlsx"]
    files[0].write_bytes("\ufeff订单ID\r\n=1\r\n".encode())
    files[1].write_bytes(bytes(range(256)) * 100)
    mail(Message(MESSAGE.title, MESSAGE.lines, files), TO)
    [arrived] = inbox.mails
    assert arrived["Subject"] == "【紧急】福利收回 app1：2 单 发放后退款"
    assert (arrived["To"], arrived["From"]) == ("a@example.com, b@example.com", "airflow@example.com")
    assert attachments(arrived) == {file.name: file.read_bytes() for file in files}
    assert body(arrived).splitlines() == ["<p>订单：o_1、o_2</p>", "<p>&lt;b&gt;不是&lt;/b&gt; &amp; 标签 🙂</p>"]


@pytest.mark.parametrize(
    ("command", "said", "error", "text"),
    [
        ("RCPT", "550 no such user", XiaoeConfigError, "refuses every address (a@example.com: 550 no such user"),
        ("RCPT", "450 greylisted", XiaoeRetriableError, "450 greylisted"),
        ("DATA", "552 too large", XiaoeConfigError, "the mail server answers 552 too large"),
        ("DATA", "451 try later", XiaoeRetriableError, "451 try later; trying again later"),
    ],
)
def test_what_a_mail_server_refuses_is_said(
    inbox: MailServer, command: str, said: str, error: type[Exception], text: str
) -> None:
    inbox.refusals[command] = said
    with pytest.raises(error) as raised:
        mail(MESSAGE, TO)
    assert type(raised.value) is error
    assert text in str(raised.value)
    assert "connection smtp_default" in str(raised.value)


def test_an_address_that_is_refused_among_others_is_named(inbox: MailServer) -> None:
    inbox.refusals["RCPT b@example.com"] = "550 no such user"
    assert mail(MESSAGE, TO) == {"b@example.com": "550 no such user"}
    [arrived] = inbox.mails
    assert arrived["To"] == "a@example.com, b@example.com"


def test_no_mail_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_SMTP_DEFAULT", raising=False)
    monkeypatch.setattr(connections.BaseHook, "get_connection", _not_found)
    with pytest.raises(XiaoeConfigError, match="there is no Airflow connection smtp_default: create one of type smtp"):
        mail(MESSAGE, TO)


@pytest.mark.parametrize(
    ("connection", "error", "text"),
    [
        ({"conn_type": "http"}, XiaoeConfigError, "connection smtp_default: type 'http': it must be of type smtp"),
        ({"conn_type": "smtp"}, XiaoeConfigError, "from_email=None: give the sender"),
    ],
)
def test_a_wrong_mail_connection_is_named(
    monkeypatch: pytest.MonkeyPatch, connection: dict[str, str], error: type[Exception], text: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
    with pytest.raises(error, match=text):
        mail(MESSAGE, TO)


def test_a_mail_server_that_is_not_there(inbox: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox.port = 1
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", inbox.connection())
    with pytest.raises(XiaoeRetriableError, match=r"could not be reached .*: check host, port, disable_ssl"):
        mail(MESSAGE, TO)


def test_a_server_without_encryption_or_log_in(inbox: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", inbox.connection(disable_tls=False))
    with pytest.raises(XiaoeConfigError, match="set disable_tls, disable_ssl and the login"):
        mail(MESSAGE, TO)
    with_login = json.loads(inbox.connection()) | {"login": "robot", "password": PASSWORD}
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(with_login))
    with pytest.raises(XiaoeConfigError) as raised:
        mail(MESSAGE, TO)
    assert PASSWORD not in str(raised.value)


# --- chat ----------------------------------------------------------------------------------------------


def test_a_chat_message_arrives(group: ChatService) -> None:
    chat(MESSAGE, "apprise_default")
    [said] = group.said
    assert said["title"] == "【紧急】福利收回 app1：2 单 发放后退款"
    assert said["message"] == "订单：o_1、o_2\n<b>不是</b> & 标签 🙂"


def test_one_connection_may_name_several_services(group: ChatService, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [f"json://127.0.0.1:{group.port}/{name}" for name in ("dingtalk", "wecom", "feishu")]
    monkeypatch.setenv("AIRFLOW_CONN_APPRISE_DEFAULT", group.connection(*paths))
    chat(MESSAGE, "apprise_default")
    assert len(group.said) == 3


def test_a_message_that_no_service_took_did_not_arrive(
    group: ChatService, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Apprise only returns False, and Airflow's hook drops it."""
    group.status = 500
    apprise_logger.addHandler(caplog.handler)
    with pytest.raises(
        XiaoeRetriableError, match="connection apprise_default: a chat service did not accept"
    ) as raised:
        chat(MESSAGE, "apprise_default")
    apprise_logger.removeHandler(caplog.handler)
    assert TOKEN not in f"{raised.value}{caplog.text}{capsys.readouterr()}"


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"config": "not json"},
        {"config": []},
        {"config": {"tag": "alerts"}},
        {"config": 7},
        {"config": {"path": f"nosuchservice://{TOKEN}"}},
        {"config": [{"path": "json://localhost"}, {"path": f"dingtalk:/{TOKEN}"}]},
    ],
    ids=str,
)
def test_a_wrong_chat_connection_is_named_without_its_secret(
    monkeypatch: pytest.MonkeyPatch, extra: dict[str, object]
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TEAM", json.dumps({"conn_type": "apprise", "extra": extra}))
    with pytest.raises(XiaoeConfigError, match="connection team: extra field config holds no Apprise URL") as raised:
        chat(MESSAGE, "team")
    assert TOKEN not in str(raised.value)


def test_a_chat_connection_of_another_type_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TEAM", json.dumps({"conn_type": "http"}))
    with pytest.raises(XiaoeConfigError, match="connection team: type 'http': it must be of type apprise"):
        chat(MESSAGE, "team")
    monkeypatch.setattr(connections.BaseHook, "get_connection", _not_found)
    with pytest.raises(XiaoeConfigError, match="XIAOE_CHAT_CONN_ID='team', but there is no Airflow connection team"):
        chat(MESSAGE, "team")


# --- what is configured --------------------------------------------------------------------------------


def test_nothing_is_configured_by_default(clean_environment: pytest.MonkeyPatch) -> None:
    assert configured_channels(settings.benefit_mail_to(), settings.chat_conn_id()) == {}


def test_each_channel_where_it_is_configured(
    inbox: MailServer, group: ChatService, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv("XIAOE_BENEFIT_MAIL_TO", " a@example.com, b@example.com,a@example.com, ")
    clean_environment.setenv("XIAOE_CHAT_CONN_ID", " apprise_default ")
    found = configured_channels(settings.benefit_mail_to(), settings.chat_conn_id())
    assert list(found) == ["mail", "chat"]
    for channel in found.values():
        assert channel.send(MESSAGE) == {}
    assert [arrived["To"] for arrived in inbox.mails] == ["a@example.com, b@example.com"]
    assert len(group.said) == 1


@pytest.mark.parametrize("value", ["nobody", "a@b@c", "a b@example.com", "张三", "Ops <ops@example.com>", "a;b@c.d"])
def test_a_wrong_address_is_named(clean_environment: pytest.MonkeyPatch, value: str) -> None:
    clean_environment.setenv("XIAOE_BENEFIT_MAIL_TO", f"ok@example.com,{value}")
    with pytest.raises(XiaoeConfigError) as raised:
        settings.benefit_mail_to()
    assert all(part in str(raised.value) for part in ("XIAOE_BENEFIT_MAIL_TO", repr(value), "separated by commas"))


def test_the_other_settings(clean_environment: pytest.MonkeyPatch) -> None:
    clean_environment.setenv("AIRFLOW_HOME", "/opt/airflow")
    assert settings.export_dir() == "file:///opt/airflow/xiaoe_exports"
    assert settings.benefit_wait().total_seconds() == 2 * 3600
    clean_environment.setenv("XIAOE_EXPORT_DIR", "s3://bucket/exports")
    clean_environment.setenv("XIAOE_BENEFIT_WAIT_HOURS", "0")
    assert settings.export_dir() == "s3://bucket/exports"
    with pytest.raises(XiaoeConfigError, match="XIAOE_BENEFIT_WAIT_HOURS='0': give a whole number, 1 or more"):
        settings.benefit_wait()


def _not_found(conn_id: str) -> None:
    raise AirflowNotFoundException(conn_id)
