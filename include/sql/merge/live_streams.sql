{#- Merges the chunk in stg_live_streams into live_streams; see macros.jinja. -#}
{%- from "merge/macros.jinja" import upsert -%}

{{ upsert(task.declaration) }}

{#- One row per stream and Beijing day on which its figures changed; the latest observation of the day stays. -#}
INSERT INTO live_stream_days (shop_id, live_id, day, view_count, reward_sum, purchase_count, observed_at)
SELECT
    s.shop_id,
    s.live_id,
    DATE(s.observed_at + INTERVAL 8 HOUR) AS day,
    s.view_count,
    s.reward_sum,
    s.purchase_count,
    s.observed_at
FROM stg_live_streams AS s
ORDER BY s.shop_id, s.live_id
ON DUPLICATE KEY UPDATE
    view_count = IF(s.observed_at >= live_stream_days.observed_at, s.view_count, live_stream_days.view_count),
    reward_sum = IF(s.observed_at >= live_stream_days.observed_at, s.reward_sum, live_stream_days.reward_sum),
    purchase_count = IF(
        s.observed_at >= live_stream_days.observed_at, s.purchase_count, live_stream_days.purchase_count
    ),
    observed_at = GREATEST(s.observed_at, live_stream_days.observed_at);
