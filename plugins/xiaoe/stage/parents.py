"""Lists of many parents in one run: those beyond the budget of calls wait, one that cannot be read stops no other."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from xiaoe.exceptions import XiaoeBusyError, XiaoeError, XiaoeIncompleteError
from xiaoe.rows.keys import distinct
from xiaoe.stage.reading import Part
from xiaoe.stage.staged import Staged
from xiaoe.storage.manifest import ParentsRead

log = logging.getLogger(__name__)

NOT_NOW = (1001, 2054)
"""Codes of a busy API: the request was right (docs/xiaoe-api.md section 7)."""
MOST_REFUSED = 10
"""Parents that cannot be read, and none that can, until the run stops asking."""
_NO_KEYS = distinct([])


class ParentLists:
    """The lists of one run's parents; used by several threads.

    Args:
        parents: How many there are.
        budget: Calls of the run; None: no limit.
        calls: How many were made so far.
    """

    def __init__(self, parents: int, budget: int | None, calls: Callable[[], int]) -> None:
        self._parents = parents
        self._budget = budget
        self._calls = calls
        self._refused: dict[str, XiaoeError] = {}
        self._has_read = self._has_stopped = False
        self._lock = threading.Lock()

    def read(self, part: Part, read: Callable[[], list[Staged]], *, is_begun: bool) -> list[Staged]:
        """Read one parent's list; nothing where the calls of this run are used up, or where it cannot be read.

        Args:
            part: The parent's slice.
            read: Reads it.
            is_begun: An earlier try has read it already: that costs no further call.

        Raises:
            XiaoeError: The API cannot be reached, or no list can be read.
        """
        is_spent = self._budget is not None and self._calls() >= self._budget and not is_begun
        if is_spent or self._has_stopped:
            return []
        try:
            staged = read()
        except XiaoeError as error:
            if not self._is_of_this_list(error) or self._stops(str(part.parent_id), error):
                self._has_stopped = True
                raise
            log.warning("%s is left out: %s", part.parent_id, error)
            return []
        self._has_read = True
        # Nobody needs the keys of a thousand lists together.
        return [one._replace(keys=_NO_KEYS) for one in staged]

    def told(self, parts: Sequence[Part], staged: Sequence[Staged]) -> ParentsRead:
        """What the manifest says of the run's parents."""
        done = {slice_.parent for slice_, _ in staged} | self._refused.keys()
        left = [part.parent.read_at for part in parts if part.parent and part.parent.id not in done]
        return ParentsRead(
            wanted=len(parts),
            postponed=len(left),
            oldest_at=min(filter(None, left), default=None) if all(left) else None,
            refused={parent: str(error) for parent, error in sorted(self._refused.items())},
        )

    def _stops(self, parent: str, error: XiaoeError) -> bool:
        with self._lock:
            self._refused[parent] = error
            return not self._has_read and len(self._refused) >= min(MOST_REFUSED, self._parents)

    @staticmethod
    def _is_of_this_list(error: XiaoeError) -> bool:
        is_refusal = isinstance(error, XiaoeBusyError) and error.code not in (None, *NOT_NOW)
        return is_refusal or isinstance(error, XiaoeIncompleteError)
