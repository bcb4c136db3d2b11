"""The objective of the experiment latent/conditional_vae, by functions with contracts."""

from practice_torch.foundations.maximum_likelihood import gaussian_kl_divergence
from practice_torch.latent.reparameterization import reparameterize
from practice_torch.latent.vae import bernoulli_log_likelihood, kl_to_standard_normal
from tests.latent.objective_vae import of_gaussian
from tests.support.data.spectra import SIZES
from tests.support.objectives import Objective, normal, pixels


def conditional_vae(e, batch, phase):
    """Both autoencoders' bounds; the prior of a label is given by the network."""
    x = pixels(e, batch)
    log_likelihood = of_gaussian if e.recipe.pixels == "gaussian" else lambda e, x, logits: bernoulli_log_likelihood(x, logits)
    if phase == "unconditional":
        mean, log_var = e.without.encode(x)
        logits = e.without.decode(reparameterize(normal(e, *mean.shape), mean, log_var))
        return (kl_to_standard_normal(mean, log_var) - log_likelihood(e, x, logits)).mean()
    y = batch["label"]
    mean, log_var = e.network.encode(x, y)
    logits = e.network.decode(reparameterize(normal(e, *mean.shape), mean, log_var), y)
    prior = (e.network.prior_mean[y], e.network.prior_log_var[y]) if e.recipe.prior == "learned" else (0 * mean, 0 * mean)
    return (gaussian_kl_divergence(mean, log_var, *prior) - log_likelihood(e, x, logits)).mean()


OBJECTIVE = Objective(conditional_vae, sizes=SIZES)
