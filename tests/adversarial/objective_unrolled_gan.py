"""The objective of the experiment adversarial/unrolled_gan, by functions with contracts and autograd's own graph."""

import torch

from practice_torch.adversarial.gan import discriminator_loss
from practice_torch.experiments.adversarial.unrolled_gan import UnrolledGan
from tests.support.objectives import Mistake, Objective, normal


def unrolled(e, batch, phase):
    real = batch["point"]
    fakes = e.generator_network(normal(e, len(real), e.recipe.noise))

    def loss(weights, fakes):
        logits = []
        for x in (real, fakes):
            for number in range(3):
                x = x @ weights[2 * number].T + weights[2 * number + 1]
                x = torch.where(x > 0, x, 0.2 * x) if number < 2 else x[:, 0]
            logits.append(x)
        return discriminator_loss(*logits).mean()

    weights = list(e.critic.parameters())
    if phase == "critic":
        return loss(weights, fakes.detach())
    for _ in range(e.recipe.unrolled_steps):
        slopes = torch.autograd.grad(loss(weights, fakes), weights, create_graph=True)
        weights = [weight - e.recipe.step_size * slope for weight, slope in zip(weights, slopes, strict=True)]
    return -loss(weights, fakes)


def _as_constants(self, weights, real, fakes, plain=UnrolledGan._unrolled):
    """The discriminator moves, but the generator does not know that it does."""
    return plain(self, weights, real, fakes.detach())


def _descending(self, weights, real, fakes, plain=UnrolledGan._unrolled):
    """The steps of the generator's side."""
    there = plain(self, weights, real, fakes)
    return {name: 2 * weight - there[name] for name, weight in weights.items()}


MISTAKES = {
    "no slope through the steps": Mistake(UnrolledGan, "_unrolled", _as_constants),
    "steps in the other direction": Mistake(UnrolledGan, "_unrolled", _descending),
}
OBJECTIVE = Objective(unrolled, unread={"points", "radius", "generator_rate"}, mistakes=MISTAKES)
