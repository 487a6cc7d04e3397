{#- Merges the chunk in stg_users into users; see macros.jinja. -#}
{%- from "merge/macros.jinja" import upsert -%}
{%- set columns = [
    "nickname", "phone", "collect_phone", "avatar", "source", "pay_sum", "punch_count", "wx_union_id",
    "wx_open_id", "wx_app_open_id", "registered_at", "last_visited_at", "row_hash", "raw_hash", "batch_id"
] -%}

{{ upsert("users", "user_id", columns, {"absent_since": "NULL", "is_inferred": "0"}) }}
