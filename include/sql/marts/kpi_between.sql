{#- The figures of bi_kpi_daily from the moment `first` up to `end`, from the orders: for parts of a day, and for buyers
    of more than a day, whom days do not add up to. docs/bi.md has the definitions. -#}
{%- from "marts/bi_macros.jinja" import counted, person, refunded, unread -%}
WITH paid AS (
    SELECT
        COUNT(*) AS orders_paid,
        COALESCE(SUM(o.price), 0) AS paid_amount,
        COALESCE(SUM(o.price IS NULL OR {{ unread("price") }}), 0) AS without_amount,
        COUNT(DISTINCT NULLIF({{ person }}, '')) AS buyers,
        COALESCE(SUM(IF(o.user_id > '', o.price, 0)), 0) AS buyers_amount,
        COUNT(DISTINCT IF(f.first_day >= DATE({{ first }}), f.user_id, NULL)) AS new_buyers
    FROM orders AS o FORCE INDEX (idx_orders_paid)
    LEFT JOIN mart_people AS m ON o.shop_id = m.shop_id AND o.user_id = m.user_id
    LEFT JOIN buyer_firsts AS f ON o.shop_id = f.shop_id AND {{ person }} = f.user_id
    WHERE
        o.shop_id = {{ shop }} AND o.pay_time >= {{ first }} AND o.pay_time < {{ end }}
        AND o.absent_since IS NULL AND {{ counted(count_imported) }}
),

returned AS (
    SELECT
        COUNT(*) AS refund_orders,
        COALESCE(SUM(o.refund_money), 0) AS refund_amount
    FROM orders AS o FORCE INDEX (idx_orders_refunded)
    WHERE
        o.shop_id = {{ shop }} AND o.refund_time >= {{ first }} AND o.refund_time < {{ end }}
        AND o.absent_since IS NULL AND {{ refunded }} AND {{ counted(count_imported) }}
),

created AS (
    SELECT COALESCE(SUM(o.pay_time IS NULL AND {{ unread("pay_time") }}), 0) AS without_amount
    FROM orders AS o FORCE INDEX (idx_orders_created)
    WHERE
        o.shop_id = {{ shop }} AND o.created_time >= {{ first }} AND o.created_time < {{ end }}
        AND o.absent_since IS NULL AND {{ counted(count_imported) }}
)

SELECT
    p.orders_paid,
    p.paid_amount,
    p.without_amount + c.without_amount AS orders_without_amount,
    r.refund_orders,
    r.refund_amount,
    p.buyers,
    p.buyers_amount,
    p.new_buyers
FROM paid AS p
CROSS JOIN returned AS r
CROSS JOIN created AS c
