"""The objective of the experiment adversarial/style_gan, by functions with contracts."""

import torch

from practice_torch.adversarial.gan import discriminator_loss, non_saturating_generator_loss
from practice_torch.adversarial.gradient_penalty import zero_centered_gradient_penalty
from practice_torch.adversarial.style_gan import mix_styles, path_length_penalty
from practice_torch.experiments.adversarial import style_gan as experiment
from tests.support.objectives import Mistake, Objective, normal


def styled(e, batch, phase):
    real, layers = 2 * batch["image"] - 1, e.synthesis.num_codes
    first, second = e.mapping(normal(e, 2 * len(real), e.recipe.latent)).split(len(real))
    crossover = e.place.taken % (layers + 1)
    codes = torch.stack([first if layer < crossover else second for layer in range(layers)], dim=1)
    noise = normal(e, len(real), e.synthesis.noise_size)
    fakes = e.synthesis(codes, noise)
    if phase == "critic":
        loss = discriminator_loss(e.critic(real), e.critic(fakes)).mean()
        if e.place.taken % e.recipe.penalty_every:
            return loss
        slopes = zero_centered_gradient_penalty(real.flatten(1), lambda x: e.critic(x.view_as(real)), gamma=e.recipe.gamma)
        return loss + e.recipe.penalty_every * slopes.mean()
    loss = non_saturating_generator_loss(e.critic(fakes)).mean()
    if e.place.taken % e.recipe.path_every:
        return loss
    half, pixels = (len(real) + 1) // 2, real[0, 0].numel()
    directions = normal(e, half, *real.shape[1:]) / pixels**0.5
    (slopes,) = torch.autograd.grad((fakes[:half] * directions).sum(), codes, create_graph=True)
    pulled = slopes[:half].flatten(1) / layers**0.5
    wanted = 0.99 * e.path_length + 0.01 * pulled.detach().square().sum(1).sqrt().mean()
    return loss + e.recipe.path_every * e.recipe.path_weight * path_length_penalty(pulled, wanted).mean()


MISTAKES = {
    "codes exchanged": Mistake(experiment, "mix_styles", lambda a, b, *, crossover: mix_styles(b, a, crossover=crossover)),
    "of the squared length": Mistake(
        experiment, "path_length_penalty", lambda pulled, length: (pulled.square().sum(1) - length).square()
    ),
    "a running mean that follows at once": Mistake(experiment, "_FOLLOWS", 1.0),
}
OBJECTIVE = Objective(
    styled, unread={"mapping_rate", "psi", "fakes"}, sizes=dict(most_channels=12, penalty_every=3), mistakes=MISTAKES
)
