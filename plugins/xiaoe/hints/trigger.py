"""Wakes the DAG `xiaoe_orders_hinted` when hints wait: an event trigger that runs in Airflow's triggerer.

It looks into `change_hints` every few seconds. DAG files import it, so the database driver is imported only there. A
paused DAG has no watcher (tried on Airflow 3.3.2), so hints that are off cost nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent
from asgiref.sync import sync_to_async

if TYPE_CHECKING:
    from xiaoe.mysql.warehouse import Warehouse

EVERY = 2.0
"""Seconds between two looks into the queue."""
AGAIN = 120.0
"""Seconds after which hints that still wait are announced again: their run failed, or took only a part of them."""


class Announcer:
    """Decides when hints are announced: once, and again when others came, or when nobody took them."""

    def __init__(self) -> None:
        self._newest = 0
        self._at = 0.0

    def is_due(self, oldest: int | None, newest: int, now: float) -> bool:
        """Whether to announce what waits.

        While announced hints wait, their run is on its way: it takes later ones, too, or the next run does.

        Args:
            oldest: Smallest id in the queue; None: it is empty.
            newest: Largest id.
            now: Seconds, of a clock that only goes forward.
        """
        if oldest is None or (oldest <= self._newest and now - self._at < AGAIN):
            return False
        self._newest, self._at = newest, now
        return True


class HintTrigger(BaseEventTrigger):
    """Fires when hints wait in the warehouse's queue."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class and arguments, as Airflow stores them."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look into the queue for ever."""
        from xiaoe.mysql.warehouse import Warehouse

        announcer, warehouse, said = Announcer(), Warehouse(), ""
        ends_of_queue = sync_to_async(_ends_of_queue, thread_sensitive=False)
        while True:
            try:
                oldest, newest = await ends_of_queue(warehouse)
                said = ""
            except Exception as error:  # whatever it is: Airflow does not start a trigger again that failed
                oldest, newest = None, 0
                if said != str(error):
                    self.log.warning("the queue of hints cannot be read, trying on: %s", error)
                said = str(error)
            if announcer.is_due(oldest, newest, time.monotonic()):
                self.log.info("hints %s to %s wait", oldest, newest)
                yield TriggerEvent({"newest": newest})
            await asyncio.sleep(EVERY)


def _ends_of_queue(warehouse: Warehouse) -> tuple[int | None, int]:
    """The smallest and the largest id that wait, of all shops."""
    with warehouse.session() as session:
        [(oldest, newest)] = session.query("SELECT MIN(id), MAX(id) FROM change_hints")
    return oldest, newest or 0
