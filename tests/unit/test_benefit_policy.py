"""The policy file: what is wrong is named, with what to write instead; and the SQL that is made of it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xiaoe.benefits.policy import Policy, is_seen_hourly, parse_policy, read_policy
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.mysql.templates import render, split_statements

GOOD = {"days": "14", "anchor": "created_time", "partial_refund": "review", "resource_types": "[]"}
"""`since` may be left out."""
FIX = (
    "Give days: 1 to 365, anchor: created_time or pay_time, partial_refund: review or revoke,"
    " resource_types: a list of codes, since: a day like 2026-11-01 or nothing"
)

policies = st.builds(
    Policy,
    days=st.integers(1, 365),
    anchor=st.sampled_from(["created_time", "pay_time"]),
    partial_refund=st.sampled_from(["review", "revoke"]),
    resource_types=st.lists(st.integers(0, 100), max_size=5),
    since=st.one_of(st.none(), st.dates()),
)


def written(folder: Path, **fields: str | None) -> Path:
    """A policy file; a field that is None is left out."""
    path = folder / "benefit_policy.yaml"
    path.write_text("".join(f"{name}: {text}\n" for name, text in {**GOOD, **fields}.items() if text is not None))
    return path


def test_the_policy_of_the_repository() -> None:
    assert read_policy() == Policy(days=14, anchor="created_time", partial_refund="review", resource_types=[])


def test_every_value_is_read(tmp_path: Path) -> None:
    path = written(
        tmp_path, days="30", anchor="pay_time", partial_refund="revoke", resource_types="[3, 6]", since="2026-11-01"
    )
    assert read_policy(path) == Policy(30, "pay_time", "revoke", [3, 6], date(2026, 11, 1))


def test_without_a_first_day_a_policy_reads_as_before_there_was_one(tmp_path: Path) -> None:
    """So that the update alone is no change of the rule."""
    for since in (None, ""):
        policy = read_policy(written(tmp_path, since=since))
        assert policy.since is None
        assert policy.to_json() == ('{"days":14,"anchor":"created_time","partial_refund":"review","resource_types":[]}')


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"days": "0"}, "days"),
        ({"days": "366"}, "days"),
        ({"days": "-14"}, "days"),
        ({"days": "1.5"}, "days"),
        ({"days": "x"}, "days"),
        ({"days": "'14'"}, "days"),
        ({"days": ""}, "days"),
        ({"days": None}, "days"),
        ({"anchor": "settle_time"}, "anchor"),
        ({"anchor": None}, "anchor"),
        ({"partial_refund": "grant"}, "partial_refund"),
        ({"partial_refund": "yes"}, "partial_refund"),
        ({"resource_types": "3"}, "resource_types"),
        ({"resource_types": "[3, -1]"}, "resource_types"),
        ({"resource_types": "[课程]"}, "resource_types"),
        ({"resource_types": "['3; DROP TABLE orders']"}, "resource_types"),
        ({"resource_types": None}, "resource_types"),
        ({"grace_days": "2"}, "grace_days"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2026-11-01 08:00:00"}, "since"),
        ({"since": "14"}, "since"),
    ],
)
def test_what_is_wrong_is_named_with_what_to_write(fields: dict[str, str | None], named: str, tmp_path: Path) -> None:
    path = written(tmp_path, **fields)
    with pytest.raises(XiaoeConfigError) as caught:
        read_policy(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.endswith(FIX)
    assert named in message.removesuffix(FIX)


@pytest.mark.parametrize("text", ["", "days: [", "- 14", "14", "days: 14\n\tanchor: x", "\x00", "days: &a *a"])
def test_a_file_that_is_no_policy_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "benefit_policy.yaml"
    path.write_text(text)
    with pytest.raises(XiaoeConfigError, match=r"(?s)benefit_policy\.yaml: .*Give days"):
        read_policy(path)


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    path = tmp_path / "benefit_policy.yaml"
    path.write_bytes(b"days: \xff\xfe")
    with pytest.raises(XiaoeConfigError, match=r"(?s)benefit_policy\.yaml: .*Give days"):
        read_policy(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(XiaoeConfigError, match=r"gone.yaml is missing: restore include/benefit_policy.yaml"):
        read_policy(tmp_path / "gone.yaml")


@given(policies)
def test_as_json_and_back_it_is_the_same_rule(policy: Policy) -> None:
    again = parse_policy(policy.to_json())
    assert again.to_json() == policy.to_json()
    assert set(again.resource_types) == set(policy.resource_types)
    assert (again.days, again.anchor, again.partial_refund) == (policy.days, policy.anchor, policy.partial_refund)
    assert again.since == policy.since


def test_the_order_of_product_types_is_no_change() -> None:
    one, other = Policy(14, "created_time", "review", [6, 3, 3]), Policy(14, "created_time", "review", [3, 6])
    assert one.to_json() == other.to_json()


@pytest.mark.parametrize("resource_types", [[], [3], [3, 6]])
def test_each_statement_of_the_templates_goes_to_the_server_alone(resource_types: list[int]) -> None:
    """A word like BEGIN would make the splitter take several for one."""
    policy = Policy(14, "created_time", "review", resource_types)
    decided_at = "2026-11-20 04:00:00.000"
    texts = split_statements(render("marts/benefit_tables.sql"))
    texts += split_statements(render("marts/benefit_decisions.sql", policy=policy, policy_id=1, decided_at=decided_at))
    assert len(texts) == 5 + 12
    assert [text for text in texts if text.count(";") != 1 or not text.endswith(";")] == []


@pytest.mark.parametrize(
    ("days", "hourly", "nightly", "is_hourly"),
    [(14, 15, 90, True), (15, 15, 90, False), (89, 15, 90, False), (30, 31, 90, True), (30, 31, 7, True)],
)
def test_a_rescan_has_to_see_an_order_after_its_deadline(
    clean_environment: pytest.MonkeyPatch, days: int, hourly: int, nightly: int, is_hourly: bool
) -> None:
    clean_environment.setenv("XIAOE_RESCAN_DAYS", str(hourly))
    clean_environment.setenv("XIAOE_DEEP_RESCAN_DAYS", str(nightly))
    assert is_seen_hourly(Policy(days, "created_time", "review", [])) is is_hourly


def test_days_that_no_rescan_reaches_are_refused(clean_environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        XiaoeConfigError, match=r"days: 90, .* 15 and 90 days .* set XIAOE_DEEP_RESCAN_DAYS to 91 or more"
    ):
        is_seen_hourly(Policy(90, "created_time", "review", []))
