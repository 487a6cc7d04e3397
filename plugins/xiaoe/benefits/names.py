"""What a person may answer about an order in review; apart, because the DAG file reads it each time it is parsed."""

OPTIONS = {"发放": "grant", "取消": "revoke"}
"""What the person sees → decision."""
LATER = "稍后"
"""No decision: the order is asked about again."""
