"""All resources, by name."""

from __future__ import annotations

from xiaoe.resources import privacy
from xiaoe.resources.base import Resource
from xiaoe.resources.learning import LEARNING_DAYS, LEARNING_PROGRESS
from xiaoe.resources.live_streams import LIVE_STREAMS
from xiaoe.resources.live_viewers import LIVE_VIEWERS
from xiaoe.resources.order_origins import ORDER_ORIGINS
from xiaoe.resources.orders import ORDERS
from xiaoe.resources.products import PRODUCTS
from xiaoe.resources.promoters import ORDER_PROMOTERS, PROMOTER_CUSTOMERS, PROMOTERS
from xiaoe.resources.refunds import REFUNDS
from xiaoe.resources.users import USERS

RESOURCES: dict[str, Resource] = {
    resource.name: resource
    for resource in (
        ORDERS,
        REFUNDS,
        USERS,
        PRODUCTS,
        LIVE_STREAMS,
        ORDER_ORIGINS,
        LIVE_VIEWERS,
        LEARNING_DAYS,
        LEARNING_PROGRESS,
        PROMOTERS,
        PROMOTER_CUSTOMERS,
        ORDER_PROMOTERS,
    )
}

PERSONAL = {
    **{resource.table: resource.personal for resource in RESOURCES.values() if resource.personal},
    "push_messages": ("content",),
}
"""Table → its columns about people."""

privacy.check(PERSONAL)
