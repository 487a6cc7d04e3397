"""Asks the shop, and keeps every answer with how long it took."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec

from xiaoe.api.hook import XiaoeHook
from xiaoe.exceptions import XiaoeError
from xiaoe.resources.base import Resource
from xiaoe.rows.envelope import Listing, open_envelope
from xiaoe.shop_check.reading import decoded


@dataclass(frozen=True)
class Reply:
    """What came back for one call.

    Args:
        resource: Whose list was asked for.
        request: The fields that were sent, without the token.
        seconds: From sending to the whole answer.
        body: The answer as it came; None where there is no successful one.
        total: How many rows the answer says there are.
        raws: Its rows.
        error: Why there is no answer.
        parent: Whose list was asked for, where each parent has one.
    """

    resource: Resource
    request: dict[str, Any]
    seconds: float
    body: bytes | None = None
    total: int | None = None
    raws: list[msgspec.Raw] = field(default_factory=list)
    error: XiaoeError | None = None
    parent: str | None = None

    @cached_property
    def data(self) -> Any:
        """`data` of the answer, decoded: null, a list or an object."""
        return decoded(open_envelope(self.body).data) if self.body is not None else None

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """Its rows, decoded; what is no object is left out."""
        return [row for row in map(decoded, self.raws) if isinstance(row, dict)]

    @cached_property
    def keys(self) -> list[str]:
        """Keys of its rows, as they come; rows without one are left out."""
        return [key for key in self.resource.reader.keys(self.held) if key]

    @cached_property
    def held(self) -> Sequence[msgspec.Raw]:
        """Its rows as a merge sees them: with their parent, where there is one."""
        return self.resource.of_parent(Listing(self.total, self.raws), self.parent).rows


class Asker:
    """Makes the calls of a check, one after the other.

    Args:
        hook: The shop.
        timer: Seconds of a steady clock.
    """

    def __init__(self, hook: XiaoeHook, timer: Callable[[], float] = time.perf_counter) -> None:
        self.hook = hook
        self.replies: list[Reply] = []
        self._timer = timer

    def ask(
        self, resource: Resource, request: dict[str, Any], *, once: bool = False, parent: str | None = None
    ) -> Reply:
        """Make a call; an error is part of the reply. Times spent waiting between tries count as well."""
        begun = self._timer()
        try:
            answer = self.hook.ask(resource, request, once=once)
        except XiaoeError as error:
            reply = Reply(resource, request, self._timer() - begun, error=error, parent=parent)
        else:
            listing = answer.listing
            seconds = self._timer() - begun
            reply = Reply(resource, request, seconds, answer.body, listing.total, listing.rows, parent=parent)
        self.replies.append(reply)
        return reply

    def of(self, resource: Resource) -> list[Reply]:
        """All replies of one list so far."""
        return [reply for reply in self.replies if reply.resource is resource]

    def raws(self, resource: Resource) -> list[msgspec.Raw]:
        """All rows of one list so far, the same bytes once."""
        return list({bytes(raw): raw for reply in self.of(resource) for raw in reply.held}.values())
