"""The objective of the experiment diffusion/parameterizations, by functions with contracts."""

from practice_torch.diffusion.forward_process import forward_sample
from practice_torch.diffusion.parameterizations import convert_prediction
from practice_torch.diffusion.simple_loss import squared_error
from practice_torch.experiments.diffusion import parameterizations as experiment
from tests.diffusion.objective_elbo import any_level
from tests.support.objectives import Mistake, Objective, normal


def weighted_prediction(e, batch, phase):
    """min(SNR, limit) times the squared error of the data that the prediction means."""
    x0 = 2 * batch["image"] - 1
    t = any_level(e, x0)
    x_t = forward_sample(x0, t, normal(e, *x0.shape), e.alpha_bar)
    found = convert_prediction(e.network(x_t, t), x_t, t, e.alpha_bar, source=e.recipe.prediction, target="x0")
    level = e.alpha_bar[t]
    weight = (level / (1 - level)).clamp(max=e.recipe.snr_limit)
    return (weight * squared_error(found, x0)).mean() / x0[0].numel()


MISTAKES = {
    "noise for velocity": Mistake(experiment, "velocity", lambda x0, noise, t, alpha_bar: noise, dict(prediction="velocity"))
}
OBJECTIVE = Objective(weighted_prediction, unread={"sampling_steps"}, mistakes=MISTAKES)
