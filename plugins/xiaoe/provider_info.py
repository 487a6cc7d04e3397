"""The connection type `xiaoe` (entry point `apache_airflow_provider` in pyproject.toml)."""

from __future__ import annotations

from typing import Any

from xiaoe import __version__


def get_provider_info() -> dict[str, Any]:
    """Describe the form in Admin → Connections → 小鹅通 (Xiaoe)."""

    def number(label: str, default: int, most: int, description: str) -> dict[str, Any]:
        schema = {"type": ["integer", "null"], "default": default, "minimum": 1, "maximum": most}
        return {"label": label, "schema": schema, "description": description}

    def secret(label: str, description: str) -> dict[str, Any]:
        schema = {"type": ["string", "null"], "format": "password"}
        return {"label": label, "schema": schema, "description": description}

    return {
        "package-name": "xiaoe-airflow",
        "name": "Xiaoe",
        "description": "小鹅通 (Xiaoe-Tech) open API.",
        "versions": [__version__],
        "filesystems": ["xiaoe.storage.bucket"],
        "connection-types": [
            {
                "connection-type": "xiaoe",
                "hook-name": "小鹅通 (Xiaoe)",
                "hook-class-name": "xiaoe.hook.XiaoeHook",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "port"],
                    "relabeling": {"login": "Client id", "password": "Secret", "host": "Base URL"},
                    "placeholders": {"host": "https://api.xiaoe-tech.com", "login": "xop..."},
                },
                "conn-fields": {
                    "app_id": {
                        "label": "App id (shop)",
                        "schema": {"type": "string", "minLength": 1},
                        "description": "app…, shown in 小鹅通 → 应用设置; becomes shop_id in every table",
                    },
                    "shop_name": {
                        "label": "Shop name",
                        "schema": {"type": ["string", "null"], "maxLength": 64},
                        "description": "店铺名称：看板、邮件、群消息和监控页以此称呼店铺；不填则显示 App id",
                    },
                    "push_token": secret("Push token", "消息推送的 Token；不用消息推送就留空"),
                    "push_secret": secret("Push EncodingAESKey", "消息推送的 EncodingAESKey，43 位"),
                    "page_size": number("Page size", 200, 200, "Rows per page; each interface's maximum wins"),
                    "calls_per_second": number("Calls per second", 60, 300, "By one task to one interface"),
                    "concurrency": number("Pages at once", 4, 64, "Pages that one task fetches in parallel"),
                    "timeout": number("Time-out (s)", 30, 600, "How long to wait for an answer"),
                },
            }
        ],
    }
