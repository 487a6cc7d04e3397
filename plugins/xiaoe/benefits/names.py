"""Names of decisions and answers; a module without imports, because the DAG file loads it each time it is parsed."""

OPTIONS = {"发放": "grant", "取消": "revoke"}
"""The answer shown to a person → decision."""
LATER = "稍后"
"""No decision: the next run asks again."""


NAMES = {"grant": "发放", "revoke": "取消", "review": "人工复核", "pending": "待定", "not_applicable": "不适用"}
"""Decision → Chinese, in the order of reports."""
