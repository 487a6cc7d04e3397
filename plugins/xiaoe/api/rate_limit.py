"""How fast one task may ask one interface (docs/xiaoe-api.md)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pyrate_limiter import Limiter
from pyrate_limiter.limiter_factory import create_token_bucket_limiter

from xiaoe.api.shop import Shop

if TYPE_CHECKING:
    from xiaoe.resources.base import Resource


def limiter_for(shop: Shop, resource: Resource) -> Limiter:
    """As fast as the connection wishes and the interface allows; a burst and what follows it fit into one window."""
    burst = min(shop.calls_per_second, resource.calls_per_second, shop.concurrency)
    steady = resource.calls_per_second - math.ceil(burst / resource.quota_seconds)
    rate = max(1, min(shop.calls_per_second, steady))
    return create_token_bucket_limiter(rate_per_duration=rate, burst=burst, buffer_ms=2)
