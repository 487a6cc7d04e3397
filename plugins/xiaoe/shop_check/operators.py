"""The operator of the DAG `xiaoe_shop_check`."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context

from xiaoe.shop_operator import ShopOperator


class XiaoeShopCheckOperator(ShopOperator):
    """Check one shop, keep the findings, and fail where the shop does not fit."""

    ui_color = "#eef3e2"

    def execute(self, context: Context) -> dict[str, Any]:
        """Check, and return the verdict, the tables that would be wrong, and where the files are.

        Raises:
            XiaoeQualityError: The shop does not fit; names why.
        """
        from xiaoe.exceptions import XiaoeQualityError
        from xiaoe.shop_check import report, store
        from xiaoe.shop_check.findings import Level, ShopVerdict
        from xiaoe.shop_check.runner import check_shop

        check, _ = check_shop(self.xiaoe_conn_id)
        for line in report.lines(check, "zh"):
            self.log.info("%s", line)
        files = store.keep_files(check, "zh")
        store.keep_row(check)
        if check.verdict is ShopVerdict.UNFIT:
            bad = [one for one in report.in_order(check.findings) if one.level is Level.BAD]
            reasons = "；".join(report.sentence(one, "zh") for one in bad)
            raise XiaoeQualityError(f"{report.say('verdict', check.verdict.value, 'zh')}：{reasons}（{files[-1]}）")
        return {"verdict": check.verdict.value, "wrong_tables": check.wrong_tables, "files": files}
