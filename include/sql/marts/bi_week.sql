{#- Works out the refund curve of the week that begins on `first`, as of `today`: a day counts at an age only when
    the day of that age is over. Days that are old enough for every age are added up first, as if they were one: `first`,
    the oldest of the week. -#}
{%- macro grown_day(day) -%}IF({{ day }} + INTERVAL 60 DAY < {{ today }}, {{ first }}, {{ day }}){%- endmacro -%}
DELETE FROM bi_refund_curve
WHERE shop_id = {{ shop }} AND pay_week = {{ first }};

INSERT INTO bi_refund_curve (
    shop_id, pay_week, product_type, channel, age_days, paid_orders, refund_orders, paid_amount, refund_amount, as_of
)
WITH RECURSIVE ages (age_days) AS (
    SELECT 0
    UNION ALL
    SELECT age_days + 1 FROM ages
    WHERE age_days < 60
),

sold AS (
    SELECT
        product_type,
        channel,
        CAST({{ grown_day("day") }} AS DATE) AS day,
        SUM(orders_paid) AS orders_paid,
        SUM(paid_amount) AS paid_amount
    FROM bi_sales_daily
    WHERE shop_id = {{ shop }} AND day >= {{ first }} AND day < {{ end }} AND orders_paid > 0
    GROUP BY 1, 2, 3
),

returned AS (
    SELECT
        product_type,
        channel,
        CAST({{ grown_day("pay_day") }} AS DATE) AS day,
        age_days,
        SUM(refund_orders) AS refund_orders,
        SUM(refund_amount) AS refund_amount
    FROM bi_refund_ages
    WHERE shop_id = {{ shop }} AND pay_day >= {{ first }} AND pay_day < {{ end }} AND age_days <= 60
    GROUP BY 1, 2, 3, 4
),

grown AS (
    SELECT
        s.product_type,
        s.channel,
        n.age_days,
        s.orders_paid,
        s.paid_amount,
        SUM(COALESCE(r.refund_orders, 0)) OVER up_to AS refund_orders,
        SUM(COALESCE(r.refund_amount, 0)) OVER up_to AS refund_amount
    FROM sold AS s
    INNER JOIN ages AS n ON s.day + INTERVAL n.age_days DAY < {{ today }}
    LEFT JOIN returned AS r
        ON s.day = r.day AND s.product_type = r.product_type AND s.channel = r.channel AND n.age_days = r.age_days
    WINDOW up_to AS (
        PARTITION BY s.day, s.product_type, s.channel ORDER BY n.age_days
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    )
)

SELECT
    {{ shop }} AS shop_id,
    {{ first }} AS pay_week,
    product_type,
    channel,
    age_days,
    SUM(orders_paid) AS paid_orders,
    SUM(refund_orders) AS refund_orders,
    SUM(paid_amount) AS paid_amount,
    SUM(refund_amount) AS refund_amount,
    {{ today }} AS as_of
FROM grown
GROUP BY product_type, channel, age_days;
