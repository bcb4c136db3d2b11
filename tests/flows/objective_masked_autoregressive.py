"""The objective of the experiment flows/masked_autoregressive, by functions with contracts."""

from tests.flows.objective_affine_coupling import flow
from tests.support.objectives import Objective

OBJECTIVE = Objective(flow, unread={"points", "noises"})
