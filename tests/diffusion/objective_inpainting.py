"""The objective of the experiment diffusion/inpainting, by functions with contracts."""

from practice_torch.diffusion.forward_process import forward_sample
from practice_torch.diffusion.parameterizations import velocity
from practice_torch.diffusion.simple_loss import squared_error
from practice_torch.experiments.diffusion import inpainting as experiment
from tests.diffusion.objective_elbo import any_level
from tests.support.objectives import Mistake, Objective, normal


def whole_images(e, batch, phase):
    """The squared error of the velocity, of known and unknown pixels alike."""
    x0 = 2 * batch["image"] - 1
    t, noise = any_level(e, x0), normal(e, *x0.shape)
    answer = e.network(forward_sample(x0, t, noise, e.alpha_bar), t)
    return squared_error(answer, velocity(x0, noise, t, e.alpha_bar)).mean() / x0[0].numel()


MISTAKES = {"the noise for the velocity": Mistake(experiment, "velocity", lambda x0, noise, t, alpha_bar: noise)}
OBJECTIVE = Objective(whole_images, unread={"num_resamples", "measured_images"}, mistakes=MISTAKES)
