{#- Works out the buyers of mart_due from all orders of their accounts, or where `everyone` all buyers of the shop.
    Their segments come from bi_customers.sql. Moments become days last: MySQL makes 0000-00-00 of
    MIN(IF(…, DATE(…), NULL)). -#}
{%- from "marts/bi_macros.jinja" import channel, counted, person, refunded -%}
{%- set buyer = person if everyone else "d.person_id" -%}
{%- if everyone -%}
DELETE FROM mart_buyers
WHERE shop_id = {{ shop }};
{%- else -%}
{#- Who has no order left has none after the next statement, either. -#}
UPDATE mart_buyers AS b
INNER JOIN mart_due AS d ON b.user_id = d.person_id
SET b.orders_paid = 0
WHERE b.shop_id = {{ shop }};
{%- endif %}

INSERT INTO mart_buyers (
    shop_id, user_id, channel, segment, first_day, second_day, last_day, orders_paid, paid_amount, refund_amount
)
SELECT
    {{ shop }} AS shop_id,
    b.user_id,
    {{ channel }} AS channel,
    '待分层' AS segment,
    b.first_day,
    b.second_day,
    b.last_day,
    b.orders_paid,
    b.paid_amount,
    b.refund_amount
FROM (
    SELECT
        p.user_id,
        DATE(MIN(p.pay_time)) AS first_day,
        DATE(MIN(IF(p.number = 2, p.pay_time, NULL))) AS second_day,
        DATE(MAX(p.pay_time)) AS last_day,
        COUNT(*) AS orders_paid,
        SUM(p.paid) AS paid_amount,
        SUM(p.refund) AS refund_amount
    FROM (
        SELECT
            {{ buyer }} AS user_id,
            o.pay_time,
            COALESCE(o.price, 0) AS paid,
            IF({{ refunded }}, COALESCE(o.refund_money, 0), 0) AS refund,
            ROW_NUMBER() OVER (PARTITION BY {{ buyer }} ORDER BY o.pay_time) AS number
        {%- if everyone %}
        FROM orders AS o
        LEFT JOIN mart_people AS m ON o.shop_id = m.shop_id AND o.user_id = m.user_id
        {%- else %}
        FROM orders AS o FORCE INDEX (idx_orders_user)
        INNER JOIN mart_due AS d ON o.user_id = d.user_id
        {%- endif %}
        WHERE
            o.shop_id = {{ shop }} AND o.pay_time IS NOT NULL AND o.user_id > ''
            AND o.absent_since IS NULL AND {{ counted(count_imported) }}
    ) AS p
    GROUP BY p.user_id
) AS b
LEFT JOIN users AS u ON u.shop_id = {{ shop }} AND b.user_id = u.user_id
{%- if everyone %};
{%- else %}
ON DUPLICATE KEY UPDATE
    channel = {{ channel }},
    first_day = b.first_day,
    second_day = b.second_day,
    last_day = b.last_day,
    orders_paid = b.orders_paid,
    paid_amount = b.paid_amount,
    refund_amount = b.refund_amount;

DELETE b FROM mart_buyers AS b
INNER JOIN mart_due AS d ON b.user_id = d.person_id
WHERE b.shop_id = {{ shop }} AND b.orders_paid = 0;
{%- endif %}
