{#- Counts who registered on the days from `first` up to `end`, by how long it took them to buy first. An account that
    was merged into another is not counted: the other one is. -#}
{%- from "marts/bi_macros.jinja" import channel, within_days, interval_text -%}
{%- set days = "DATEDIFF(f.first_day, u.registered_at)" -%}
DELETE FROM bi_registrations
WHERE shop_id = {{ shop }} AND day >= {{ first }} AND day < {{ end }};

INSERT INTO bi_registrations (shop_id, day, channel, interval_text, within_days, users)
SELECT
    {{ shop }} AS shop_id,
    DATE(u.registered_at) AS day,
    {{ channel }} AS channel,
    {{ interval_text(days, "尚未购买") }} AS interval_text,
    MAX({{ within_days(days) }}) AS within_days,
    COUNT(*) AS users
FROM users AS u FORCE INDEX (idx_users_registered)
LEFT JOIN mart_people AS m ON u.shop_id = m.shop_id AND u.user_id = m.user_id
LEFT JOIN buyer_firsts AS f ON u.shop_id = f.shop_id AND u.user_id = f.user_id
WHERE
    u.shop_id = {{ shop }} AND u.registered_at >= {{ first }} AND u.registered_at < {{ end }}
    AND COALESCE(m.person_id = u.user_id, 1)
GROUP BY 2, 3, 4;
