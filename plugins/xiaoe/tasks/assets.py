"""All assets: interfaces of the API → pages → tables → marts. Other DAGs may be scheduled on them by name."""

from __future__ import annotations

from xiaoe.api.shop import DEFAULT_HOST
from xiaoe.lineage import interface_asset, pages_asset, table_asset
from xiaoe.resources.registry import RESOURCES

INTERFACES = {
    name: interface_asset(f"xiaoe_api_{name}", DEFAULT_HOST, resource.endpoint) for name, resource in RESOURCES.items()
}
"""Read by each stage of the resource."""

PAGES = {name: pages_asset(f"xiaoe_pages_{name}", name) for name in RESOURCES}
"""Updated by each stage of the resource."""

ASSETS = {
    **{name: table_asset(f"xiaoe_{name}", resource.table) for name, resource in RESOURCES.items()},
    "benefits": table_asset("xiaoe_benefits", "benefit_decisions"),
    "benefit_answers": table_asset("xiaoe_benefit_answers", "benefit_reviews"),
}
"""Updated by each merge of the resource, each decision, each answer."""

MARTS = {
    table: table_asset(f"xiaoe_{table}", table)
    for table in (
        "bi_sales_daily",
        "bi_buyers_daily",
        "bi_customers",
        "bi_registrations",
        "bi_refund_ages",
        "bi_refund_curve",
        "bi_benefits_daily",
        "bi_benefit_changes_daily",
    )
}
"""Updated by each refresh of the marts; the other `bi_…` are views."""
