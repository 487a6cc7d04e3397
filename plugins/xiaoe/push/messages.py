"""A decrypted message: what kind it is, which order it hints at, which accounts it merges (docs/xiaoe-api.md 8)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from xiaoe.push.leaves import Leaf, UnreadableError, leaves_of
from xiaoe.rows import values

UNREADABLE = "unreadable"
"""The kind of a message that is signed and decrypted, and is neither XML nor JSON."""
MERGE = "account_merge"
_LONGEST_KIND = 64
_LONGEST_ID = 128
_NOT_PERSONAL = frozenset((
    "type", "app_id", "message_id", "retry_times", "action", "action_text", "version", "order_id", "order_state",
    "channel_id", "channel_name", "user_id", "source_user_id", "target_user_id", "merged_at", "resource_id",
    "resource_type", "aftersale_id", "product_id", "alive_id", "state", "created_at", "updated_at", "change_time",
    "end_date", "pay_time", "refund_time", "settle_time",
))  # fmt: skip
"""Names whose values say nothing of a person but an id of the shop's."""

Hide = Callable[[str], str | None]
"""The form that `XIAOE_PERSONAL_DATA` puts on a text."""


@dataclass(frozen=True)
class AccountMerge:
    """One account that became part of another.

    Args:
        source_user_id: The account that is no more.
        target_user_id: The one that goes on.
        merged_at: Beijing wall-clock text; None if the message does not say, or it cannot be read.
    """

    source_user_id: str
    target_user_id: str
    merged_at: str | None


@dataclass(frozen=True)
class PushMessage:
    """A message, read.

    Args:
        key: Its `message_id`, the same when it is sent again [doc]; without one, a hash of what it says.
        kind: Its `type`, e.g. `order_change`; cut to 64 characters.
        app_id: The shop that it names; None if it names none.
        order_id: The order that it hints at, whatever its kind.
        merge: The accounts it merges, if that is its kind.
        text: As it came.
        leaves: Its values.
        problem: Why it could not be read, if so.
    """

    key: str
    kind: str
    app_id: str | None
    order_id: str | None
    merge: AccountMerge | None
    text: bytes
    leaves: Sequence[Leaf] = ()
    problem: str | None = None

    def kept(self, hide: Hide | None) -> str:
        """What is stored of it: the text as it came, or a JSON list of its values with those about people hidden.

        Args:
            hide: What the policy does; None where everything is stored as it is.
        """
        if hide is None:
            return self.text.decode("utf-8", "backslashreplace")
        if self.problem:
            return ""
        shown = [(name, value if name in _NOT_PERSONAL else hide(value)) for name, value, _ in self.leaves]
        return msgspec.json.encode(shown).decode()


def read_message(text: bytes) -> PushMessage:
    """Read a decrypted message; one that cannot be read is of kind `unreadable`.

    The outer fields type, app_id and message_id are looked for outside `xe_data` first [doc], then anywhere. Every
    message with an `order_id` is a hint, also of a kind that the documentation does not list.
    """
    try:
        leaves = leaves_of(text)
    except UnreadableError as error:
        return PushMessage(_hash(text), UNREADABLE, None, None, None, text, problem=str(error))
    outer = _first(leaf for leaf in leaves if not leaf.in_data)
    inner = _first(leaf for leaf in leaves if leaf.in_data)
    kind = (outer.get("type") or inner.get("type") or "")[:_LONGEST_KIND]
    message_id = outer.get("message_id") or inner.get("message_id") or ""
    order_id = inner.get("order_id") or outer.get("order_id")
    return PushMessage(
        key=message_id if 0 < len(message_id) <= _LONGEST_ID else _hash_of(leaves),
        kind=kind,
        app_id=outer.get("app_id") or inner.get("app_id") or None,
        order_id=order_id if order_id and len(order_id) <= _LONGEST_ID else None,
        merge=_merge({**outer, **inner}) if kind == MERGE else None,
        text=text,
        leaves=leaves,
    )


def _first(leaves: Iterable[Leaf]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value, _ in leaves:
        fields.setdefault(name, value)
    return fields


def _merge(fields: dict[str, str]) -> AccountMerge | None:
    source, target = fields.get("source_user_id", ""), fields.get("target_user_id", "")
    if not (0 < len(source) <= _LONGEST_ID and 0 < len(target) <= _LONGEST_ID) or source == target:
        return None
    try:
        merged_at = values.time(fields.get("merged_at"))
    except ValueError:
        merged_at = None
    return AccountMerge(source, target, merged_at)


def _hash_of(leaves: Sequence[Leaf]) -> str:
    """Of what a message says; the count of its repetitions is no part of that."""
    said = [(name, value) for name, value, _ in leaves if name != "retry_times"]
    return _hash(msgspec.json.encode(said))


def _hash(text: bytes) -> str:
    return f"sha256:{hashlib.sha256(text).hexdigest()}"
