"""Ancestral sampling against diffusers, against the other wing over 50 steps, and what a row cannot say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from practice_torch.diffusion.ancestral_sampling import (
    ddpm_sample,
    ddpm_step,
    dynamic_threshold,
    gaussian_sampling_variance,
    respaced_alpha_bar,
)
from practice_torch.diffusion.noise_schedules import linear_alpha_bar
from theory_jax.diffusion import ancestral_sampling as theory

THOUSAND = linear_alpha_bar(num_steps=1000).double()
FIFTY = respaced_alpha_bar(THOUSAND, torch.arange(20, 1001, 20))


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def bent(x, t):
    """A closed-form network, written with operators only: for both wings and the peer."""
    return 0.9 * x / (1 + x * x / 10) - (x * 0 + t.reshape((-1,) + (1,) * (x.ndim - 1))) / 400


def test_fifty_strided_and_clipped_steps_agree_in_both_wings():
    x_T, noises = draw(2, 3, 4), draw(50, 2, 3, 4, seed=1)
    for variance, clip in (("large", None), ("small", 1.3)):
        ours = ddpm_sample(x_T, noises, bent, FIFTY, variance=variance, clip=clip)
        arrays = [jnp.asarray(a.numpy()) for a in (x_T, noises, FIFTY)]
        theirs = theory.ddpm_sample(*arrays[:2], bent, arrays[2], variance=variance, clip=clip)
        assert theirs.dtype == np.float64
        np.testing.assert_allclose(theirs, ours.numpy(), rtol=1e-10, atol=1e-10)


@pytest.fixture
def peers(monkeypatch):
    """The module of diffusers' scheduler, and a list: what it draws is the last of the list."""
    module, drawn = pytest.importorskip("diffusers.schedulers.scheduling_ddpm"), []
    monkeypatch.setattr(module, "randn_tensor", lambda *_, **__: drawn[-1])
    return module, drawn


@pytest.mark.parametrize(("variance", "peers_name"), [("large", "fixed_large"), ("small", "fixed_small")])
@pytest.mark.parametrize("clip", [None, 0.7])
def test_a_step_is_that_of_diffusers(variance, peers_name, clip, peers):
    module, drawn = peers
    peer = module.DDPMScheduler(variance_type=peers_name, clip_sample=clip is not None, clip_sample_range=clip or 1.0)
    x_t, noise_pred, noise = (draw(3, 2, seed=seed).float() for seed in range(3))
    drawn.append(noise)
    for t in (1, 2, 500, 1000):
        ours = ddpm_step(x_t, noise_pred, noise, torch.full((3,), t), THOUSAND, variance=variance, clip=clip)
        wanted = peer.step(noise_pred, t - 1, x_t).prev_sample  # the peer's index 0 is our first step
        torch.testing.assert_close(ours, wanted, rtol=1e-3, atol=1e-4)


def test_fifty_strided_steps_are_those_of_diffusers(peers):
    """Its "trailing" levels T, T - 20, .. 20 are the respaced chain; its float32 leaves four digits."""
    module, drawn = peers
    peer = module.DDPMScheduler(variance_type="fixed_small", clip_sample=True, clip_sample_range=1.3, timestep_spacing="trailing")
    peer.set_timesteps(50)
    x_T, noises = draw(2, 3), draw(50, 2, 3, seed=1)
    x = x_T.float()
    for step, level in enumerate(peer.timesteps.tolist()):
        drawn.append(noises[49 - step].float())
        x = peer.step(bent(x, torch.full((2,), 50 - step)), level, x).prev_sample
    ours = ddpm_sample(x_T, noises, bent, FIFTY, variance="small", clip=1.3)
    torch.testing.assert_close(ours.float(), x, rtol=1e-3, atol=1e-3)


def test_the_variance_is_that_of_a_chains_samples():
    """100,000 chains by the sampler itself, noises drawn; within five standard errors."""
    c, alpha_bar = torch.tensor([0.1, 2.0], dtype=torch.float64), torch.tensor([1.0, 0.8, 0.5, 0.2, 0.05], dtype=torch.float64)

    def best(x, t):
        a = alpha_bar[t][:, None]
        return (1 - a).sqrt() * x / (1 - a + a * c)

    for variance in ("large", "small"):
        samples = ddpm_sample(draw(100_000, 2), draw(4, 100_000, 2, seed=1), best, alpha_bar, variance=variance).square()
        off = (samples.mean(0) - gaussian_sampling_variance(c, alpha_bar, variance=variance)).abs()
        assert (off < 5 * samples.std(0) / 100_000**0.5).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_samples_keep_their_dtype_under_a_finer_schedule(dtype):
    x, noises = draw(3, 2).to(dtype), draw(50, 3, 2, seed=1).to(dtype)
    assert ddpm_sample(x, noises, bent, FIFTY, clip=1.0).dtype == dtype
    assert dynamic_threshold(3 * x).dtype == dtype
    assert gaussian_sampling_variance(x[:, 0].abs(), FIFTY).dtype == dtype


def test_the_chain_compiles_as_a_whole_in_the_theory_wing():
    """One program for all levels; the levels that it visits and the schedule are data of it."""
    x_T, noises = jnp.asarray(draw(2, 3).numpy()), jnp.asarray(draw(50, 2, 3, seed=1).numpy())
    sample = jax.jit(lambda x, z, a: theory.ddpm_sample(x, z, bent, a, variance="small", clip=1.3))
    alpha_bar = jnp.asarray(FIFTY.numpy())
    eager = theory.ddpm_sample(x_T, noises, bent, alpha_bar, variance="small", clip=1.3)
    np.testing.assert_allclose(sample(x_T, noises, alpha_bar), eager, rtol=1e-12)
    jaxpr = str(jax.make_jaxpr(sample)(x_T, noises, alpha_bar))
    assert jaxpr.count("scan[") == 1 and len(jaxpr) < 20_000
