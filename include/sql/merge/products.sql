{#- Merges the chunk in stg_products into products; see macros.jinja. -#}
{%- from "merge/macros.jinja" import upsert -%}
{%- set columns = [
    "spu_id", "spu_type", "resource_type", "resource_type_text", "name", "price_low", "price_high",
    "price_line", "sale_status", "sale_status_text", "is_deleted", "created_at", "updated_at", "row_hash",
    "raw_hash", "batch_id"
] -%}

{{ upsert("products", "resource_id", columns, {"absent_since": "NULL", "is_inferred": "0"}) }}
