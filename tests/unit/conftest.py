"""Unit tests start no process: their emulator is a thread."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emulator.process import Emulator
from support.fixtures import EMULATOR
from support.servers.emulator import serving


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """The shop of `support.fixtures.emulator`."""
    with serving(**EMULATOR) as emulator:
        yield emulator
