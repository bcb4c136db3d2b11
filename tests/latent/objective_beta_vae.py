"""The objective of the experiment latent/beta_vae, by functions with contracts."""

from practice_torch.latent.beta_vae import kl_decomposition, stratified_log_importance
from practice_torch.latent.vae import kl_to_standard_normal
from tests.latent.objective_vae import parts_of_the_bound
from tests.support.objectives import Objective


def weighted_rate(e, batch, phase):
    """With the total correlation of the batch's codes, by weights for all of the data."""
    log_likelihood, mean, log_var, z = parts_of_the_bound(e, batch)
    weights = stratified_log_importance(batch_size=len(z), dataset_size=e.count)
    dependence = kl_decomposition(z, mean, log_var, weights)[1]
    return (e.recipe.beta * kl_to_standard_normal(mean, log_var) - log_likelihood + e.recipe.dependence * dependence).mean()


OBJECTIVE = Objective(weighted_rate, unread={"samples"})
