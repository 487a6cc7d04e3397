{#- Merges the chunk in stg_orders into orders. Runs inside the merge's transaction, once per chunk; the rows
    in staging are new or changed and in key order. No statement reads the table it writes (deadlocks). -#}
{%- from "merge/macros.jinja" import nth, numbers, upsert -%}

{#- Every observed change of what the benefit decision rests on, and of the settlement, which is the last that becomes
    of an order: whether hints told of all changes shows here. -#}
{%- set watched = ["order_state", "ship_state", "refund_money", "refund_time", "settle_time"] %}
INSERT INTO order_state_log (shop_id, order_id, field, old_value, new_value, observed_at, batch_id)
SELECT STRAIGHT_JOIN
    s.shop_id,
    s.order_id,
    ELT(k.number, '{{ watched | join("', '") }}'),
    {{ nth(watched, "t.") }},
    {{ nth(watched, "s.") }},
    s.observed_at,
    s.batch_id
FROM stg_orders AS s
INNER JOIN orders AS t ON s.shop_id = t.shop_id AND s.order_id = t.order_id
CROSS JOIN {{ numbers(watched | length) }} AS k
WHERE s.observed_at >= t.observed_at AND NOT ({{ nth(watched, "s.") }} <=> {{ nth(watched, "t.") }});

{#- Days whose figures on dashboards change: those of the order as it was, and as it is now (docs/decisions/0021). -#}
{%- set bought = "s.user_id <=> t.user_id AND s.price <=> t.price AND s.pay_time <=> t.pay_time"
    " AND s.client_type <=> t.client_type AND s.order_type <=> t.order_type" %}
{%- set same = bought ~ " AND s.resource_type <=> t.resource_type AND s.resource_type_text <=> t.resource_type_text"
    " AND s.resource_id <=> t.resource_id AND s.quantity <=> t.quantity AND s.refund_money <=> t.refund_money"
    " AND s.order_state <=> t.order_state AND s.created_time <=> t.created_time AND s.refund_time <=> t.refund_time"
    " AND s.problem_columns <=> t.problem_columns AND s.coupon_id <=> t.coupon_id AND s.coupon_name <=> t.coupon_name"
    " AND s.coupon_price <=> t.coupon_price AND s.discount_price <=> t.discount_price"
    " AND s.order_type_text <=> t.order_type_text AND t.absent_since IS NULL" %}
INSERT INTO mart_queue (shop_id, kind, day)
SELECT DISTINCT
    d.shop_id,
    d.kind,
    d.day
FROM (
    SELECT
        s.shop_id,
        IF(k.number < 3 AND NOT COALESCE({{ bought }} AND t.absent_since IS NULL, 0), 'buyers', 'sales') AS kind,
        DATE({{ nth([
            "s.pay_time", "t.pay_time", "s.created_time", "t.created_time", "s.refund_time", "t.refund_time"
        ]) }}) AS day
    FROM stg_orders AS s
    LEFT JOIN orders AS t ON s.shop_id = t.shop_id AND s.order_id = t.order_id
    CROSS JOIN {{ numbers(6) }} AS k
    WHERE t.order_id IS NULL OR NOT ({{ same }})
) AS d
WHERE d.day IS NOT NULL;

{#- The buyer of the order as it was: what their orders add up to changes. One as it is now is found on its day. -#}
INSERT INTO mart_queue (shop_id, kind, user_id)
SELECT DISTINCT
    t.shop_id,
    'buyer' AS kind,
    t.user_id
FROM stg_orders AS s
INNER JOIN orders AS t ON s.shop_id = t.shop_id AND s.order_id = t.order_id
WHERE t.pay_time IS NOT NULL AND t.user_id > '' AND NOT ({{ same }});

{{ upsert(task.declaration) }}

{#- One line per order: that is all the list call returns. Only for orders that took the staged version. -#}
INSERT INTO order_items (shop_id, order_id, line_no, resource_type, resource_id, title, quantity, amount)
SELECT STRAIGHT_JOIN
    s.shop_id,
    s.order_id,
    1 AS line_no,
    s.resource_type,
    s.resource_id,
    s.title,
    s.quantity,
    s.price AS amount
FROM stg_orders AS s
INNER JOIN orders AS t ON s.shop_id = t.shop_id AND s.order_id = t.order_id
WHERE s.row_hash = t.row_hash AND s.observed_at = t.observed_at
ORDER BY s.shop_id, s.order_id
ON DUPLICATE KEY UPDATE
    resource_type = s.resource_type,
    resource_id = s.resource_id,
    title = s.title,
    quantity = s.quantity,
    amount = s.price;

{#- Whatever changed may change who keeps a benefit. -#}
INSERT INTO benefit_queue (shop_id, order_id)
SELECT
    s.shop_id,
    s.order_id
FROM stg_orders AS s
ORDER BY s.shop_id, s.order_id
ON DUPLICATE KEY UPDATE order_id = s.order_id;
