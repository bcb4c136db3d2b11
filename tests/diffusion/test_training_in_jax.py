"""The training of a diffusion model in JAX takes the steps of the practice wing's engine."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import torch

from practice_torch.engine.batches.order import seed_of
from practice_torch.experiments.diffusion import training as practice
from tests.support.side_by_side import Steps, require_equal_steps
from theory_jax.experiments.diffusion import training


def test_the_first_steps_are_those_of_the_engine(tmp_path):
    small = {"base_channels": 8, "batch_size": 16}
    cheap = {"judged_samples": 50, "judged_steps": 1, "num_steps": 10, "compared_samples": 0, "blocks": 2}
    steps = Steps(
        tmp_path / "run", "diffusion/training", practice, dataclasses.replace(practice.RECIPES["digits"], **small, **cheap), 6
    )
    twin = torch.Generator().manual_seed(seed_of(steps.recipe.seed, "train"))
    recipe = dataclasses.replace(training.RECIPES["digits"], **small, num_steps=10)
    drawn = []
    for _ in range(6):
        level, label = torch.rand(2, recipe.batch_size, generator=twin)
        image = torch.randn(recipe.batch_size, 1, 8, 8, generator=twin)
        drawn.append({"level": level.numpy(), "label": label.numpy(), "image": image.numpy()})
    noise = {name: np.stack([each[name] for each in drawn]).astype(float) for name in drawn[0]}
    batch = steps.data.batch(torch.arange(len(steps.data)))
    examples = {"image": jnp.asarray(2 * batch["image"].numpy() - 1, float), "label": jnp.asarray(batch["label"].numpy())}
    require_equal_steps(steps, training, recipe, examples, noise, {"loss": "train"}, indices=np.stack(steps.indices))
