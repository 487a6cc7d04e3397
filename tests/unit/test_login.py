"""How often a password may be tried."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from xiaoe.login.guesses import TRIES, Guesses, source_of


def test_of_ten_thousand_tries_in_a_minute_ten_are_looked_at() -> None:
    guesses = Guesses()
    with ThreadPoolExecutor(8) as pool:
        allowed = list(pool.map(lambda number: guesses.allow("lihua", f"198.51.{number % 250}.7"), range(10_000)))
    assert sum(allowed) == TRIES


def test_an_address_that_tries_many_accounts_has_ten_too_and_takes_nobody_elses() -> None:
    guesses = Guesses()
    assert sum(guesses.allow(f"account{number}", "203.0.113.9") for number in range(10_000)) == TRIES
    assert guesses.address_is_out("203.0.113.9")
    assert not guesses.address_is_out("203.0.113.10")
    assert sum(guesses.allow("account99", "203.0.113.10") for _ in range(TRIES)) == TRIES, "what was refused counts not"


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_whom_an_address_stands_for(address: str, source: str) -> None:
    assert source_of(address) == source
