{#- Merges the chunk in stg_users into users; see macros.jinja. -#}
{%- from "merge/macros.jinja" import numbers, upsert -%}

{#- A buyer's source is the channel of all of their orders. Which days these are is looked up later: to read orders
    here would lock them (docs/decisions/0021). -#}
INSERT INTO mart_queue (shop_id, kind, user_id)
SELECT
    s.shop_id,
    'user' AS kind,
    s.user_id
FROM stg_users AS s
LEFT JOIN users AS t ON s.shop_id = t.shop_id AND s.user_id = t.user_id
WHERE NOT (s.source <=> t.source);

{#- Days on which users registered. -#}
INSERT INTO mart_queue (shop_id, kind, day)
SELECT DISTINCT
    s.shop_id,
    'signup' AS kind,
    DATE(IF(k.number = 1, s.registered_at, t.registered_at)) AS day
FROM stg_users AS s
LEFT JOIN users AS t ON s.shop_id = t.shop_id AND s.user_id = t.user_id
CROSS JOIN {{ numbers(2) }} AS k
WHERE
    IF(k.number = 1, s.registered_at, t.registered_at) IS NOT NULL
    AND NOT (t.user_id IS NOT NULL AND s.source <=> t.source AND s.registered_at <=> t.registered_at);

{{ upsert(task.declaration) }}
