"""An emulator of the Xiaoe open API for the demo and for tests.

It is built only from the documented facts (docs/xiaoe-api.md) and shares no code with the client under
test. Whatever the documentation leaves open is an option (see `options.py`) or marked as a guess where it
is implemented.

    from emulator import running
    with running(orders=5000, now="2025-03-01T12:00:00", frozen=True) as shop_api:
        ...  # call shop_api.url
"""

from emulator.process import Emulator, running

__all__ = ["Emulator", "running"]
