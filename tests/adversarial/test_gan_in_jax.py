"""The adversarial game in JAX takes the steps of the practice wing's engine."""

import jax.numpy as jnp
import numpy as np
import torch

from practice_torch.engine.batches.order import seed_of
from practice_torch.experiments.adversarial import gan as practice
from tests.support.side_by_side import Steps, require_equal_steps
from theory_jax.experiments.adversarial import gan


def test_the_first_steps_are_those_of_the_engine(tmp_path):
    steps = Steps(tmp_path / "run", "adversarial/gan", practice, practice.RECIPES["eight_gaussians"], 8)
    twin = torch.Generator().manual_seed(seed_of(steps.recipe.seed, "train"))
    recipe = gan.RECIPES["eight_gaussians"]
    noise = np.stack([torch.randn(recipe.batch_size, recipe.noise, generator=twin).numpy() for _ in range(16)])
    points = jnp.asarray(steps.data.batch()["point"].numpy(), float)
    noise = noise.reshape(8, 2, recipe.batch_size, recipe.noise)
    # the engine's generator has batches of its own, of which it reads the size alone
    require_equal_steps(
        steps, gan, recipe, points, noise, {phase: phase for phase in ("discriminator", "generator")}, indices=steps.indices[::2]
    )
