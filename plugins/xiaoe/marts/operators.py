"""The operator that refreshes the marts.

What only a running task needs is imported in `execute`, as in `xiaoe.sync.operators`.
"""

from __future__ import annotations

from airflow.sdk import Context

from xiaoe import clock
from xiaoe.shop_operator import ShopOperator

RESOURCE, MODE = "marts", "refresh"
"""Names of these runs in `sync_status`."""


class XiaoeMartsOperator(ShopOperator):
    """Recomputes what changed since the last run: sales, buyers, refunds, decisions, coverage.

    Also writes the shop's name to `shops`, and to `sync_limits` how fresh each sync has to be.

    Returns how many days, months and weeks were computed.
    """

    ui_color = "#e9f7ef"

    def execute(self, context: Context) -> dict[str, int]:
        """Refresh the marts; return the counts."""
        from xiaoe.api import shop_names
        from xiaoe.api.shop import Shop
        from xiaoe.connections import get_connection
        from xiaoe.marts.refresh import Refresher
        from xiaoe.merge.freshness import write_limits
        from xiaoe.merge.status import failure_noted, write_done
        from xiaoe.mysql.warehouse import Warehouse

        warehouse = Warehouse()
        shop = Shop.from_connection(get_connection(self.xiaoe_conn_id))
        shop_id = shop.app_id
        with failure_noted(warehouse, shop_id, RESOURCE, MODE):
            with warehouse.session() as session:
                write_limits(session)
                is_new = shop_names.remember(session, shop_id, shop.shop_name, self.xiaoe_conn_id)
                session.commit()
                if is_new:
                    self.log.info("shop %s is called %s", shop_id, shop.shop_name or "by its id")
            refresher = Refresher(warehouse, shop_id, now=clock.now())
            counts = refresher.refresh(rebuild=bool(context["params"].get("rebuild")))
            message = ", ".join(f"{name} {number}" for name, number in counts.items())
            with warehouse.session() as session:
                write_done(session, shop_id, RESOURCE, MODE, message)
                session.commit()
        self.log.info("shop %s: recomputed: %s", shop_id, message)
        return dict(counts)
