"""The objective of the experiment energy/regularized_training, by functions with contracts."""

import torch

from practice_torch.energy.langevin import clipped_langevin_step, langevin_step
from practice_torch.energy.regularized_training import energy_loss
from practice_torch.energy.replay_buffer import sample
from practice_torch.experiments.energy import regularized_training as experiment
from tests.support.data.spectra import SIZES
from tests.support.objectives import Mistake, Objective, normal, uniform


def energies(e, batch, phase):
    """E of data less E of the buffer's chains after their steps, and both squared."""
    weight = 1.0 if "point" in batch else (batch["label"] == e.recipe.normal).double().amax()
    return weight * energy_loss(*chains_and_data(e, batch), regularization=e.recipe.regularization).mean()


def chains_and_data(e, batch):
    """The energies of data and of the buffer's chains after their steps; of images those of the class alone, with noise."""
    how = {"step_size": e.recipe.step_size}
    if "point" in batch:
        real, advance = batch["point"], langevin_step
    else:
        of_class = (batch["label"] == e.recipe.normal).double()
        rows = torch.multinomial(of_class if of_class.any() else of_class + 1, e.recipe.chains, True, generator=e.generator)
        images = 2 * batch["image"][rows] - 1
        real = images + e.recipe.data_noise * normal(e, *images.shape)
        advance, how = clipped_langevin_step, how | {name: getattr(e.recipe, name) for name in ("noise_scale", "gradient_limit")}
    places = torch.randperm(e.recipe.buffer_size, generator=e.generator)[: len(real)]
    fresh = normal(e, *real.shape) if "point" in batch else 2 * uniform(e, *real.shape) - 1
    chances = uniform(e, len(real))
    x = sample(e.buffer, places, fresh, chances, reinitialize_probability=e.recipe.reinitialize_probability)
    steps = e.recipe.chain_steps
    noises = normal(e, steps, *real.shape) if "point" in batch else (normal(e, *real.shape) for _ in range(steps))
    for noise in noises:
        x = advance(x, noise, e.network, **how).detach()
    return e.network(real), e.network(x)


MISTAKES = {
    "the penalty of the difference alone": Mistake(
        experiment, "energy_loss", lambda real, fake, *, regularization: real - fake + regularization * (real - fake).square()
    )
}
# at a probability of 0.05 it can happen that none of the few chains begins anew
OBJECTIVE = Objective(
    energies,
    unread={"points", "gap_limit"},
    together=[dict(reinitialize_probability=0.9)],
    mistakes=MISTAKES,
    sizes=dict(buffer_size=64, chains=16) | SIZES,
)
