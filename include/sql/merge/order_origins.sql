{#- Merges the chunk in stg_order_origins into order_origins; see macros.jinja. -#}
{%- from "merge/macros.jinja" import upsert -%}

{{ upsert(task.declaration) }}

{#- Lines of the orders that took the staged version; those beyond the last one go. -#}
INSERT INTO order_lines (
    shop_id,
    order_id,
    line_no,
    sku_id,
    spu_id,
    goods_name,
    buy_num,
    unit_price,
    total_price,
    actual_fee,
    refund_state,
    expire_start,
    expire_end
)
SELECT STRAIGHT_JOIN
    s.shop_id,
    s.order_id,
    l.line_no,
    l.sku_id,
    l.spu_id,
    l.goods_name,
    l.buy_num,
    l.unit_price,
    l.total_price,
    l.actual_fee,
    l.refund_state,
    l.expire_start,
    l.expire_end
FROM stg_order_origins AS s
INNER JOIN order_origins AS t ON s.shop_id = t.shop_id AND s.order_id = t.order_id
CROSS JOIN
    JSON_TABLE(
        s.lines_json, '$[*]' COLUMNS (
            line_no FOR ORDINALITY,
            sku_id VARCHAR(128) PATH '$.sku_id',
            spu_id VARCHAR(128) PATH '$.spu_id',
            goods_name TEXT PATH '$.goods_name',
            buy_num INT PATH '$.buy_num',
            unit_price DECIMAL(12, 2) PATH '$.unit_price',
            total_price DECIMAL(12, 2) PATH '$.total_price',
            actual_fee DECIMAL(12, 2) PATH '$.actual_fee',
            refund_state INT PATH '$.refund_state',
            expire_start DATETIME PATH '$.expire_start',
            expire_end DATETIME PATH '$.expire_end'
        )
    ) AS l
WHERE s.row_hash = t.row_hash AND s.observed_at = t.observed_at
ORDER BY s.shop_id, s.order_id, l.line_no
ON DUPLICATE KEY UPDATE
    sku_id = l.sku_id,
    spu_id = l.spu_id,
    goods_name = l.goods_name,
    buy_num = l.buy_num,
    unit_price = l.unit_price,
    total_price = l.total_price,
    actual_fee = l.actual_fee,
    refund_state = l.refund_state,
    expire_start = l.expire_start,
    expire_end = l.expire_end;

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
