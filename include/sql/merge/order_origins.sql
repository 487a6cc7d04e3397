{#- Merges the chunk in stg_order_origins into order_origins; see macros.jinja. -#}
{%- from "merge/macros.jinja" import upsert -%}

{{ upsert(task.declaration) }}

{#- Lines of the orders that took the staged version; those beyond the last one go. -#}
{%- set columns = {
    "sku_id": "VARCHAR(128)", "spu_id": "VARCHAR(128)", "goods_name": "TEXT", "buy_num": "INT",
    "unit_price": "DECIMAL(12, 2)", "total_price": "DECIMAL(12, 2)", "actual_fee": "DECIMAL(12, 2)",
    "refund_state": "INT", "expire_start": "DATETIME", "expire_end": "DATETIME",
} %}
INSERT INTO order_lines (shop_id, order_id, line_no, {{ columns | join(", ") }})
SELECT STRAIGHT_JOIN
    s.shop_id,
    s.order_id,
    l.line_no,
    {%- for column in columns %}
    l.{{ column }}{{ "," if not loop.last }}
    {%- endfor %}
FROM stg_order_origins AS s
INNER JOIN order_origins AS t ON s.shop_id = t.shop_id AND s.order_id = t.order_id
CROSS JOIN JSON_TABLE(
    s.lines_json, '$[*]' COLUMNS (
        line_no FOR ORDINALITY{% for column, type in columns.items() %},
        {{ column }} {{ type }} PATH '$.{{ column }}'{% endfor %}
    )
) AS l
WHERE s.row_hash = t.row_hash AND s.observed_at = t.observed_at
ORDER BY s.shop_id, s.order_id, l.line_no
ON DUPLICATE KEY UPDATE
    {%- for column in columns %}
    {{ column }} = l.{{ column }}{{ "," if not loop.last }}
    {%- endfor %};

DELETE l
FROM stg_order_origins AS s
INNER JOIN order_origins AS t ON s.shop_id = t.shop_id AND s.order_id = t.order_id
INNER JOIN order_lines AS l ON s.shop_id = l.shop_id AND s.order_id = l.order_id
WHERE s.row_hash = t.row_hash AND s.observed_at = t.observed_at AND l.line_no > JSON_LENGTH(s.lines_json);

{#- What changed here may have changed in `orders`: it is looked up there. -#}
INSERT INTO change_hints (shop_id, order_id, source, changed_at, told_at)
SELECT
    s.shop_id,
    s.order_id,
    'list' AS source,
    s.update_time,
    s.observed_at
FROM stg_order_origins AS s
ORDER BY s.shop_id, s.order_id;
