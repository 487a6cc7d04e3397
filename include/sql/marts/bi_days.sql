{#- Recomputes the days from `first` up to `end`, not included, from what orders are now; docs/bi.md has the
    definitions. Runs in one transaction, READ COMMITTED. One statement reads the orders, so the marts agree with
    each other; what is committed after it stands in mart_queue and is worked out with the next run. Without `buyers`
    who bought, when and what for are as they were: buyers and their first days are left alone. -#}
{%- from "merge/macros.jinja" import numbers -%}
{%- from "marts/bi_macros.jinja" import product_type, channel, counted, person, unread, refunded, full, measures,
    order_type, discount, coupon -%}
{%- set counts = counted(count_imported) -%}

{#- What sums lack: no amount, or one that cannot be read, or no day to add it to. -#}
{%- set made = {
    "orders_created": "IF(" ~ counts ~ ", 1, 0)",
    "orders_without_amount": "IF(" ~ counts ~ " AND o.pay_time IS NULL AND " ~ unread("pay_time") ~ ", 1, 0)",
    "refunds_without_amount": "IF(" ~ counts ~ " AND o.refund_time IS NULL AND " ~ unread("refund_time") ~ ", 1, 0)",
} %}
{%- set paid = {
    "orders_paid": "IF(" ~ counts ~ ", 1, 0)",
    "quantity_paid": "IF(" ~ counts ~ ", COALESCE(o.quantity, 0), 0)",
    "paid_amount": "IF(" ~ counts ~ ", COALESCE(o.price, 0), 0)",
    "orders_without_amount": "IF(" ~ counts ~ " AND (o.price IS NULL OR " ~ unread("price") ~ "), 1, 0)",
    "imported_orders": "COALESCE(o.is_imported, 0)",
    "imported_amount": "IF(o.is_imported = 1, COALESCE(o.price, 0), 0)",
    "refund_orders_by_pay_day": "IF(" ~ counts ~ " AND " ~ refunded ~ ", 1, 0)",
    "refund_amount_by_pay_day": "IF(" ~ counts ~ " AND " ~ refunded ~ ", COALESCE(o.refund_money, 0), 0)",
    "user_id": "COALESCE(" ~ person ~ ", '')",
    "age_days": "IF(" ~ counts ~ " AND " ~ refunded ~ ", GREATEST(DATEDIFF(o.refund_time, o.pay_time), 0), NULL)",
    "order_type": order_type,
    "discount": discount,
    "coupon": coupon,
    "coupon_amount": "COALESCE(o.coupon_price, 0)",
    "discount_amount": "GREATEST(COALESCE(o.discount_price, 0), COALESCE(o.coupon_price, 0))",
} %}
{%- set returned = {
    "refund_orders": "COUNT(*)", "full_refund_orders": "SUM(" ~ full ~ ")",
    "refund_amount": "SUM(COALESCE(o.refund_money, 0))",
    "refunds_without_amount": "SUM(o.refund_money IS NULL OR " ~ unread("refund_money") ~ ")",
} %}
{%- set nothing = {"user_id": "''", "age_days": "NULL", "order_type": "''", "discount": "''", "coupon": "''"} %}
{#- Most orders are paid on the day on which they were made: those are read once. -#}
{%- set at_once = "DATE(o.pay_time) = DATE(o.created_time)" %}
{%- set made_and_paid = dict(made) %}
{%- for column, value in paid.items() %}
{%- set other = made.get(column, nothing.get(column, "0")) %}
{%- set _ = made_and_paid.update({column: "IF(" ~ at_once ~ ", " ~ value ~ ", " ~ other ~ ")"}) %}
{%- endfor %}
{%- set columns = measures + ["user_id", "age_days", "order_type", "discount", "coupon", "coupon_amount",
    "discount_amount"] %}
{%- set last = columns | length %}
INSERT INTO mart_facts (
    {{ columns | join(", ") }}, day, product_type, resource_id, channel
)
{%- for time, index, found, only in [
    ("created_time", "created", made_and_paid, "(" ~ counts ~ " OR " ~ at_once ~ ")"),
    ("pay_time", "paid", paid, "COALESCE(DATE(o.pay_time) <> DATE(o.created_time), 1)"),
    ("refund_time", "refunded", returned, refunded ~ " AND " ~ counts),
] %}
{{ "UNION ALL" if not loop.first }}
SELECT /*+ INDEX(o idx_orders_{{ index }}) */
    {%- for column in columns %}
    {{ found.get(column, nothing.get(column, "0")) }} AS {{ column }},
    {%- endfor %}
    DATE(o.{{ time }}) AS day,
    {{ product_type }} AS product_type,
    COALESCE(o.resource_id, '') AS resource_id,
    {{ channel }} AS channel
FROM orders AS o
LEFT JOIN mart_people AS m ON o.shop_id = m.shop_id AND o.user_id = m.user_id
LEFT JOIN users AS u ON o.shop_id = u.shop_id AND {{ person }} = u.user_id
WHERE
    o.shop_id = {{ shop }} AND o.{{ time }} >= {{ first }} AND o.{{ time }} < {{ end }}
    AND o.absent_since IS NULL AND {{ only }}
{%- if found is sameas returned %}
GROUP BY {{ last + 1 }}, {{ last + 2 }}, {{ last + 3 }}, {{ last + 4 }}
{%- endif %}
{%- endfor %};

{#- Sales -#}
DELETE FROM mart_products_daily
WHERE shop_id = {{ shop }} AND day >= {{ first }} AND day < {{ end }};

INSERT INTO mart_products_daily ({{ measures | join(", ") }}, shop_id, day, resource_id, product_type, channel)
SELECT
    {%- for measure in measures %}
    SUM({{ measure }}) AS {{ measure }},
    {%- endfor %}
    {{ shop }} AS shop_id,
    day,
    resource_id,
    product_type,
    channel
FROM mart_facts
GROUP BY day, resource_id, product_type, channel;

DELETE FROM bi_sales_daily
WHERE shop_id = {{ shop }} AND day >= {{ first }} AND day < {{ end }};

INSERT INTO bi_sales_daily ({{ measures | join(", ") }}, shop_id, day, product_type, channel)
SELECT
    {%- for measure in measures %}
    SUM({{ measure }}) AS {{ measure }},
    {%- endfor %}
    {{ shop }} AS shop_id,
    day,
    product_type,
    channel
FROM mart_products_daily
WHERE shop_id = {{ shop }} AND day >= {{ first }} AND day < {{ end }}
GROUP BY day, product_type, channel;

{#- Age of refunds -#}
DELETE FROM bi_refund_ages
WHERE shop_id = {{ shop }} AND pay_day >= {{ first }} AND pay_day < {{ end }};

INSERT INTO bi_refund_ages (shop_id, pay_day, product_type, channel, age_days, refund_orders, refund_amount)
SELECT
    {{ shop }} AS shop_id,
    day AS pay_day,
    product_type,
    channel,
    age_days,
    COUNT(*) AS refund_orders,
    SUM(refund_amount_by_pay_day) AS refund_amount
FROM mart_facts
WHERE age_days IS NOT NULL
GROUP BY day, product_type, channel, age_days;

{% if buyers -%}
{#- Whose first purchase lies elsewhere now: earlier than was known, or no longer where it was. -#}
INSERT INTO mart_users (user_id, first_day)
SELECT
    user_id,
    MIN(day) AS first_day
FROM mart_facts
WHERE orders_paid = 1 AND user_id > ''
GROUP BY user_id;

INSERT INTO mart_moved (user_id, old_day, new_day)
SELECT
    m.user_id,
    f.first_day AS old_day,
    m.first_day AS new_day
FROM mart_users AS m
LEFT JOIN buyer_firsts AS f ON f.shop_id = {{ shop }} AND m.user_id = f.user_id
WHERE f.user_id IS NULL OR m.first_day < f.first_day;

INSERT INTO mart_moved (user_id, old_day, new_day)
SELECT
    f.user_id,
    f.first_day AS old_day,
    DATE(MIN(o.pay_time)) AS new_day
FROM buyer_firsts AS f
LEFT JOIN mart_users AS m ON f.user_id = m.user_id
LEFT JOIN mart_people AS a ON f.shop_id = a.shop_id AND f.user_id = a.person_id
LEFT JOIN
    orders AS o FORCE INDEX (idx_orders_user)
    ON
        f.shop_id = o.shop_id AND COALESCE(a.user_id, f.user_id) = o.user_id
        AND o.absent_since IS NULL AND {{ counts }}
WHERE
    f.shop_id = {{ shop }} AND f.first_day >= {{ first }} AND f.first_day < {{ end }}
    AND (m.user_id IS NULL OR m.first_day > f.first_day)
GROUP BY f.user_id, f.first_day;

INSERT INTO buyer_firsts (shop_id, user_id, first_day)
SELECT
    {{ shop }} AS shop_id,
    n.user_id,
    n.new_day
FROM mart_moved AS n
WHERE n.new_day IS NOT NULL
ON DUPLICATE KEY UPDATE first_day = n.new_day;

DELETE f FROM buyer_firsts AS f
INNER JOIN mart_moved AS n ON f.user_id = n.user_id
WHERE f.shop_id = {{ shop }} AND n.new_day IS NULL;

{#- Who is new on another day than before: that day is worked out later, if it is not one of these. -#}
INSERT INTO mart_queue (shop_id, kind, day)
SELECT DISTINCT
    {{ shop }} AS shop_id,
    'buyers' AS kind,
    IF(k.number = 1, n.old_day, n.new_day) AS day
FROM mart_moved AS n
CROSS JOIN {{ numbers(2) }} AS k
WHERE
    n.old_day IS NOT NULL
    AND (
        IF(k.number = 1, n.old_day, n.new_day) < {{ first }}
        OR IF(k.number = 1, n.old_day, n.new_day) >= {{ end }}
    );

{#- Who belongs to another month of first purchase counts differently in each month, and on each other day, on which
    they bought. -#}
INSERT INTO mart_queue (shop_id, kind, day)
SELECT DISTINCT
    o.shop_id,
    IF(k.number = 1, 'month', 'sales') AS kind,
    DATE(o.pay_time) - INTERVAL IF(k.number = 1, DAYOFMONTH(o.pay_time) - 1, 0) DAY AS day
FROM mart_moved AS n
LEFT JOIN mart_people AS a ON a.shop_id = {{ shop }} AND n.user_id = a.person_id
INNER JOIN
    orders AS o FORCE INDEX (idx_orders_user)
    ON o.shop_id = {{ shop }} AND COALESCE(a.user_id, n.user_id) = o.user_id
CROSS JOIN {{ numbers(2) }} AS k
WHERE
    n.old_day IS NOT NULL AND o.pay_time IS NOT NULL
    AND EXTRACT(YEAR_MONTH FROM n.old_day) <> EXTRACT(YEAR_MONTH FROM n.new_day)
    AND (k.number = 1 OR o.pay_time < {{ first }} OR o.pay_time >= {{ end }});

{#- Who has bought first on another day than before counts differently among those who registered with them. -#}
INSERT INTO mart_queue (shop_id, kind, day)
SELECT DISTINCT
    u.shop_id,
    'signup' AS kind,
    DATE(u.registered_at) AS day
FROM mart_moved AS n
INNER JOIN users AS u ON u.shop_id = {{ shop }} AND n.user_id = u.user_id
WHERE u.registered_at IS NOT NULL;

DELETE FROM bi_buyers_daily
WHERE shop_id = {{ shop }} AND day >= {{ first }} AND day < {{ end }};

INSERT INTO bi_buyers_daily (
    shop_id, day, channel, buyers, new_buyers, returning_buyers, paid_amount, new_amount, returning_amount
)
SELECT
    {{ shop }} AS shop_id,
    b.day,
    b.channel,
    COUNT(*) AS buyers,
    SUM(f.first_day = b.day) AS new_buyers,
    SUM(f.first_day <> b.day) AS returning_buyers,
    SUM(b.paid_amount) AS paid_amount,
    SUM(IF(f.first_day = b.day, b.paid_amount, 0)) AS new_amount,
    SUM(IF(f.first_day = b.day, 0, b.paid_amount)) AS returning_amount
FROM (
    SELECT
        day,
        channel,
        user_id,
        SUM(paid_amount) AS paid_amount
    FROM mart_facts
    WHERE orders_paid = 1 AND user_id > ''
    GROUP BY day, channel, user_id
) AS b
INNER JOIN buyer_firsts AS f ON f.shop_id = {{ shop }} AND b.user_id = f.user_id
GROUP BY b.day, b.channel;

{% endif -%}
{#- Money by month of first purchase -#}
DELETE FROM mart_cohorts_daily
WHERE shop_id = {{ shop }} AND day >= {{ first }} AND day < {{ end }};

INSERT INTO mart_cohorts_daily (shop_id, day, cohort_month, channel, orders_paid, paid_amount, refund_amount)
SELECT
    {{ shop }} AS shop_id,
    m.day,
    f.first_day - INTERVAL DAYOFMONTH(f.first_day) - 1 DAY AS cohort_month,
    m.channel,
    COUNT(*) AS orders_paid,
    SUM(m.paid_amount) AS paid_amount,
    SUM(m.refund_amount_by_pay_day) AS refund_amount
FROM mart_facts AS m
INNER JOIN buyer_firsts AS f ON f.shop_id = {{ shop }} AND m.user_id = f.user_id
WHERE m.orders_paid = 1 AND m.user_id > ''
GROUP BY 2, 3, 4;

{#- Coupons and types of orders -#}
DELETE FROM mart_promotions_daily
WHERE shop_id = {{ shop }} AND day >= {{ first }} AND day < {{ end }};

INSERT INTO mart_promotions_daily (
    shop_id, day, order_type, discount, coupon, orders_paid, paid_amount, coupon_amount, discount_amount, new_orders,
    refund_orders_by_pay_day, refund_amount_by_pay_day
)
SELECT
    {{ shop }} AS shop_id,
    m.day,
    m.order_type,
    m.discount,
    m.coupon,
    COUNT(*) AS orders_paid,
    SUM(m.paid_amount) AS paid_amount,
    SUM(m.coupon_amount) AS coupon_amount,
    SUM(m.discount_amount) AS discount_amount,
    SUM(COALESCE(f.first_day = m.day, 0)) AS new_orders,
    SUM(m.refund_orders_by_pay_day) AS refund_orders_by_pay_day,
    SUM(m.refund_amount_by_pay_day) AS refund_amount_by_pay_day
FROM mart_facts AS m
LEFT JOIN buyer_firsts AS f ON f.shop_id = {{ shop }} AND m.user_id = f.user_id
WHERE m.orders_paid = 1
GROUP BY m.day, m.order_type, m.discount, m.coupon;
