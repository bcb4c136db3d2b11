"""What the experiment of flows/multiscale minimizes, written with functions that have contracts."""

from tests.flows.objective_affine_coupling import flow
from tests.support.objectives import Objective

OBJECTIVE = Objective(flow, unread={"noises"})
