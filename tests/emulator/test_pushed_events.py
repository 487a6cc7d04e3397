"""What the emulated shop tells of its changes: everything that happens, once, sealed as documented."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from emulator.clock import DAY, to_unix
from emulator.options import Options, parse
from emulator.orders.lifecycle import snapshot_at
from emulator.push.delivery import Trouble
from emulator.push.events import Event, events_between
from emulator.push.sealing import Secrets, seal
from emulator.shop import Shop, open_shop

NOW = "2026-11-20T12:00:00"
KINDS = {"create", "set_pay", "cancel", "confirm_ship", "confirm_receipt", "refund_callback", "settle"}
BEGIN, END = to_unix("2026-11-10"), to_unix("2026-11-17")


@pytest.fixture(scope="module")
def shop() -> Shop:
    options = Options(orders=3000, start="2026-09-01", now=NOW, seed=7)
    return open_shop(options.shop[0], options, to_unix(NOW))


@pytest.fixture(scope="module")
def events(shop: Shop) -> list[Event]:
    return events_between(shop, BEGIN, END)


def field(event: Event, name: str) -> str:
    [text, *_] = re.findall(f"<{name}>([^<]*)</{name}>", event.text.decode())
    return str(text)


def test_every_kind_of_change_is_told(events: list[Event]) -> None:
    told = Counter(field(event, "action") for event in events if event.order_id)
    assert told.keys() >= {
        "create",
        "set_pay",
        "cancel",
        "confirm_ship",
        "confirm_receipt",
        "refund_callback",
        "settle",
    }
    assert {field(event, "type") for event in events} == {"order_change", "account_merge"}


def test_no_change_of_the_state_is_missing(shop: Shop, events: list[Event]) -> None:
    """An order whose state or money differs at both ends of the window has told something within it."""
    told = {event.order_id for event in events}
    for number in shop.orders.created_between(0, BEGIN, BEGIN):
        order = shop.orders.order(number)
        before, after = snapshot_at(order.lifecycle, BEGIN - 1), snapshot_at(order.lifecycle, END - 1)
        if (before.pay_time, before.refund_money, before.settle_time) != (
            after.pay_time,
            after.refund_money,
            after.settle_time,
        ):
            assert order.order_id in told


def test_windows_that_meet_tell_each_event_once_with_an_id_of_its_own(shop: Shop, events: list[Event]) -> None:
    parts = [event for at in range(BEGIN, END, DAY) for event in events_between(shop, at, at + DAY)]
    assert parts == events
    assert len({event.message_id for event in events}) == len(events)
    assert [event.at for event in events] == sorted(event.at for event in events)


def test_an_event_says_the_state_that_the_order_has_then(shop: Shop, events: list[Event]) -> None:
    orders = {shop.orders.order(n).order_id: shop.orders.order(n) for n in shop.orders.created_between(0, END, END)}
    for event in events:
        if event.order_id:
            assert field(event, "order_state") == str(
                snapshot_at(orders[event.order_id].lifecycle, event.at).order_state
            )


def test_trouble_loses_doubles_and_reorders_as_it_is_told(events: list[Event]) -> None:
    assert Trouble().order(events, 1) == events
    assert Trouble(lost=1.0).order(events, 1) == []
    assert Trouble(twice=1.0).order(events, 1) == events * 2
    shuffled = Trouble(shuffled=True).order(events, 1)
    assert shuffled != events
    assert sorted(shuffled) == sorted(events)
    late = Trouble(late=0.5).order(events, 1)
    assert late != events
    assert sorted(late) == sorted(events)
    some = Trouble(lost=0.3, twice=0.3).order(events, 1)
    assert some == Trouble(lost=0.3, twice=0.3).order(events, 1), "the same seed, the same trouble"
    assert {count for count in Counter(event.message_id for event in some).values()} == {1, 2}


def test_each_sealing_of_a_text_is_another_one() -> None:
    secrets = Secrets("t", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG")
    assert seal(b"x", secrets, 1).body != seal(b"x", secrets, 1).body


def test_where_to_push_stands_on_the_command_line() -> None:
    [target] = parse(["--push=app1:token:key:http://127.0.0.1:8070/push/app1"]).push
    assert target == ("app1", "token", "key", "http://127.0.0.1:8070/push/app1")
    with pytest.raises(SystemExit):
        parse(["--push=app1:token:key"])
