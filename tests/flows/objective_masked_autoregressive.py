"""The objective of the experiment flows/masked_autoregressive, by functions with contracts."""

from practice_torch.experiments.training.flows import PenalizedFlow
from tests.flows.objective_affine_coupling import flow, penalized
from tests.support.objectives import Objective


def loss(e, batch, phase):
    """As other flows; of the published one the nats of noisy pixels and the squares of everything that is trained."""
    return penalized(e, batch, phase, e.network.parameters()) if isinstance(e, PenalizedFlow) else flow(e, batch, phase)


OBJECTIVE = Objective(loss, unread={"points", "noises"})
