"""The operator that evaluates a shop's objectives, and opens and closes their alerts."""

from __future__ import annotations

from airflow.sdk import Context

from xiaoe import clock, settings
from xiaoe.shop_operator import ShopOperator


class XiaoeObjectivesOperator(ShopOperator):
    """Measures how soon orders arrive and refunds are decided on; an error budget that burns too fast is an alert.

    Returns each objective's state.
    """

    ui_color = "#fdeef4"

    def execute(self, context: Context) -> dict[str, str]:
        """Evaluate; return the states."""
        from xiaoe.api.shop import app_id_of
        from xiaoe.mysql.warehouse import Warehouse
        from xiaoe.objectives import alarm
        from xiaoe.objectives.measure import OBJECTIVES, evaluate

        shop_id, now = app_id_of(self.xiaoe_conn_id), clock.now()
        with Warehouse().session() as session:
            found = [evaluate(session, shop_id, one, now) for one in OBJECTIVES]
            session.commit()
        standings = [one for one in found if one is not None]
        for standing in standings:
            self.log.info("shop %s: %s", shop_id, alarm.in_words(standing, "en"))
        if settings.alerts_on():
            alarm.report(
                standings, self.xiaoe_conn_id, dag_id=self.dag_id, task_id=self.task_id, run_id=context["run_id"]
            )
        return {standing.objective.name: standing.state for standing in standings}
