{#- Merges the chunk in stg_refunds into refunds; see macros.jinja. -#}
{%- from "merge/macros.jinja" import upsert -%}
{%- set columns = [
    "order_id", "state", "state_text", "sale_type", "sale_type_text", "apply_refund_money", "refund_money",
    "actual_fee", "original_price", "reason", "remark", "nickname", "goods_name", "sku_id", "created_at",
    "updated_at", "invalid_time", "state_invalid_time", "row_hash", "raw_hash", "batch_id"
] -%}

{{ upsert("refunds", "aftersale_id", columns) }}

{#- Whatever changed may change who keeps a benefit. -#}
INSERT INTO benefit_queue (shop_id, order_id)
SELECT DISTINCT
    s.shop_id,
    s.order_id
FROM stg_refunds AS s
WHERE s.order_id > ''
ORDER BY s.shop_id, s.order_id
ON DUPLICATE KEY UPDATE order_id = s.order_id;
