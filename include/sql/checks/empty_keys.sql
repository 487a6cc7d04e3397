{#- Rows whose key is empty: nothing can be joined to them. Point look-ups, so every table in every run. -#}
{%- set keys = {
    "orders": "order_id", "order_items": "order_id", "refunds": "aftersale_id", "users": "user_id",
    "products": "resource_id", "live_streams": "live_id", "benefit_decisions": "order_id",
    "live_viewers": "row_key", "learning_days": "row_key", "learning_progress": "row_key", "promoters": "user_id",
    "promoter_customers": "row_key", "order_promoters": "row_key"
} -%}
{%- for table, key in keys.items() %}
SELECT '{{ table }}.{{ key }}' AS finding
FROM {{ table }}
WHERE shop_id = '{{ shop_id }}' AND {{ key }} = ''
{%- if not loop.last %}
UNION ALL
{%- endif %}
{%- endfor %}
