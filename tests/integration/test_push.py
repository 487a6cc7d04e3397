"""The push service over HTTP with a database: what is stored, what is refused; nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import datetime, timezone
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from emulator.push import sealing
from emulator.push.sealing import Sealed, Secrets, seal
from support.faults.processes import KillSwitch, killed_everywhere
from support.fixtures import servers
from support.servers.emulator import serving
from support.servers.push import SECRETS, PushClient, connection, order_change, pushing, pushing_child
from support.servers.relay import Relay
from support.worlds.shop import APP_ID, CLIENT_ID, NOW, SECRET, Database
from xiaoe.maintenance import old_rows
from xiaoe.maintenance.operators import XiaoeMaintenanceOperator
from xiaoe.mysql.warehouse import Warehouse
from xiaoe.push.gate import Accepted
from xiaoe.push.messages import read_message
from xiaoe.push.store import DayLimits, Outcome, Store
from xiaoe.push.writer import GroupWriter

pytestmark = pytest.mark.mysql
one_server = pytest.mark.parametrize("migrated", servers()[:1], indirect=True)
SUCCESS = (200, "success")


@pytest.fixture
def shop(database: Database, clean_environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A shop whose connection has the secrets of its push."""
    clean_environment.setenv("AIRFLOW_CONN_XIAOE_DEFAULT", connection(APP_ID))
    clean_environment.setenv("XIAOE_HINTS", "push")
    return clean_environment


@pytest.fixture
def client(shop: pytest.MonkeyPatch) -> Iterator[PushClient]:
    with pushing(APP_ID) as client:
        yield client


def hints(database: Database) -> list[str]:
    return [row["order_id"] for row in database.rows("SELECT order_id FROM change_hints ORDER BY id")]


def messages(database: Database, *columns: str) -> list[tuple[Any, ...]]:
    names = ", ".join(columns or ("message_key",))
    return [tuple(row.values()) for row in database.rows(f"SELECT {names} FROM push_messages ORDER BY message_key")]


def day(database: Database) -> dict[str, Any]:
    """Counts of the only day."""
    [row] = database.rows("SELECT * FROM push_days")
    return {name: value for name, value in row.items() if value and name not in ("shop_id", "day")}


# --- what is taken -------------------------------------------------------------------------------------


def test_a_change_is_acknowledged_once_message_and_hint_are_stored(client: PushClient, database: Database) -> None:
    text = order_change(APP_ID, "o_1", "m1")
    assert client.push(text) == SUCCESS
    [row] = database.rows("SELECT * FROM push_messages")
    assert (row["shop_id"], row["message_key"], row["kind"], row["order_id"]) == (APP_ID, "m1", "order_change", "o_1")
    assert row["content"].encode() == text
    [hint] = database.rows("SELECT shop_id, order_id, source, changed_at, told_at FROM change_hints")
    assert hint["told_at"] == row["received_at"]
    assert list(hint.values())[:4] == [APP_ID, "o_1", "push", None]
    assert day(database) == {"messages": 1, "hints": 1, "content_bytes": len(text)}


def test_a_message_that_comes_again_is_one_hint(client: PushClient, database: Database) -> None:
    """Sealed anew each time, as the shop may do it, and byte for byte."""
    sealed = seal(order_change(APP_ID, "o_1", "m1"), SECRETS, int(time.time()))
    assert [client.post(sealed), client.post(sealed), client.change("o_1", "m1")] == [SUCCESS] * 3
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: client.change("o_2", "m2"), range(24))) == {SUCCESS}
    assert hints(database) == ["o_1", "o_2"]
    assert messages(database, "message_key", "received_count") == [("m1", 3), ("m2", 24)]
    assert (day(database)["messages"], day(database)["repeated"]) == (2, 25)


def test_two_messages_about_one_order_are_two_hints(client: PushClient, database: Database) -> None:
    assert [client.change("o_1", "m1"), client.change("o_1", "m2")] == [SUCCESS] * 2
    assert hints(database) == ["o_1", "o_1"]


def test_one_id_for_two_orders_loses_neither(client: PushClient, database: Database) -> None:
    """The id stands for a message [doc]; that every sender keeps to it is nobody's promise."""
    assert [client.change(order, "m1") for order in ("o_1", "o_2", "o_1")] == [SUCCESS] * 3
    assert hints(database) == ["o_1", "o_2"]
    assert messages(database, "message_key", "order_id", "received_count") == [("m1", "o_1", 3)]


@one_server
def test_addresses_and_bodies_as_clients_write_them(client: PushClient, database: Database) -> None:
    """Nobody's client follows a redirect; Java's and .NET's put a mark before a text, PHP's send any content type."""
    mark, address = b"\xef\xbb\xbf", urlsplit(client.url)
    for number, (path, form, change) in enumerate(
        [
            (f"/push/{APP_ID}/", "json", lambda one: one),
            ("/push/", "json", lambda one: one),
            (None, "json", lambda one: one._replace(body=mark + one.body)),
            (None, "xml", lambda one: one._replace(body=mark + b" \r\n" + one.body)),
            (None, "json", lambda one: one._replace(content_type="text/plain; charset=gbk")),
            (None, "form", lambda one: one._replace(content_type="")),
            (None, "xml", lambda one: one._replace(content_type="application/json")),
        ]
    ):  # fmt: skip
        text = order_change(APP_ID, f"o_{number}", f"m{number}")
        sealed = seal(mark + text if number % 2 else text, SECRETS, int(time.time()), form=form)
        assert client.post(change(sealed), path) == SUCCESS, number
    sealed = seal(order_change(APP_ID, "o_7", "m7"), SECRETS, int(time.time()))
    line = HTTPConnection(address.hostname or "", address.port)
    with closing(line):
        pieces = (sealed.body[at : at + 7] for at in range(0, len(sealed.body), 7))
        line.request("POST", f"/push/{APP_ID}", pieces, encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
        assert line.getresponse().read() == b"success"
    assert hints(database) == [f"o_{number}" for number in range(8)]


def test_what_nobody_knows_is_kept_and_acknowledged(client: PushClient, database: Database) -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY b "cc"><!ENTITY d "&b;&b;">]><a><type>&d;</type></a>'
    assert client.push(f"<type>exam</type><app_id>{APP_ID}</app_id><message_id>m1</message_id>".encode()) == SUCCESS
    assert client.push(bomb) == SUCCESS
    assert client.push(b"\x00\xff") == SUCCESS
    found = dict(messages(database, "kind", "COUNT(*) OVER (PARTITION BY kind)"))
    assert found == {"exam": 1, "unreadable": 2}
    assert hints(database) == []
    assert bomb.decode() in [content for (content,) in messages(database, "content")]
    assert day(database)["unreadable"] == 2


def test_accounts_that_became_one_in_any_order(client: PushClient, database: Database) -> None:
    def merge(message_id: str, source: str, target: str, at: str) -> tuple[int, str]:
        fields = {"source_user_id": source, "target_user_id": target, "merged_at": at}
        data = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
        head = f"<app_id>{APP_ID}</app_id><message_id>{message_id}</message_id><type>account_merge</type>"
        return client.push(f"{head}<xe_data>{data}</xe_data>".encode())

    assert merge("m1", "u1", "u3", "2026-11-02 10:00:00") == SUCCESS
    assert merge("m2", "u1", "u2", "2026-11-01 10:00:00") == SUCCESS, "told late"
    assert merge("m3", "u4", "u1", "") == SUCCESS
    assert merge("m4", "u5", "u5", "2026-11-01 10:00:00") == SUCCESS
    rows = database.rows("SELECT source_user_id, target_user_id, merged_at FROM user_merges ORDER BY source_user_id")
    assert [tuple(row.values()) for row in rows] == [
        ("u1", "u3", datetime(2026, 11, 2, 10)),
        ("u4", "u1", None),
    ]


def test_with_a_policy_nothing_about_people_is_stored(
    database: Database, shop: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shop.setenv("XIAOE_PERSONAL_DATA", "push_messages.content=masked")
    data = "<xe_data><user_id>u1</user_id><phone>13812345678</phone><nickname>张三丰</nickname></xe_data>"
    text = f"<type>user_phone_change</type><app_id>{APP_ID}</app_id><message_id>m1</message_id>{data}"
    with pushing(APP_ID) as client:
        assert client.push(text.encode()) == SUCCESS
    [(content,)] = messages(database, "content")
    kept = dict(json.loads(content))
    assert (kept["user_id"], kept["phone"], kept["nickname"]) == ("u1", "138****5678", "张**")
    assert not [word for word in ("13812345678", "张三丰", SECRETS.token, SECRETS.aeskey) if word in caplog.text]


# --- what is not ---------------------------------------------------------------------------------------


def test_forged_old_and_foreign_requests_change_nothing(client: PushClient, database: Database) -> None:
    text = order_change(APP_ID, "o_1", "m1")
    assert client.push(text, secrets=Secrets("guessed", SECRETS.aeskey)) == (403, "bad_signature")
    assert client.push(text, age=49 * 3600) == (403, "too_old"), "a replay of long ago"
    assert client.push(text, age=-3600) == (403, "from_the_future")
    assert client.push(text, secrets=Secrets(SECRETS.token, "B" + SECRETS.aeskey[1:])) == (500, "wrong_key")
    assert client.push(order_change("another", "o_1", "m1")) == (403, "wrong_shop")
    sealed = seal(text, SECRETS, int(time.time()))
    assert client.post(sealed, "/push/another") == (403, "unknown_shop")
    assert client.post(Sealed("", "text/plain", b"hello")) == (400, "no_push")
    assert client.post(Sealed("", "application/json", b"[" * 300_000)) == (413, "too_long")
    assert (messages(database), hints(database)) == ([], [])
    assert client.post(sealed, "/push") == SUCCESS, "the message says whose it is"
    assert hints(database) == ["o_1"]
    assert day(database)["refused"] == 5, "those of this shop; stored with the next message"


def test_the_console_may_check_the_address_in_either_way(client: PushClient, database: Database) -> None:
    now = str(int(time.time()))
    values = {"timestamp": now, "nonce": "n", "echostr": "4375120948345356249"}
    signature = sealing.sign(SECRETS.token, now, "n", "")
    assert client.get(f"/push/{APP_ID}?{urlencode({**values, 'signature': signature})}") == (200, values["echostr"])
    secret = sealing.encrypt(b"echo", SECRETS.aeskey)
    signature = sealing.sign(SECRETS.token, now, "n", secret)
    asked = urlencode({**values, "echostr": secret, "msg_signature": signature})
    assert client.get(f"/push/{APP_ID}?{asked}") == (200, "echo")
    assert client.get(f"/push/{APP_ID}?{urlencode({**values, 'signature': signature})}") == (403, "bad_signature")
    assert client.get(f"/push/{APP_ID}?{'a=1&' * 50}") == (400, "no_push")
    assert messages(database) == []


# --- a flood -------------------------------------------------------------------------------------------


def test_beyond_the_days_bytes_only_hints_are_kept_and_beyond_its_messages_none(
    database: Database, shop: pytest.MonkeyPatch
) -> None:
    shop.setenv("XIAOE_PUSH_MAX_MB_PER_DAY", "1")
    shop.setenv("XIAOE_PUSH_MAX_MESSAGES_PER_DAY", "12")
    filler = b"<note>" + b"x" * 99_000 + b"</note>"
    with pushing(APP_ID) as client:
        answers = [client.push(order_change(APP_ID, f"o_{n:02}", f"m{n:02}") + filler) for n in range(14)]
        repeated = client.push(order_change(APP_ID, "o_11", "m11") + filler)
    assert answers == [SUCCESS] * 12 + [(503, "over the day's limit")] * 2
    assert repeated == SUCCESS, "it is known without its text"
    assert hints(database) == [f"o_{n:02}" for n in range(12)]
    kept = [content is not None for (content,) in messages(database, "content")]
    assert kept == [True] * 10 + [False] * 2
    told = day(database)
    assert (told["without_content"], told["over_limit"], told["repeated"]) == (2, 2, 1)
    assert told["content_bytes"] <= 1_000_000


def accepted(message_id: str) -> Accepted:
    text = order_change(APP_ID, f"o_{message_id}", message_id)
    return Accepted(APP_ID, datetime(2026, 11, 20, tzinfo=timezone.utc), read_message(text))


def written(store: Store, *batch: Accepted) -> list[Outcome]:
    with Warehouse().session() as session:
        outcomes = store.write(session, batch, datetime.now(timezone.utc))
        session.commit()
        return outcomes


def test_one_batch_may_hold_a_message_twice(shop: pytest.MonkeyPatch, database: Database) -> None:
    store = Store(DayLimits(10, 10_000), None)
    outcomes = written(store, accepted("m1"), accepted("m2"), accepted("m1"))
    assert outcomes == [Outcome.STORED, Outcome.STORED, Outcome.REPEATED]
    assert messages(database, "message_key", "received_count") == [("m1", 2), ("m2", 1)]
    assert hints(database) == ["o_m1", "o_m2"]


def test_who_repeats_a_message_for_ever_fills_no_log(shop: pytest.MonkeyPatch, database: Database) -> None:
    store = Store(DayLimits(10, 10_000), None)
    for times in (1, 60, 60, 60):
        written(store, *[accepted("m1")] * times)
    assert messages(database, "message_key", "received_count") == [("m1", 121)]
    assert day(database)["repeated"] == 180


def test_two_services_store_a_message_once(shop: pytest.MonkeyPatch, database: Database) -> None:
    store = Store(DayLimits(10_000, 10_000_000), None)
    batches = [[accepted(f"m{n:03}") for n in range(start, start + 40)] for start in (0, 20, 40, 0)]
    with ThreadPoolExecutor(4) as pool:
        outcomes = [one for batch in pool.map(lambda batch: written(store, *batch), batches) for one in batch]
    assert outcomes.count(Outcome.STORED) == 80
    assert sorted(hints(database)) == [f"o_m{n:03}" for n in range(80)]


@one_server
@pytest.mark.parametrize("arm", [KillSwitch.at_each_statement, KillSwitch.in_each_statement], ids=["before", "within"])
def test_killed_anywhere_a_batch_is_there_whole_or_not_at_all(
    shop: pytest.MonkeyPatch, database: Database, arm: Callable[[KillSwitch], None]
) -> None:
    store = Store(DayLimits(10, 10_000), None)
    with Warehouse().session():  # its check of the schema is no part of this
        pass

    def work() -> None:
        with Warehouse().session(any_schema=True) as session:
            store.write(session, [accepted("m1"), accepted("m2")], datetime.now(timezone.utc))
            session.commit()

    deaths = 0
    for _ in killed_everywhere(work, arm):
        deaths += 1
        told = [row["messages"] for row in database.rows("SELECT messages FROM push_days WHERE messages > 0")]
        assert (len(messages(database)), len(hints(database)), told) in ((0, 0, []), (2, 2, [2]))
    assert deaths >= 8
    assert hints(database) == ["o_m1", "o_m2"]


# --- trouble -------------------------------------------------------------------------------------------


@contextmanager
def through_a_relay(shop: pytest.MonkeyPatch, migrated: str) -> Iterator[Relay]:
    parts = urlsplit(migrated)
    relay = Relay(parts.port or 3306)
    relay.start()
    shop.setenv("AIRFLOW_CONN_XIAOE_MYSQL", migrated.replace(f":{parts.port}/", f":{relay.port}/"))
    yield relay
    relay.stop()


def test_while_the_database_is_down_nothing_is_acknowledged_and_afterwards_it_comes_again(
    migrated: str, database: Database, shop: pytest.MonkeyPatch
) -> None:
    with through_a_relay(shop, migrated) as relay, pushing(APP_ID) as client:
        assert client.change("o_1") == SUCCESS
        assert client.get("/health") == (200, "ok")
        relay.stop()
        status, answer = client.change("o_2")
        assert (status, answer) == (503, "not stored: send it again")
        assert client.get("/health")[0] == 503
        assert hints(database) == ["o_1"]
        relay.start()
        assert client.change("o_2") == SUCCESS
        assert client.get("/health") == (200, "ok")
    assert hints(database) == ["o_1", "o_2"]


def test_messages_that_come_while_the_database_goes_and_comes_are_stored_if_acknowledged(
    migrated: str, database: Database, shop: pytest.MonkeyPatch
) -> None:
    acknowledged: set[str] = set()

    def send(numbers: range) -> None:
        for number in numbers:
            if client.change(f"o_{number}") == SUCCESS:
                acknowledged.add(f"o_{number}")

    with through_a_relay(shop, migrated) as relay, pushing(APP_ID) as client:
        threads = [threading.Thread(target=send, args=(range(start, start + 60),)) for start in range(0, 360, 60)]
        for thread in threads:
            thread.start()
        for _ in range(4):
            client.change("o_a")  # between two of them others come, too
            relay.stop()
            client.change("o_b")
            relay.start()
        for thread in threads:
            thread.join()
    assert acknowledged
    assert acknowledged <= set(hints(database))
    told = [order_id for order_id in hints(database) if order_id not in ("o_a", "o_b")]
    assert len(told) == len(set(told)), "one message, one hint"


@one_server
def test_a_service_that_is_killed_has_stored_what_it_acknowledged(database: Database, shop: pytest.MonkeyPatch) -> None:
    acknowledged: set[str] = set()
    answers: set[tuple[int, str]] = set()
    with pushing_child(APP_ID) as (client, child):
        enough = threading.Event()

        def send(start: int) -> None:
            for number in range(start, start + 10_000):
                try:
                    answer = client.change(f"o_{number}")
                except OSError:
                    return
                answers.add(answer)
                acknowledged.add(f"o_{number}")
                if len(acknowledged) > 200:
                    enough.set()

        threads = [threading.Thread(target=send, args=(start,)) for start in range(0, 80_000, 10_000)]
        for thread in threads:
            thread.start()
        assert enough.wait(120)
        child.kill()
        for thread in threads:
            thread.join()
    stored = hints(database)
    assert answers == {SUCCESS}
    assert len(acknowledged) > 200
    assert acknowledged <= set(stored)
    assert sorted(stored) == sorted(order_id for (order_id,) in messages(database, "order_id"))


@one_server
def test_killed_before_the_commit_it_has_acknowledged_nothing(
    migrated: str, database: Database, shop: pytest.MonkeyPatch
) -> None:
    """The statements of a message have run, its commit is under way: whoever hears `success` now loses a change."""
    with through_a_relay(shop, migrated) as relay, pushing_child(APP_ID) as (client, child):
        assert client.change("o_1") == SUCCESS
        relay.withhold(b"COMMIT")
        answer = client.change("o_2")
        child.kill()
    assert hints(database) == ["o_1"]
    assert answer == (503, "not stored: send it again")


@one_server
def test_a_service_that_is_stopped_answers_what_has_come(database: Database, shop: pytest.MonkeyPatch) -> None:
    with pushing(APP_ID) as client, ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(client.change, [f"o_{n}" for n in range(20)]))
    assert answers == [SUCCESS] * 20
    assert len(hints(database)) == 20


@one_server
def test_a_body_that_does_not_come_holds_up_nobody(client: PushClient, database: Database) -> None:
    address = urlsplit(client.url)
    with socket.create_connection((address.hostname, address.port or 80)) as slow:
        slow.sendall(f"POST /push/{APP_ID} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf".encode())
        assert client.change("o_1") == SUCCESS
        assert slow.recv(1000).startswith(b"HTTP/1.1 400"), "answered nevertheless"
    assert hints(database) == ["o_1"]


@one_server
def test_while_others_hold_the_lock_the_shop_is_told_to_come_again(client: PushClient, database: Database) -> None:
    assert client.change("o_1") == SUCCESS
    holder = database.connect()
    try:
        holder.begin()
        holder.query("UPDATE push_days SET messages = messages")
        assert client.change("o_2")[0] == 503
        assert hints(database) == ["o_1"]
    finally:
        holder.rollback()
        holder.close()
    assert client.change("o_2") == SUCCESS
    assert hints(database) == ["o_1", "o_2"]


@one_server
def test_a_message_that_cannot_be_stored_holds_up_no_other(shop: pytest.MonkeyPatch, database: Database) -> None:
    def hide(value: str) -> str:
        if value == "poison":
            raise RuntimeError("not this one")
        return value

    async def send() -> list[Any]:
        poisoned = b"<type>t</type><message_id>mx</message_id><name>poison</name>"
        bad = Accepted(APP_ID, datetime(2026, 11, 20, tzinfo=timezone.utc), read_message(poisoned))
        return await asyncio.gather(
            *(writer.put(one) for one in (accepted("m1"), bad, accepted("m2"))), return_exceptions=True
        )

    writer = GroupWriter(Warehouse().session, Store(DayLimits(10, 10_000), hide))
    writer.start()
    try:
        first, second, third = asyncio.run(send())
    finally:
        writer.stop()
    assert (first, third) == (Outcome.STORED, Outcome.STORED)
    assert type(second).__name__ == "BusyError"
    assert hints(database) == ["o_m1", "o_m2"]


# --- the whole way -------------------------------------------------------------------------------------


@one_server
def test_what_a_shop_tells_of_days_lost_twice_late_and_in_any_order(client: PushClient, database: Database) -> None:
    begin = int(datetime.fromisoformat("2026-11-16T00:00:00+08:00").timestamp())
    credentials = f"{APP_ID}:{CLIENT_ID}:{SECRET}"
    with serving(orders=3000, start="2026-09-01", now=NOW, frozen=True, seed=7, shop=[credentials]) as emulator:
        told: Any = emulator.push(
            url=f"{client.url}/push/{APP_ID}", token=SECRETS.token, aeskey=SECRETS.aeskey,
            begin=begin, end=begin + 3 * 86_400, twice=0.3, lost=0.1, late=0.2, shuffled=True,
        )  # fmt: skip
    assert told["unanswered"] == []
    assert told["answers"].keys() == {"200"}
    sent = set(told["sent"])
    assert 50 < len(sent) < len(told["sent"])
    assert len(sent) < len(told["events"]), "some were never sent"
    assert {key for (key,) in messages(database)} == sent
    expected = sorted(one["order_id"] for one in told["events"] if one["message_id"] in sent and one["order_id"])
    assert sorted(hints(database)) == expected
    merges = [one for one in told["events"] if one["message_id"] in sent and not one["order_id"]]
    assert 0 < database.value("SELECT COUNT(*) FROM user_merges") <= len(merges)


@one_server
def test_messages_are_removed_when_nobody_can_repeat_them_any_more(client: PushClient, database: Database) -> None:
    assert [client.change("o_1"), client.change("o_2")] == [SUCCESS] * 2
    database.rows("UPDATE push_messages SET received_at = '2026-01-01' WHERE order_id = 'o_1'")
    step: Any = XiaoeMaintenanceOperator(task_id="push_messages", step="push_messages")
    assert step.execute({"params": {}, "dag_run": type("Run", (), {"dag_id": "d", "run_id": "r"})}) == 1
    assert messages(database, "order_id") == [("o_2",)]
    assert {one.table for one in old_rows.PUSHED} == {"push_messages", "push_days"}
