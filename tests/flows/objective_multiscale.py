"""The objective of the experiment flows/multiscale, by functions with contracts."""

from tests.flows.objective_affine_coupling import flow
from tests.support.objectives import Objective

# sides of 8 can be halved twice: by both numbers of levels, this one and the next
OBJECTIVE = Objective(flow, unread={"noises"}, sizes=dict(depth=2, levels=1), repeated={"depth"})
