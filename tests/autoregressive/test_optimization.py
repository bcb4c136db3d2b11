"""AdamW against torch's and optax's; accumulation and schedule against the engine and against torch's own gradients."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from torch.nn import functional

from practice_torch.autoregressive import optimization as practice
from practice_torch.engine.distributed.processes import Processes
from practice_torch.engine.optimizers import weights_of_batches
from theory_jax.autoregressive import optimization as theory

rng = np.random.default_rng(0)
GRADIENTS, START = rng.normal(size=(5, 7)), rng.normal(size=7)


@pytest.mark.parametrize(
    "settings", [{}, {"weight_decay": 0.3}, {"beta1": 0.5, "beta2": 0.9, "epsilon": 0.1, "weight_decay": 2.0}]
)
def test_five_steps_are_torchs(settings):
    theirs = torch.tensor(START, requires_grad=True)
    optimizer = torch.optim.AdamW(
        [theirs],
        lr=0.05,
        betas=(settings.get("beta1", 0.9), settings.get("beta2", 0.999)),
        eps=settings.get("epsilon", 1e-8),
        weight_decay=settings.get("weight_decay", 0.0),
    )
    ours, moments = torch.tensor(START), torch.zeros(2, 7, dtype=torch.float64)
    for step, gradient in enumerate(torch.tensor(GRADIENTS), start=1):
        theirs.grad = gradient.clone()
        optimizer.step()
        ours, *moments = practice.adamw_step(gradient, ours, *moments, step=step, learning_rate=0.05, **settings)
    torch.testing.assert_close(ours, theirs.detach(), rtol=1e-13, atol=1e-13)


def test_five_steps_are_optaxs():
    optimizer = optax.adamw(0.05, weight_decay=0.3)
    theirs = ours = jnp.asarray(START)
    state, moments = optimizer.init(theirs), jnp.zeros((2, 7))
    for step, gradient in enumerate(jnp.asarray(GRADIENTS), start=1):
        updates, state = optimizer.update(gradient, state, theirs)
        theirs = optax.apply_updates(theirs, updates)
        ours, *moments = theory.adamw_step(gradient, ours, *moments, step=step, learning_rate=0.05, weight_decay=0.3)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_accumulation_is_the_gradient_of_the_padded_batch():
    """torch's losses, averaged over what is not padding; a third of the batch is nothing else."""
    inputs, targets = torch.tensor(rng.normal(size=(3, 4, 5))), torch.tensor(rng.integers(0, 6, (3, 4)))
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]])
    weight = torch.tensor(rng.normal(size=(6, 5)), requires_grad=True)

    def gradient(inputs, targets, mask):
        losses = functional.cross_entropy((inputs @ weight.T).flatten(0, -2), targets.flatten(), reduction="none")
        return torch.autograd.grad((losses * mask.flatten()).sum() / mask.sum(), weight)[0]

    parts = torch.stack([gradient(*part) for part in zip(inputs, targets, mask, strict=True)])
    assert parts[2].isnan().all()  # 0/0, which must not come through
    got = practice.accumulate_gradients(parts, mask.sum(1))
    torch.testing.assert_close(got, gradient(inputs, targets, mask), rtol=1e-13, atol=1e-14)


def test_the_engine_weighs_its_batches_alike():
    """The losses of the engine's micro-batches times its weights have the accumulated gradient."""

    class Counting:
        def count(self, batch, phase):
            return batch["count"]

    losses, counts = torch.tensor(rng.normal(size=4)), [7, 1, 4, 3]
    weights = weights_of_batches(Counting(), [{"count": count} for count in counts], None, Processes())
    got = practice.accumulate_gradients(losses, torch.tensor(counts))
    torch.testing.assert_close((weights * losses).sum(), got, rtol=1e-14, atol=0.0)


def test_integer_steps_are_welcome():
    """A loop counts in integers."""
    rates = practice.warmup_inverse_square_root(torch.arange(1, 30), width=16, warmup_steps=9)
    assert rates.dtype == torch.get_default_dtype()
    assert int(rates.argmax()) == 8
    np.testing.assert_allclose(rates, theory.warmup_inverse_square_root(jnp.arange(1, 30), width=16, warmup_steps=9), rtol=1e-6)
