"""The objective of the experiment diffusion/latent_diffusion, by functions with contracts."""

import torch

from practice_torch.diffusion.forward_process import forward_sample
from practice_torch.diffusion.parameterizations import velocity
from practice_torch.diffusion.simple_loss import squared_error
from practice_torch.diffusion.training import timesteps_from_uniforms
from practice_torch.latent.vae import kl_to_standard_normal
from practice_torch.latent.vector_quantization import nearest_code, vector_quantization_loss
from tests.support.objectives import Objective, normal, uniform


def latent_diffusion(e, batch, phase):
    """The first half of the steps: squared error and rate, or commitment. Then the noise's error in latents of deviation one."""
    recipe, image = e.recipe, batch["image"]
    if phase == "first_stage":
        z = e.first_stage["encoder"](image)
        if recipe.first_stage == "kl":
            mean, log_var = z.chunk(2, 1)
            kl = kl_to_standard_normal(mean.flatten(1), log_var.flatten(1))
            z, price = mean + (log_var / 2).exp() * normal(e, *mean.shape), recipe.kl_weight * kl
        else:
            places = z.movedim(1, -1)
            codes = e.codebook[nearest_code(places.flatten(0, 2), e.codebook)]
            price = vector_quantization_loss(places.flatten(0, 2), codes, commitment=recipe.commitment).view(len(z), -1).sum(1)
            z = z + (codes.view(places.shape).movedim(-1, 1) - z).detach()
        return (squared_error(e.first_stage["decoder"](z), image) + price).mean()
    z = e.frozen["encoder"](image)
    if recipe.first_stage == "kl":
        mean, log_var = z.chunk(2, 1)
        z = mean + (log_var / 2).exp() * normal(e, *mean.shape)
    z = (z * (e.scale if e.place.taken else 1 / z.std(correction=0))).detach()
    of_level, of_label = uniform(e, 2, len(z))
    label = torch.where(of_label < recipe.drop_probability, len(e.classes), batch["label"])
    t = timesteps_from_uniforms(of_level, num_steps=recipe.num_steps)
    noise = normal(e, *z.shape)
    wanted = noise if recipe.prediction == "noise" else velocity(z, noise, t, e.alpha_bar)
    return squared_error(e.network(forward_sample(z, t, noise, e.alpha_bar), t, label), wanted).mean() / z[0].numel()


OBJECTIVE = Objective(
    latent_diffusion,
    unread={"judged_samples", "judged_steps", "guidance"},
    together=[dict(first_stage="vq", restart_below=50.0), dict(first_share=0.9), dict(attention_at=())],
    sizes=dict(halvings=1, judged_steps=3),
)
