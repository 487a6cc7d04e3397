"""Call limits (docs/xiaoe-api.md sections 2 and 7) and what the emulator counts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor


def codes(client, calls):
    return [client.ask()["code"] for _ in range(calls)]


def test_a_full_quota_is_2053_until_its_window_is_over(connect):
    client = connect(order_quota=5)
    assert codes(client, 6) == [0] * 5 + [2053]
    client.emulator.advance(10)
    assert codes(client, 1) == [0]


def test_a_sudden_burst_is_2054(connect):
    client = connect(burst=8, order_quota=3000)
    with ThreadPoolExecutor(20) as pool:
        answers = set(pool.map(lambda _: client.ask()["code"], range(60)))
    assert answers == {0, 2054}
    client.emulator.advance(1)
    assert codes(client, 1) == [0]


def test_limits_can_be_off(connect):
    client = connect(order_quota=5, burst=2, token_quota=1, no_limits=True)
    assert set(codes(client, 12)) == {0}
    assert client.token()["code"] == 0


def test_the_emulator_counts_calls_answers_and_concurrency_but_not_admin_calls(connect):
    client = connect(latency_ms=60)
    client.emulator.clock()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: client.ask(), range(8)))
    client.ask(access_token="wrong")
    stats = client.emulator.stats()
    assert stats["calls"] == {"token": 1, "xe.order.list.get/1.0.1": 9}
    assert stats["answers"] == {"0": 9, "2008": 1}
    assert 2 <= stats["max_concurrent_calls"] <= 4
    assert stats["peak_calls_per_second"] >= 2
