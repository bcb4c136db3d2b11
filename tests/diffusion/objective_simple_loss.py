"""The objective of the experiment diffusion/simple_loss, by functions with contracts."""

from practice_torch.diffusion.forward_process import forward_sample
from practice_torch.diffusion.simple_loss import learned_variance_loss, squared_error
from practice_torch.networks.fourier_features import fourier_features
from tests.diffusion.objective_elbo import any_level, rounded
from tests.support.objectives import Objective, normal


def hybrid(e, batch, phase):
    """The simple loss, and a share of the bound, which moves the variance alone; its decoder, t = 1, has no step's variance."""
    x0 = rounded(e, batch)
    t, noise = any_level(e, x0), normal(e, *x0.shape)
    x_t = forward_sample(x0, t, noise, e.alpha_bar)
    noise_pred, v = e.network(fourier_features(x_t, e.recipe.frequencies), t).chunk(2, dim=1)
    losses = squared_error(noise_pred, noise)
    steps = learned_variance_loss(x0, x_t, t.clamp(min=2), noise_pred, v, e.alpha_bar) * (t > 1)
    return (losses + e.recipe.bound_share * e.recipe.num_steps * steps).mean() / x0[0].numel()


OBJECTIVE = Objective(hybrid, unread={"measured_images", "variance"})
