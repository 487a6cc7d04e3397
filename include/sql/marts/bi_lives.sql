{#- Counts who watched the streams that are planned to begin on the days from `first` up to `end`, and who of them paid
    within seven days of the beginning, as of `today`. A person with two accounts in the room is one. -#}
{%- from "marts/bi_macros.jinja" import counted -%}
DELETE FROM mart_live_audience
WHERE shop_id = {{ shop }} AND start_day >= {{ first }} AND start_day < {{ end }};

INSERT INTO mart_live_audience (
    shop_id, start_day, live_id, viewers, live_viewers, replay_viewers, live_seconds, replay_seconds, stayed_5,
    stayed_10, stayed_20, stayed_30, stayed_60, stayed_90, comments, room_amount, buyers, orders_paid, paid_amount,
    seen_at, as_of
)
WITH watched AS (
    SELECT
        l.live_id,
        l.start_at,
        COALESCE(m.person_id, v.user_id) AS person_id,
        SUM(COALESCE(v.live_seconds, 0)) AS live_seconds,
        SUM(COALESCE(v.replay_seconds, 0)) AS replay_seconds,
        SUM(COALESCE(v.comment_num, 0)) AS comments,
        SUM(COALESCE(v.amount, 0)) AS room_amount
    FROM live_streams AS l
    INNER JOIN live_viewers AS v ON l.shop_id = v.shop_id AND l.live_id = v.live_id
    LEFT JOIN mart_people AS m ON v.shop_id = m.shop_id AND v.user_id = m.user_id
    WHERE
        l.shop_id = {{ shop }} AND l.start_at >= {{ first }} AND l.start_at < {{ end }} AND l.absent_since IS NULL
        AND v.user_id > '' AND v.absent_since IS NULL
    GROUP BY l.live_id, l.start_at, COALESCE(m.person_id, v.user_id)
),

bought AS (
    SELECT
        w.live_id,
        w.person_id,
        COUNT(*) AS orders_paid,
        SUM(COALESCE(o.price, 0)) AS paid_amount
    FROM watched AS w
    LEFT JOIN mart_people AS a ON a.shop_id = {{ shop }} AND w.person_id = a.person_id
    INNER JOIN
        orders AS o FORCE INDEX (idx_orders_user)
        ON o.shop_id = {{ shop }} AND COALESCE(a.user_id, w.person_id) = o.user_id
    WHERE
        o.pay_time >= w.start_at AND o.pay_time < w.start_at + INTERVAL 7 DAY AND o.absent_since IS NULL
        AND {{ counted(count_imported) }}
    GROUP BY w.live_id, w.person_id
)

SELECT
    {{ shop }} AS shop_id,
    DATE(w.start_at) AS start_day,
    w.live_id,
    COUNT(*) AS viewers,
    SUM(w.live_seconds > 0) AS live_viewers,
    SUM(w.replay_seconds > 0) AS replay_viewers,
    SUM(w.live_seconds) AS live_seconds,
    SUM(w.replay_seconds) AS replay_seconds,
    {%- for minutes in (5, 10, 20, 30, 60, 90) %}
    SUM(w.live_seconds >= 60 * {{ minutes }}) AS stayed_{{ minutes }},
    {%- endfor %}
    SUM(w.comments) AS comments,
    SUM(w.room_amount) AS room_amount,
    COUNT(b.person_id) AS buyers,
    COALESCE(SUM(b.orders_paid), 0) AS orders_paid,
    COALESCE(SUM(b.paid_amount), 0) AS paid_amount,
    COALESCE(MAX(r.same_since), '2000-01-01') AS seen_at,
    {{ today }} AS as_of
FROM watched AS w
LEFT JOIN bought AS b ON w.live_id = b.live_id AND w.person_id = b.person_id
LEFT JOIN parent_readings AS r
    ON r.shop_id = {{ shop }} AND r.resource = 'live_viewers' AND w.live_id = r.parent_id
GROUP BY w.live_id, w.start_at;
