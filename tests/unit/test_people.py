"""Which accounts are one person: chains of merges, circles, merges told in any order. Without a database."""

from __future__ import annotations

from datetime import datetime
from itertools import permutations

import pytest

from xiaoe.marts.people import MergedInto, people


def merged(told: str) -> dict[str, MergedInto]:
    """`a>b c>d`: a is merged into b, and a second later c into d."""
    pairs = [one.split(">") for one in told.split()]
    return {
        source: MergedInto(target, datetime(2026, 11, 1, second=second))
        for second, (source, target) in enumerate(pairs)
    }


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("", ""),
        ("a>b", "a=b b=b"),
        ("a>b b>c", "a=c b=c c=c"),
        ("b>c a>b", "a=c b=c c=c"),
        ("a>c b>c d>e", "a=c b=c c=c d=e e=e"),
        ("a>b b>a", "a=a b=a"),
        ("b>a a>b", "a=b b=b"),
        ("a>b b>c c>a", "a=a b=a c=a"),
        ("b>c c>a a>b", "a=b b=b c=b"),
        ("d>a a>b b>a", "a=a b=a d=a"),
        ("a>a b>a", "a=a b=a"),
    ],
)
def test_an_account_counts_with_the_end_of_its_chain(told: str, expected: str) -> None:
    merges = merged(told)
    for order in permutations(merges):
        found = people({account: merges[account] for account in order})
        assert " ".join(f"{account}={person}" for account, person in sorted(found.items())) == expected


def test_a_circle_of_the_same_second_has_one_person() -> None:
    at = datetime(2026, 11, 1)
    merges = {"a": MergedInto("b", at), "b": MergedInto("a", at)}
    assert people(merges) == people(dict(reversed(merges.items())))
    assert len(set(people(merges).values())) == 1
