"""The connection type `xiaoe` (entry point `apache_airflow_provider` in pyproject.toml)."""

from __future__ import annotations

from typing import Any

from xiaoe import __version__


def get_provider_info() -> dict[str, Any]:
    """Describe the form in Admin → Connections → 小鹅通 (Xiaoe).

    Its labels have both languages: the form is read once for all people.
    """

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
                    "relabeling": {
                        "login": "应用标识 Client id",
                        "password": "应用密钥 Secret",
                        "host": "接口地址 Base URL",
                    },
                    "placeholders": {"host": "https://api.xiaoe-tech.com", "login": "xop..."},
                },
                "conn-fields": {
                    "app_id": {
                        "label": "店铺ID App id",
                        "schema": {"type": "string", "minLength": 1},
                        "description": "app…，见 小鹅通 → 应用设置；即每张表的 shop_id。 It becomes shop_id.",
                    },
                    "shop_name": {
                        "label": "店铺名称 Shop name",
                        "schema": {"type": ["string", "null"], "maxLength": 64},
                        "description": "看板、邮件、群消息、监控页以此称呼店铺；不填则显示店铺ID。 What staff read.",
                    },
                    "push_token": secret(
                        "推送令牌 Push token", "消息推送的 Token；不用消息推送就留空。 Of the message push."
                    ),
                    "push_secret": secret(
                        "推送密钥 Push EncodingAESKey", "消息推送的 EncodingAESKey，43 位。 43 characters."
                    ),
                    "page_size": number(
                        "每页行数 Page size", 200, 200, "超过接口上限的按上限。 Each interface's maximum wins."
                    ),
                    "calls_per_second": number(
                        "每秒调用次数 Calls per second", 60, 300, "一个任务对一个接口。 By one task to one interface."
                    ),
                    "concurrency": number(
                        "同时读取页数 Pages at once", 4, 64, "一个任务同时读几页。 Fetched by one task in parallel."
                    ),
                    "timeout": number(
                        "超时秒数 Time-out (s)", 30, 600, "等待应答多久。 How long to wait for an answer."
                    ),
                },
            }
        ],
    }
