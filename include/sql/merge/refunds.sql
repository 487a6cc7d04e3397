{#- Merges the chunk in stg_refunds into refunds; see macros.jinja. -#}
{%- from "merge/macros.jinja" import upsert -%}

{{ upsert(task.declaration) }}

{#- Whatever changed may change who keeps a benefit. -#}
INSERT INTO benefit_queue (shop_id, order_id)
SELECT DISTINCT
    s.shop_id,
    s.order_id
FROM stg_refunds AS s
WHERE s.order_id > ''
ORDER BY s.shop_id, s.order_id
ON DUPLICATE KEY UPDATE order_id = s.order_id;
