"""The objective of the experiment flows/additive_coupling, by functions with contracts."""

from practice_torch.flows.additive_coupling import logistic_log_prob
from tests.flows.objective_affine_coupling import flow
from tests.support.objectives import Objective


def additive_flow(e, batch, phase):
    return flow(e, batch, phase, logistic_log_prob)


OBJECTIVE = Objective(additive_flow, unread={"points", "noises"})
