{#- Merges the chunk in stg_users into users; see macros.jinja. -#}
{%- from "merge/macros.jinja" import upsert -%}

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

{{ upsert(task.declaration) }}
