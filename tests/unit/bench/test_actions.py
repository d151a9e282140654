"""Actions are those of our namespace, by type, whichever of the server's services has counted them."""

from bench.lives.actions import actions_in

PAGE = """\
# HELP action action counter
# TYPE action counter
action{action_type="command_StartTimer",namespace="default",operation="RespondWorkflowTaskCompleted",service_name="history"} 2
action{action_type="grpc_SignalWorkflowExecution",namespace="default",operation="X",service_name="frontend"} 3
action{action_type="grpc_SignalWorkflowExecution",namespace="default",operation="Y",service_name="frontend"} 1
action{action_type="grpc_StartWorkflowExecution",namespace="temporal_system",operation="X",service_name="frontend"} 7
# HELP action_latency another one
# TYPE action_latency counter
action_latency{action_type="command_StartTimer",namespace="default"} 9
"""  # noqa: E501  # as the server writes it


def test_only_our_namespace_counts() -> None:
    assert actions_in(PAGE) == {"StartTimer": 2, "SignalWorkflowExecution": 4}


def test_a_server_that_has_done_nothing_has_none() -> None:
    assert actions_in("") == {}
