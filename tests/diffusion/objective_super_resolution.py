"""The objective of the experiment diffusion/super_resolution, by functions with contracts."""

from practice_torch.diffusion.forward_process import forward_sample
from practice_torch.diffusion.parameterizations import velocity
from practice_torch.diffusion.simple_loss import squared_error
from practice_torch.diffusion.super_resolution import average_pool, concatenate_low_resolution
from practice_torch.experiments.diffusion import super_resolution as experiment
from tests.diffusion.objective_elbo import any_level
from tests.support.objectives import Mistake, Objective, normal


def given_small_images(e, batch, phase):
    """The squared error of the velocity, of a network that sees the small version of the image without noise."""
    x0 = 2 * batch["image"] - 1
    t, noise = any_level(e, x0), normal(e, *x0.shape)
    seen = concatenate_low_resolution(forward_sample(x0, t, noise, e.alpha_bar), average_pool(x0, window=e.recipe.factor))
    return squared_error(e.network(seen, t), velocity(x0, noise, t, e.alpha_bar)).mean() / x0[0].numel()


def _of_another(x_t, low_resolution):
    return concatenate_low_resolution(x_t, low_resolution.roll(1, 0))


MISTAKES = {
    "the noise for the velocity": Mistake(experiment, "velocity", lambda x0, noise, t, alpha_bar: noise),
    "the small version of another image": Mistake(experiment, "concatenate_low_resolution", _of_another),
}
OBJECTIVE = Objective(
    given_small_images,
    unread={"judged_steps", "draws", "measured_images"},
    mistakes=MISTAKES,
    together=[dict(attention_at=())],
    sizes=dict(factor=2, judged_steps=3, draws=3),
)
