"""Training a DDPM against the peers' own weights and averages and against the engine's; and the experiment on its way."""

import numpy as np
import pytest
import torch

from practice_torch.diffusion.noise_schedules import cosine_alpha_bar
from practice_torch.diffusion.training import (
    exponential_moving_average,
    importance_weighted_loss,
    loss_aware_probabilities,
    min_snr_weight,
    timesteps_from_uniforms,
    warmup_decay,
)

SCHEDULE = cosine_alpha_bar(num_steps=20).double()
EVERY = torch.arange(1, 21)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("steps", [1, 3, 200, 1000])
def test_the_largest_uniform_gives_the_last_level(dtype, steps):
    largest = 1 - torch.finfo(dtype).eps / 2
    found = timesteps_from_uniforms(torch.tensor([largest, 0], dtype=dtype), num_steps=steps)
    assert found.dtype == torch.int64
    assert found[1] == 1
    assert steps - steps * torch.finfo(dtype).eps - 1 <= found[0] <= steps


def test_drawn_levels_are_uniform():
    found = timesteps_from_uniforms(torch.rand(40_000, generator=seeded()), num_steps=8)
    share = torch.bincount(found, minlength=9)[1:] / 40_000
    assert (share - 1 / 8).abs().max() < 5 * (7 / 64 / 40_000) ** 0.5


def test_the_average_is_that_of_torch():
    model = torch.nn.Linear(3, 2)
    peer = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9))
    ours = None
    for step in range(4):
        with torch.no_grad():
            model.weight.copy_(torch.randn(2, 3, generator=seeded(step)))
        peer.update_parameters(model)
        weight = model.weight.detach().clone()
        ours = weight if ours is None else exponential_moving_average(ours, weight, decay=0.9)
    torch.testing.assert_close(peer.module.weight.detach(), ours)


def test_the_decay_is_the_engines():
    """Which counts steps from 1, and writes (1 + step)/(10 + step) for the step before as step/(step + 9)."""
    steps = torch.arange(1, 400, dtype=torch.float64)
    torch.testing.assert_close(warmup_decay(steps - 1, decay=0.97), (steps / (steps + 9)).clamp(max=0.97))


def test_the_decay_is_that_of_diffusers():
    training_utils = pytest.importorskip("diffusers.training_utils")
    peer = training_utils.EMAModel(torch.nn.Linear(2, 2).parameters(), decay=0.99, min_decay=0.0)
    for step in (2, 5, 40, 10_000):  # its first decay is 0, and it counts from one more
        assert peer.get_decay(step) == pytest.approx(warmup_decay(torch.tensor(float(step - 1)), decay=0.99).item(), rel=1e-6)


def test_the_signal_to_noise_is_that_of_diffusers():
    training_utils = pytest.importorskip("diffusers.training_utils")
    scheduler = pytest.importorskip("diffusers").DDPMScheduler(num_train_timesteps=1000)
    t = torch.tensor([1, 50, 400, 1000])
    ratio = training_utils.compute_snr(scheduler, t - 1)
    schedule = torch.cat([torch.ones(1), scheduler.alphas_cumprod])
    torch.testing.assert_close(min_snr_weight(t, schedule, prediction="x0"), ratio.clamp(max=5), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(min_snr_weight(t, schedule), ratio.clamp(max=5) / ratio, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(
        min_snr_weight(t, schedule, prediction="velocity"), ratio.clamp(max=5) / (ratio + 1), rtol=1e-4, atol=1e-6
    )


def test_drawing_by_the_losses_is_unbiased_and_less_noisy():
    level_losses = torch.linspace(3, 0.01, 20, dtype=torch.float64) ** 3
    history = level_losses[:, None] * (1 + torch.rand(20, 10, generator=seeded(), dtype=torch.float64))
    p = loss_aware_probabilities(history, uniform_probability=0.01)
    drawn = torch.multinomial(p, 4000, replacement=True, generator=seeded(1)) + 1
    weighted = importance_weighted_loss(level_losses[drawn - 1], drawn, p)
    error = (weighted.mean() - level_losses.mean()).abs()
    assert error < 5 * weighted.std() / 4000**0.5
    assert weighted.std() < 0.2 * level_losses.std()


def test_probabilities_do_not_depend_on_numpys_rounding():
    """Ten thousand levels with probabilities summed in float32."""
    p = loss_aware_probabilities(torch.rand(10_000, 3, generator=seeded()))
    assert importance_weighted_loss(torch.ones(3), torch.tensor([1, 77, 10_000]), p).isfinite().all()
    np.testing.assert_allclose(p.double().sum().item(), 1, rtol=1e-6)
