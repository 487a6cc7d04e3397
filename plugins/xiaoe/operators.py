"""The operators' public path: DAG files outside this package name it."""

from xiaoe.sync.operators import XiaoeMergeOperator, XiaoeStageOperator

__all__ = ["XiaoeMergeOperator", "XiaoeStageOperator"]
