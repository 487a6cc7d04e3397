"""Members that were seen are remembered as eight bytes each: never one that was not, and each of the last ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xiaoe.merge import members
from xiaoe.merge.members import SeenKeys

KEYS = st.lists(st.lists(st.text("ab中", max_size=4), max_size=8), max_size=12)


@given(KEYS, st.integers(0, 6), st.integers(0, 20))
def test_only_what_was_added_is_remembered_and_the_latest_always_is(
    chunks: list[list[str]], recent: int, most: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(members, "_MAX_RECENT", recent)
        patch.setattr(members, "_MAX_SEEN", most)
        remembered, added = SeenKeys(), set[str]()
        for chunk in chunks:
            unknown = remembered.unknown(chunk)
            assert unknown == sorted(unknown)
            assert set(chunk) - added <= set(unknown) <= set(chunk), "asks rather once too often"
            remembered.add(unknown)
            added.update(chunk)
            assert remembered.unknown(unknown) == []


@given(KEYS)
def test_nothing_is_asked_for_twice_while_there_is_room(chunks: list[list[str]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(members, "_MAX_RECENT", 3)
        remembered, asked = SeenKeys(), list[str]()
        for chunk in chunks:
            unknown = remembered.unknown(set(chunk))
            remembered.add(unknown)
            asked += unknown
        assert sorted(asked) == sorted({key for chunk in chunks for key in chunk})
