"""How fast one task may call one interface (docs/xiaoe-api.md section 7).

The API's limit is kept by two numbers, without a counter that workers share: a task sends at most `calls_per_second` to
one interface (all its threads together), and the pool `xiaoe_api` bounds how many such tasks run over all workers: 60
× 4 = 240 a second, of 300 allowed. Interfaces that allow less have a limit per task; one DAG with one active run reads
each.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pyrate_limiter import Limiter
from pyrate_limiter.limiter_factory import create_token_bucket_limiter

from xiaoe.api.shop import Shop

if TYPE_CHECKING:
    from xiaoe.resources.base import Resource


def limiter_for(shop: Shop, resource: Resource) -> Limiter:
    """The lower of the connection's and the interface's limit; a burst and what follows it fit into one window."""
    burst = min(shop.calls_per_second, resource.calls_per_second, shop.concurrency)
    steady = resource.calls_per_second - math.ceil(burst / resource.quota_seconds)
    rate = max(1, min(shop.calls_per_second, steady))
    return create_token_bucket_limiter(rate_per_duration=rate, burst=burst, buffer_ms=2)
