"""The objective of the experiment flows/minibatch_coupling, by functions with contracts."""

from scipy.optimize import linear_sum_assignment

from practice_torch.diffusion.simple_loss import squared_error
from practice_torch.flows.probability_paths import linear_path
from tests.support.objectives import Objective, normal, uniform


def coupled(e, batch, phase):
    """The squared error of x1 - x0, where no other order of the data has less of it."""
    x1, x0 = batch["point"], normal(e, *batch["point"].shape)
    if e.recipe.coupling == "exact":
        x1 = x1[linear_sum_assignment(-x0 @ x1.mT)[1]]  # the squares do not depend on the order
    time = uniform(e, len(x1))
    x_t, velocity = linear_path(x0, x1, time)
    return squared_error(e.network(x_t, 1000 * time), velocity).mean()


OBJECTIVE = Objective(coupled, unread={"points", "judged_steps", "likelihood_steps"})
