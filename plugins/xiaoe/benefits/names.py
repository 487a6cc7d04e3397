"""What a person may answer about an order in review; apart, because the DAG file reads it each time it is parsed."""

OPTIONS = {"发放": "grant", "取消": "revoke"}
"""What the person sees → decision."""
LATER = "稍后"
"""No decision: the order is asked about again."""


NAMES = {"grant": "发放", "revoke": "取消", "review": "人工复核", "pending": "待定", "not_applicable": "不适用"}
"""Decision → Chinese, in the order of reports."""
