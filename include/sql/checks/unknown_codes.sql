{#- Codes without a text in include/codes/, each with how many rows hold it. -#}
{%- set codes = [
    ("orders AS o", "o", "order_state", recent_orders), ("orders AS o", "o", "ship_state", recent_orders),
    ("orders AS o", "o", "resource_type", recent_orders), ("refunds AS r", "r", "state", recent_refunds),
    ("refunds AS r", "r", "sale_type", recent_refunds), ("orders AS o", "o", "client_type", recent_orders),
    ("orders AS o", "o", "sales_state", recent_orders), ("orders AS o", "o", "after_sales_state", recent_orders),
    ("orders AS o", "o", "order_type", recent_orders ~ " AND o.order_type <> ''")
] -%}
{%- for table, alias, column, recent in codes %}
SELECT CONCAT('{{ table.split(" ")[0] }}.{{ column }} = ', {{ alias }}.{{ column }}, ' × ', COUNT(*)) AS finding
FROM {{ table }}
WHERE {{ recent }} AND {{ alias }}.{{ column }} IS NOT NULL AND {{ alias }}.{{ column }}_text IS NULL
GROUP BY {{ alias }}.{{ column }}
{%- if not loop.last %}
UNION ALL
{%- endif %}
{%- endfor %}
