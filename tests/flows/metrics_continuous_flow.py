"""A continuous flow: the integrals of the trace and of the squared speed along the solver's own path."""

from tests.flows.metrics_affine_coupling import known, preview  # noqa: F401 - drawn alike
from tests.support.metrics import mean, standard_normal


def logs(e, batch, phase):
    return {"kinetic_energy": mean(e.network.with_energy(batch["point"], num_steps=e.recipe.solver_steps)[2])}


def evaluate(e, data):
    points = data.batch()["point"]
    z, log_det, _ = e.network.with_energy(points, num_steps=e.recipe.judged_steps)
    found = standard_normal(z).log_prob(z) + log_det
    return {"negative_log_likelihood": -mean(found), "divergence": mean(known(points, data.description) - found)}
