{#- Works out the refund curve of the week that begins on `first`, as of `today`: a day counts at an age only when
    the day of that age is over. -#}
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

grown AS (
    SELECT
        s.product_type,
        s.channel,
        n.age_days,
        s.orders_paid,
        s.paid_amount,
        SUM(COALESCE(a.refund_orders, 0)) OVER up_to AS refund_orders,
        SUM(COALESCE(a.refund_amount, 0)) OVER up_to AS refund_amount
    FROM bi_sales_daily AS s
    INNER JOIN ages AS n ON s.day + INTERVAL n.age_days DAY < {{ today }}
    LEFT JOIN bi_refund_ages AS a
        ON
            s.shop_id = a.shop_id AND s.day = a.pay_day AND s.product_type = a.product_type
            AND s.channel = a.channel AND n.age_days = a.age_days
    WHERE s.shop_id = {{ shop }} AND s.day >= {{ first }} AND s.day < {{ end }} AND s.orders_paid > 0
    WINDOW up_to AS (PARTITION BY s.day, s.product_type, s.channel ORDER BY n.age_days)
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
