"""How a plan is called in sentences for people: one wording for status, summaries and logs. Pure."""

from activities.contracts import Plan


def nodes_of(plan: Plan) -> str:
    """`2 x Standard_NC24ads_A100_v4`, `2 x own node with 1 GPU`."""
    return f"{plan.node_count} x {plan.instance_type or f'own node with {plan.gpus_per_node} GPU'}"


def what(plan: Plan) -> str:
    """`phi-4 on 1 x Standard_NC24ads_A100_v4`."""
    return f"{plan.preset} on {nodes_of(plan)}"
