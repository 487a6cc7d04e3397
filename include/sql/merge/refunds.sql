{#- Merges the chunk in stg_refunds into refunds; see macros.jinja. -#}
{%- from "merge/macros.jinja" import upsert -%}
{%- set columns = [
    "order_id", "state", "state_text", "sale_type", "sale_type_text", "apply_refund_money", "refund_money",
    "actual_fee", "original_price", "reason", "remark", "nickname", "goods_name", "sku_id", "created_at",
    "updated_at", "invalid_time", "state_invalid_time", "row_hash", "raw_hash", "batch_id"
] -%}

{{ upsert("refunds", "aftersale_id", columns) }}
