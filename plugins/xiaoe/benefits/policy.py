"""The rule for benefits, read from include/benefit_policy.yaml, its only source."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from xiaoe import settings
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.settings import INCLUDE_DIR

_FOR_A_RESCAN = timedelta(days=1)
"""After a deadline, in which a rescan has to get through while it still reaches the order."""
POLICY_FILE = INCLUDE_DIR / "benefit_policy.yaml"


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The parameters of a decision; docs/benefits.md explains each one.

    Args:
        days: From the anchor to the deadline.
        anchor: Column of `orders` that the days count from; if it is empty, the time of creation.
        partial_refund: What a partial refund before the deadline means.
        resource_types: Codes of the product types that carry a benefit; empty: all.
        since: Beijing day from which benefits are given (福利起算日): an order whose days count from an earlier moment
            is not applicable. None: each shop's day in `benefit_starts`, that of its first decision.
    """

    days: Annotated[int, msgspec.Meta(ge=1, le=365)]
    anchor: Literal["created_time", "pay_time"]
    partial_refund: Literal["review", "revoke"]
    resource_types: list[Annotated[int, msgspec.Meta(ge=0)]]
    since: date | None = None

    def to_json(self) -> str:
        """One line of JSON, equal for equal rules: product types are sorted."""
        types = sorted(set(self.resource_types))
        return msgspec.json.encode(msgspec.structs.replace(self, resource_types=types)).decode()


def read_policy(path: Path = POLICY_FILE) -> Policy:
    """Read and check the policy file.

    Raises:
        XiaoeConfigError: It is missing, or a field is missing, unknown or wrong; names the field and the fix.
    """
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=Policy)
    except FileNotFoundError:
        raise XiaoeConfigError(f"{path} is missing: restore include/benefit_policy.yaml from the repository") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise XiaoeConfigError(
            f"{path}: {error}. Give days: 1 to 365, anchor: created_time or pay_time,"
            " partial_refund: review or revoke, resource_types: a list of codes, since: a day like 2026-11-01 or"
            " nothing"
        ) from None


def is_seen_hourly(policy: Policy) -> bool:
    """Whether the hourly rescan sees every order after its deadline; else only the nightly one does.

    A rescan reads orders by when they were made, and a benefit is granted only on what was seen after the deadline.

    Raises:
        XiaoeConfigError: Neither sees it: no benefit would ever be granted.
    """
    wanted = timedelta(days=policy.days) + _FOR_A_RESCAN
    hourly, nightly = settings.rescan_days(), settings.deep_rescan_days()
    if wanted > max(hourly, nightly):
        raise XiaoeConfigError(
            f"benefit policy: days: {policy.days}, and the rescans read the orders of the last {hourly.days} and"
            f" {nightly.days} days (XIAOE_RESCAN_DAYS, XIAOE_DEEP_RESCAN_DAYS): no order would be seen after its"
            f" deadline, and none granted: set XIAOE_DEEP_RESCAN_DAYS to {wanted.days} or more, or lower days in"
            f" {POLICY_FILE.name}"
        )
    return wanted <= hourly


def parse_policy(text: str) -> Policy:
    """Read a policy as `benefit_policies` stores it."""
    return msgspec.json.decode(text, type=Policy)
