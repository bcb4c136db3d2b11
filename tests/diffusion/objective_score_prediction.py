"""The objective of the experiment diffusion/score_prediction, by functions with contracts."""

import torch

from practice_torch.diffusion.parameterizations import noise_from_velocity
from practice_torch.diffusion.score_prediction import denoising_score_matching_loss, score_from_noise
from tests.support.objectives import Objective, normal


def score(e, batch, phase):
    """The denoising loss of the score that the velocity means, in coordinates x_0 + sigma noise."""
    x0 = batch["point"]
    t = torch.randint(1, e.recipe.num_steps + 1, (len(x0),), generator=e.generator)
    level = e.alpha_bar[t]

    def score_fn(x, sigma):
        shrink = level.sqrt()[:, None]
        noise = noise_from_velocity(shrink * x, e.network((shrink * x).float(), t).to(x.dtype), t, e.alpha_bar)
        return shrink * score_from_noise(noise, t, e.alpha_bar)

    return denoising_score_matching_loss(x0, normal(e, *x0.shape), ((1 - level) / level).sqrt(), score_fn).mean()


OBJECTIVE = Objective(score, unread={"points", "shown_steps"}, dtype=torch.float32)
