"""What the last check of a shop settled and what saves calls: pages that hold more rows than documented or guessed.

Nothing rests on it. A list is proven complete as always, and `Stager` goes back to the documented size where the API
refuses the larger one, or the list does not add up with it. Other findings are not used: an inclusive `begin_time`
would save a second of orders and no call, and to leave out a look-up because `order_id` is said to be bound to the
window would lose an order where the check is out of date.
"""

from __future__ import annotations

import msgspec

from xiaoe.mysql.session import Session

LARGER = "page_size_larger"
"""The finding of `xiaoe.shop_check` that is read here."""


def page_sizes(findings: str) -> dict[str, int]:
    """List → rows that a page was seen to hold, for lists whose pages may be larger than ours.

    Args:
        findings: JSON as `shop_checks.findings` holds it; what another version wrote otherwise is left out.
    """
    try:
        return {
            str(one["resource"]): int(one["facts"]["got"])
            for one in msgspec.json.decode(findings)
            if one["key"] == LARGER
        }
    except (ValueError, KeyError, TypeError):
        return {}


def read_page_sizes(session: Session, shop_id: str) -> dict[str, int]:
    """`page_sizes` of a shop's last check; {} before the first."""
    rows = session.query(
        "SELECT findings FROM shop_checks WHERE shop_id = %s ORDER BY checked_at DESC, id DESC LIMIT 1", (shop_id,)
    )
    return page_sizes(rows[0][0]) if rows else {}
