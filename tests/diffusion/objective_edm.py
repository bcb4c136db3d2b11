"""The objective of the experiment diffusion/edm, by functions with contracts."""

from practice_torch.diffusion.simple_loss import squared_error
from practice_torch.experiments.diffusion import edm
from practice_torch.experiments.training.geometric_augmentation import GeometricAugmentation, moves_of
from tests.support.objectives import Mistake, Objective, normal, uniform


def preconditioned(e, batch, phase):
    """The weighted error of the denoised image, at log-normal levels."""
    x0, d = 2 * batch["image"] - 1, e.recipe.sigma_data
    sigma, told = (e.recipe.level_mean + e.recipe.level_std * normal(e, len(x0))).exp(), ()
    if e.recipe.augmentation:
        moves = moves_of(uniform(e, 10, len(x0)), normal(e, 4, len(x0)), probability=e.recipe.augmentation)
        x0, told = GeometricAugmentation(e.shape)(x0, moves), (moves.labels(),)
    noise, total = normal(e, *x0.shape), sigma**2 + d**2
    wide, skip, out, into = (part[:, None, None, None] for part in (sigma, d**2 / total, sigma * d / total**0.5, total**-0.5))
    x = x0 + wide * noise
    unit = 1000 if e.recipe.network == "unet" else 1
    denoised = skip * x + out * e.network(into * x, unit * sigma.log() / 4, *told)
    return (total / (sigma * d) ** 2 * squared_error(denoised, x0)).mean() / x0[0].numel()


PUBLISHED = dict(network="ddpm++", compact=False, augmentation=0.5)
MISTAKES = {
    "a network that is not told": Mistake(
        edm.EdmExperiment, "_answer", lambda self, x, level, told=None: self.network(x, level).float(), PUBLISHED
    )
}
OBJECTIVE = Objective(preconditioned, unread={"judged_samples"}, together=[dict(attention_at=()), PUBLISHED], mistakes=MISTAKES)
