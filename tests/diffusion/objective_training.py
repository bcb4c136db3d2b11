"""The objective of the experiment diffusion/training, by functions with contracts."""

import torch

from practice_torch.diffusion.forward_process import forward_sample
from practice_torch.diffusion.parameterizations import velocity
from practice_torch.diffusion.simple_loss import squared_error
from practice_torch.diffusion.training import min_snr_weight, timesteps_from_uniforms
from practice_torch.experiments.diffusion import training as experiment
from tests.support.objectives import Mistake, Objective, normal, uniform


def diffusion(e, batch, phase):
    recipe = e.recipe
    image = recipe.gain * batch["audio"] if recipe.modality == "audio" else 2 * batch["image"] - 1
    of_level, of_label = uniform(e, 2, len(image))
    t = timesteps_from_uniforms(of_level, num_steps=recipe.num_steps)
    label = torch.where(of_label < recipe.drop_probability, len(e.classes), batch["label"]) if e.classes else None
    if recipe.flip:
        turned = -image if recipe.modality == "audio" else image.flip(-1)
        image = torch.where(uniform(e, len(image), *[1] * (image.ndim - 1)) < 0.5, turned, image)
    noise = normal(e, *image.shape)
    wanted = {"noise": noise, "x0": image, "velocity": velocity(image, noise, t, e.alpha_bar)}[recipe.prediction]
    losses = squared_error(e.network(forward_sample(image, t, noise, e.alpha_bar), t, label), wanted) / image[0].numel()
    if recipe.snr_limit:
        losses = losses * min_snr_weight(t, e.alpha_bar, gamma=recipe.snr_limit, prediction=recipe.prediction)
    return losses.mean()


MISTAKES = {
    "no weight of the levels": Mistake(
        experiment, "min_snr_weight", lambda t, alpha_bar, *, gamma, prediction: torch.ones(len(t)), dict(snr_limit=5.0)
    )
}
OBJECTIVE = Objective(
    diffusion,
    unread={"judged_samples", "judged_steps", "compared_samples", "num_levels", "step_variance", "clip_data"},
    together=[
        dict(noise_schedule="linear", beta_end=0.3),
        dict(noise_schedule="linear", beta_start=0.02),
        dict(noise_schedule="scaled_linear"),
        dict(prediction="velocity", zero_terminal_snr=True),
        dict(snr_limit=5.0),
        dict(attention_at=()),
    ],
    mistakes=MISTAKES,
    sizes=dict(cycle=1, judged_steps=3),
)
