"""The objective of the experiment diffusion/edm, by functions with contracts."""

from practice_torch.diffusion.simple_loss import squared_error
from tests.support.objectives import Objective, normal


def preconditioned(e, batch, phase):
    """The weighted error of the denoised image, at log-normal levels."""
    x0, d = 2 * batch["image"] - 1, e.recipe.sigma_data
    sigma = (e.recipe.level_mean + e.recipe.level_std * normal(e, len(x0))).exp()
    noise, total = normal(e, *x0.shape), sigma**2 + d**2
    wide, skip, out, into = (part[:, None, None, None] for part in (sigma, d**2 / total, sigma * d / total**0.5, total**-0.5))
    x = x0 + wide * noise
    denoised = skip * x + out * e.network(into * x, 250 * sigma.log())
    return (total / (sigma * d) ** 2 * squared_error(denoised, x0)).mean() / x0[0].numel()


OBJECTIVE = Objective(preconditioned, unread={"judged_samples"}, together=[dict(attention_at=())])
