"""The formulas of a training loop compared with optax and torch's own optimizers."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

from practice_torch.foundations import training_practice as practice
from theory_jax.foundations import training_practice as theory

GRADIENTS = np.random.default_rng(0).normal(size=(20, 7))
SHAPES = (4, 3), (5,), (2, 3, 2)


@pytest.fixture
def arrays():
    """Three arrays of a gradient, norm about 5."""
    rng = np.random.default_rng(1)
    return tuple(rng.normal(size=shape) for shape in SHAPES)


@pytest.mark.parametrize("settings", [{}, {"beta1": 0.5, "beta2": 0.9, "epsilon": 0.1}])
def test_adam_agrees_with_torch(settings):
    """Twenty steps of torch.optim.Adam from the same start."""
    start = torch.linspace(-1.0, 1.0, 7, dtype=torch.float64)
    theirs = start.clone().requires_grad_()
    optimizer = torch.optim.Adam(
        [theirs], lr=0.05, betas=(settings.get("beta1", 0.9), settings.get("beta2", 0.999)), eps=settings.get("epsilon", 1e-8)
    )
    ours, first, second = start.clone(), torch.zeros_like(start), torch.zeros_like(start)
    for step, gradient in enumerate(torch.tensor(GRADIENTS), start=1):
        theirs.grad = gradient.clone()
        optimizer.step()
        update, first, second = practice.adam_update(gradient, first, second, step=step, learning_rate=0.05, **settings)
        ours = ours + update
    torch.testing.assert_close(ours, theirs.detach(), rtol=1e-12, atol=1e-12)


def test_adam_agrees_with_optax():
    """Twenty steps of optax.adam: its epsilon is outside the root, too."""
    optimizer = optax.adam(0.05)
    parameters = jnp.zeros(7)
    state = optimizer.init(parameters)
    first, second = jnp.zeros(7), jnp.zeros(7)
    for step, gradient in enumerate(jnp.asarray(GRADIENTS), start=1):
        wanted, state = optimizer.update(gradient, state, parameters)
        update, first, second = theory.adam_update(gradient, first, second, step=step, learning_rate=0.05)
        np.testing.assert_allclose(update, wanted, rtol=2e-6 if wanted.dtype == jnp.float32 else 1e-12)


@pytest.mark.parametrize("max_norm", [0.3, 100.0])
def test_clipping_agrees_with_torch(arrays, max_norm):
    """torch.nn.utils.clip_grad_norm_ divides by norm + 1e-6: at norm 5 that is a relative 2e-7."""
    parameters = [torch.nn.Parameter(torch.zeros(shape, dtype=torch.float64)) for shape in SHAPES]
    for parameter, array in zip(parameters, arrays, strict=True):
        parameter.grad = torch.tensor(array)
    wanted_norm = torch.nn.utils.clip_grad_norm_(parameters, max_norm)
    clipped, norm = practice.clip_by_global_norm(tuple(map(torch.tensor, arrays)), max_norm=max_norm)
    torch.testing.assert_close(norm, wanted_norm)
    for got, parameter in zip(clipped, parameters, strict=True):
        torch.testing.assert_close(got, parameter.grad, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("max_norm", [0.3, 100.0])
def test_clipping_agrees_with_optax(arrays, max_norm):
    """optax.clip_by_global_norm."""
    gradients = tuple(map(jnp.asarray, arrays))
    wanted, _ = optax.clip_by_global_norm(max_norm).update(gradients, optax.EmptyState())
    clipped, _ = theory.clip_by_global_norm(gradients, max_norm=max_norm)
    for got, want in zip(clipped, wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-6)


def test_schedule_agrees_with_optax_after_the_warm_up():
    """optax counts its warm-up from init_value at step 0; ours takes the first step at peak / warmup."""
    theirs = optax.warmup_cosine_decay_schedule(0.0, 0.3, warmup_steps=5, decay_steps=20, end_value=0.02)
    steps = np.arange(5, 40)
    ours = practice.warmup_cosine_learning_rate(
        torch.tensor(steps, dtype=torch.float64), peak=0.3, warmup_steps=5, total_steps=20, floor=0.02
    )
    np.testing.assert_allclose(ours, np.array([float(theirs(step)) for step in steps]), rtol=1e-5)


def test_schedule_agrees_with_torch_after_the_warm_up():
    """torch.optim.lr_scheduler.CosineAnnealingLR from the warm-up's end."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=15, eta_min=0.02)
    wanted = []
    for _ in range(16):
        wanted.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    steps = torch.arange(5, 21, dtype=torch.float64)
    ours = practice.warmup_cosine_learning_rate(steps, peak=0.3, warmup_steps=5, total_steps=20, floor=0.02)
    np.testing.assert_allclose(ours, wanted, rtol=1e-12)


def test_averaging_agrees_with_torch():
    """torch.optim.swa_utils.AveragedModel with its exponential averaging function."""
    model = torch.nn.Linear(3, 2).double()
    averaged = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9))
    averaged.update_parameters(model)  # the first call copies
    average = model.weight.detach().flatten().clone()
    for seed in range(4):
        with torch.no_grad():
            model.weight.copy_(torch.randn(2, 3, generator=torch.Generator().manual_seed(seed)))
        averaged.update_parameters(model)
        average = practice.ema_update(average, model.weight.detach().flatten(), decay=0.9)
    torch.testing.assert_close(average, averaged.module.weight.detach().flatten())


def test_integer_steps_are_welcome():
    """The engine counts in integers."""
    rate = practice.warmup_cosine_learning_rate(torch.arange(12), peak=0.3, warmup_steps=4, total_steps=10)
    assert rate.dtype == torch.get_default_dtype()
    assert float(rate[3]) == pytest.approx(0.3)
