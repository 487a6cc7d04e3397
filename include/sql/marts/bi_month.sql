{#- Works out who bought in the month that begins on `first`, by month of first purchase. -#}
{%- from "marts/bi_macros.jinja" import channel, counted, person -%}

DELETE FROM mart_cohorts
WHERE shop_id = {{ shop }} AND active_month = {{ first }};

INSERT INTO mart_cohorts (
    shop_id, active_month, cohort_month, channel, buyers, repeat_buyers, orders_paid, paid_amount
)
SELECT
    {{ shop }} AS shop_id,
    {{ first }} AS active_month,
    f.first_day - INTERVAL DAYOFMONTH(f.first_day) - 1 DAY AS cohort_month,
    {{ channel }} AS channel,
    COUNT(*) AS buyers,
    SUM(b.orders_paid > 1) AS repeat_buyers,
    SUM(b.orders_paid) AS orders_paid,
    SUM(b.paid_amount) AS paid_amount
FROM (
    SELECT
        {{ person }} AS user_id,
        COUNT(*) AS orders_paid,
        SUM(COALESCE(o.price, 0)) AS paid_amount
    FROM orders AS o FORCE INDEX (idx_orders_paid)
    LEFT JOIN mart_people AS m ON o.shop_id = m.shop_id AND o.user_id = m.user_id
    WHERE
        o.shop_id = {{ shop }} AND o.pay_time >= {{ first }} AND o.pay_time < {{ end }}
        AND o.absent_since IS NULL AND o.user_id > '' AND {{ counted(count_imported) }}
    GROUP BY {{ person }}
) AS b
INNER JOIN buyer_firsts AS f ON f.shop_id = {{ shop }} AND b.user_id = f.user_id
LEFT JOIN users AS u ON u.shop_id = {{ shop }} AND b.user_id = u.user_id
GROUP BY 3, 4;
