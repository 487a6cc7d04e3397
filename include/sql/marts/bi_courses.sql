{#- Counts who bought a course since the first of the month a year before `today`, by what they have learned of it. A
    course is what somebody has progress in, by itself or by its lessons. It is finished if the API says so of the course,
    or of as many of its lessons as anybody has begun. Who was not read yet is 未读到: nothing is known of them. -#}
{%- from "merge/macros.jinja" import numbers -%}
{%- from "marts/bi_macros.jinja" import counted, person, refunded -%}
DELETE FROM mart_course_buyers
WHERE shop_id = {{ shop }};

INSERT INTO mart_course_buyers (
    shop_id, cohort_month, resource_id, learning, buyers, at_risk, refunded, bought_again, learn_seconds, as_of
)
WITH lessons AS (
    SELECT
        product_id,
        COUNT(DISTINCT resource_id) AS lessons
    FROM learning_progress
    WHERE shop_id = {{ shop }} AND product_id > '' AND absent_since IS NULL
    GROUP BY product_id
),

progress AS (
    SELECT
        COALESCE(m.person_id, p.user_id) AS person_id,
        IF(k.number = 1, p.resource_id, p.product_id) AS course,
        p.resource_id,
        MAX(COALESCE(p.is_finished = 1, 0)) AS is_finished,
        MAX(p.last_learned_at) AS last_learned_at,
        MAX(COALESCE(p.stay_seconds, 0)) AS learn_seconds
    FROM learning_progress AS p
    LEFT JOIN mart_people AS m ON p.shop_id = m.shop_id AND p.user_id = m.user_id
    CROSS JOIN {{ numbers(2) }} AS k
    WHERE
        p.shop_id = {{ shop }} AND p.user_id > '' AND p.resource_id > '' AND p.absent_since IS NULL
        AND (k.number = 1 OR p.product_id > '')
    GROUP BY COALESCE(m.person_id, p.user_id), IF(k.number = 1, p.resource_id, p.product_id), p.resource_id
),

learned AS (
    SELECT
        g.person_id,
        g.course,
        (
            MAX(g.resource_id = g.course AND g.is_finished = 1) = 1
            OR SUM(g.resource_id <> g.course AND g.is_finished = 1) >= COALESCE(MAX(n.lessons), 99999)
        ) AS is_finished,
        MAX(g.last_learned_at) AS last_learned_at,
        SUM(g.learn_seconds) AS learn_seconds
    FROM progress AS g
    LEFT JOIN lessons AS n ON g.course = n.product_id
    GROUP BY g.person_id, g.course
),

courses AS (
    SELECT DISTINCT course FROM progress
),

was_read AS (
    SELECT DISTINCT COALESCE(m.person_id, r.parent_id) AS person_id
    FROM parent_readings AS r
    LEFT JOIN mart_people AS m ON r.shop_id = m.shop_id AND r.parent_id = m.user_id
    WHERE r.shop_id = {{ shop }} AND r.resource = 'learning_progress'
),

bought AS (
    SELECT
        {{ person }} AS person_id,
        o.resource_id,
        MIN(o.pay_time) AS paid_at,
        MAX({{ refunded }}) AS is_refunded
    FROM orders AS o FORCE INDEX (idx_orders_paid)
    INNER JOIN courses AS c ON o.resource_id = c.course
    LEFT JOIN mart_people AS m ON o.shop_id = m.shop_id AND o.user_id = m.user_id
    WHERE
        o.shop_id = {{ shop }} AND o.pay_time >= CAST({{ today }} AS DATE) - INTERVAL DAYOFMONTH({{ today }}) - 1 DAY
        - INTERVAL 12 MONTH
        AND o.user_id > '' AND o.absent_since IS NULL AND {{ counted(count_imported) }}
    GROUP BY {{ person }}, o.resource_id
),

each_buyer AS (
    SELECT
        b.resource_id,
        CAST(DATE(b.paid_at) - INTERVAL DAYOFMONTH(b.paid_at) - 1 DAY AS DATE) AS cohort_month,
        CASE
            WHEN l.is_finished THEN '已学完'
            WHEN l.person_id IS NOT NULL THEN '学习中'
            WHEN r.person_id IS NOT NULL THEN '未开始'
            ELSE '未读到'
        END AS learning,
        b.is_refunded,
        b.paid_at < CAST({{ today }} AS DATE) - INTERVAL 14 DAY
        AND COALESCE(l.last_learned_at < CAST({{ today }} AS DATE) - INTERVAL 14 DAY, 1) AS is_away,
        COALESCE(y.last_day > DATE(b.paid_at), 0) AS bought_again,
        COALESCE(l.learn_seconds, 0) AS learn_seconds
    FROM bought AS b
    LEFT JOIN learned AS l ON b.person_id = l.person_id AND b.resource_id = l.course
    LEFT JOIN was_read AS r ON b.person_id = r.person_id
    LEFT JOIN mart_buyers AS y ON y.shop_id = {{ shop }} AND b.person_id = y.user_id
)

SELECT
    {{ shop }} AS shop_id,
    cohort_month,
    resource_id,
    learning,
    COUNT(*) AS buyers,
    SUM(is_away AND is_refunded = 0 AND learning IN ('未开始', '学习中')) AS at_risk,
    SUM(is_refunded) AS refunded,
    SUM(bought_again) AS bought_again,
    SUM(learn_seconds) AS learn_seconds,
    {{ today }} AS as_of
FROM each_buyer
GROUP BY cohort_month, resource_id, learning;
