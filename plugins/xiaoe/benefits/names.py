"""Names of decisions and answers; a module without imports, because the DAG file loads it each time it is parsed."""

OPTIONS = {"发放福利": "grant", "不发放福利": "revoke"}
"""The answer shown to a person → decision. None of them is 取消 alone, which closes a dialog elsewhere."""
LATER = "稍后再定"
"""No decision: a later run asks again."""
FORMER_OPTIONS = {"发放": "grant", "取消": "revoke"}
FORMER_LATER = "稍后"
"""Words of earlier releases: a question asked before the update may be answered after it."""

NAMES = {"grant": "发放", "revoke": "取消", "review": "人工复核", "pending": "待定", "not_applicable": "不适用"}
"""Decision → Chinese, in the order of reports."""
TAKEN_BACK = "收回"
"""A revoke of what had been granted (`attention.grants_taken_back`)."""
