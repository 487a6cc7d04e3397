"""The task that waits for a person. A separate module, since it loads Airflow's standard provider."""

from __future__ import annotations

from airflow.providers.standard.operators.hitl import HITLOperator

from xiaoe.benefits.names import FORMER_LATER, FORMER_OPTIONS


class XiaoeBenefitAskOperator(HITLOperator):
    """A question about an order.

    A question asked before an update shows the words of that release, and is answered with them after it.
    """

    def validate_chosen_options(self, chosen_options: list[str]) -> None:
        """Refuse an answer that is neither one of the options nor one of an earlier release.

        Raises:
            ValueError: It is not.
        """
        super().validate_chosen_options([one for one in chosen_options if one not in (*FORMER_OPTIONS, FORMER_LATER)])
