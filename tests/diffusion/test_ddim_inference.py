"""Inference with DDIM against diffusers, against the ancestral chain and the other wing, and what a row cannot say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy.spatial import geometric_slerp

from practice_torch.diffusion.ancestral_sampling import ddpm_sample, respaced_alpha_bar
from practice_torch.diffusion.ddim_inference import ddim_invert, ddim_sample, sampling_timesteps, spherical_interpolation
from practice_torch.diffusion.noise_schedules import linear_alpha_bar
from theory_jax.diffusion import ddim_inference as theory

THOUSAND = linear_alpha_bar(num_steps=1000).double()
FIFTY = sampling_timesteps(num_steps=50, num_train_steps=1000)


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def bent(x, t):
    """A closed-form network, written with operators only: for both wings and the peer."""
    return 0.9 * x / (1 + x * x / 10) - (x * 0 + t.reshape((-1,) + (1,) * (x.ndim - 1))) / 4000


@pytest.mark.parametrize(("eta", "clip"), [(0.0, None), (0.3, 1.3), (1.0, None)])
def test_fifty_strided_steps_agree_in_both_wings(eta, clip):
    x_T, noises = draw(2, 3, 4), draw(50, 2, 3, 4, seed=1)
    ours = ddim_sample(x_T, noises, FIFTY, bent, THOUSAND, eta=eta, clip=clip)
    start, drawn, levels, alpha_bar = (jnp.asarray(a.numpy()) for a in (x_T, noises, FIFTY, THOUSAND))
    theirs = theory.ddim_sample(start, drawn, levels, bent, alpha_bar, eta=eta, clip=clip)
    assert theirs.dtype == np.float64
    np.testing.assert_allclose(theirs, ours.numpy(), rtol=1e-10, atol=1e-10)
    up = theory.ddim_invert(start, levels, bent, alpha_bar)
    np.testing.assert_allclose(up, ddim_invert(x_T, FIFTY, bent, THOUSAND).numpy(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("spacing", ["trailing", "leading", "linspace"])
def test_levels_are_those_of_diffusers(spacing):
    """Its index 0 is our level 1. One step of its linspace is the first level, ours the last: sampling starts from noise."""
    diffusers = pytest.importorskip("diffusers")
    peer = diffusers.DDIMScheduler(timestep_spacing=spacing)
    for steps in (1, 7, 10, 50, 1000):
        peer.set_timesteps(steps)
        ours = sampling_timesteps(num_steps=steps, num_train_steps=1000, spacing=spacing)
        wanted = peer.timesteps + 1 if (spacing, steps) != ("linspace", 1) else torch.tensor([1000])
        assert ours.tolist() == wanted.tolist()


def test_both_wings_visit_the_same_levels_whatever_the_numbers():
    for top in (1, 2, 9, 24):
        for steps in range(1, top + 1):
            for spacing in ("trailing", "leading", "linspace"):
                ours = sampling_timesteps(num_steps=steps, num_train_steps=top, spacing=spacing)
                theirs = theory.sampling_timesteps(num_steps=steps, num_train_steps=top, spacing=spacing)
                assert ours.tolist() == theirs.tolist()
                assert ours[-1] >= 1 and ours[0] <= top and bool((ours.diff() < 0).all())


@pytest.mark.parametrize(("eta", "clip"), [(0.0, None), (0.5, 1.3), (1.0, 1.3)])
def test_fifty_strided_steps_are_those_of_diffusers(eta, clip):
    """Four digits: the peer counts in float32."""
    diffusers = pytest.importorskip("diffusers")
    peer = diffusers.DDIMScheduler(
        clip_sample=clip is not None, clip_sample_range=clip or 1.0, set_alpha_to_one=True, timestep_spacing="trailing"
    )
    peer.set_timesteps(50)
    x_T, noises = draw(2, 3), draw(50, 2, 3, seed=1)
    x = x_T.float()
    for level, noise in zip(peer.timesteps, noises.float(), strict=True):
        predicted = bent(x, (level + 1).expand(2))
        x = peer.step(predicted, level, x, eta=eta, variance_noise=noise, use_clipped_model_output=True).prev_sample
    ours = ddim_sample(x_T, noises, FIFTY, bent, THOUSAND, eta=eta, clip=clip)
    torch.testing.assert_close(ours.float(), x, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("clip", [None, 0.9])
def test_all_the_noise_at_every_level_is_the_ancestral_chain(clip):
    """Also over strides: there it is the chain of the respaced schedule, asked about the long one's levels."""
    x_T, noises = draw(2, 3), draw(50, 2, 3, seed=1)
    ours = ddim_sample(x_T, noises, FIFTY, bent, THOUSAND, eta=1.0, clip=clip)
    short = respaced_alpha_bar(THOUSAND, FIFTY.flip(0))
    chain = ddpm_sample(x_T, noises.flip(0), lambda x, t: bent(x, 20 * t), short, variance="small", clip=clip)
    torch.testing.assert_close(ours, chain, rtol=1e-10, atol=1e-10)


def test_arcs_are_those_of_scipy():
    a, b = (torch.nn.functional.normalize(draw(4, 5, seed=seed), dim=1) for seed in range(2))
    for weight in (0.0, 0.3, 1.0):
        ours = spherical_interpolation(a, b, torch.full((4,), weight, dtype=torch.float64))
        wanted = [geometric_slerp(start, end, weight) for start, end in zip(a.numpy(), b.numpy(), strict=True)]
        np.testing.assert_allclose(ours.numpy(), np.stack(wanted), rtol=1e-12, atol=1e-12)


def test_nearly_opposite_vectors_keep_their_digits_in_float32():
    """By an arc cosine the sine of an angle near a half turn is wrong in the third digit."""
    a = draw(200, 64)
    b = -a + 0.02 * draw(200, 64, seed=1)
    weight = torch.linspace(0.1, 0.9, 200, dtype=torch.float64)
    a, b, weight = (v.float() for v in (a, b, weight))
    exact = spherical_interpolation(a.double(), b.double(), weight.double())
    off = (spherical_interpolation(a, b, weight).double() - exact).abs().max() / exact.abs().max()
    angle = torch.acos(torch.nn.functional.cosine_similarity(a, b))
    naive = (torch.sin((1 - weight) * angle)[:, None] * a + torch.sin(weight * angle)[:, None] * b) / torch.sin(angle)[:, None]
    assert off < 1e-5 < 1e-4 < (naive.double() - exact).abs().max() / exact.abs().max()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_samples_keep_their_dtype_under_a_finer_schedule(dtype):
    x, noises = draw(3, 2).to(dtype), draw(50, 3, 2, seed=1).to(dtype)
    assert ddim_sample(x, noises, FIFTY, bent, THOUSAND, eta=0.5, clip=1.0).dtype == dtype
    assert ddim_invert(x, FIFTY, bent, THOUSAND).dtype == dtype
    assert spherical_interpolation(x, x.flip(0), torch.full((3,), 0.5, dtype=torch.float64)).dtype == dtype


def test_the_walk_compiles_as_a_whole_in_the_theory_wing():
    """One program for all levels, and other levels do not change it."""
    sample = jax.jit(lambda x, z, levels, a: theory.ddim_sample(x, z, levels, bent, a, eta=0.5))
    x_T, noises, alpha_bar = (jnp.asarray(a.numpy()) for a in (draw(2, 3), draw(50, 2, 3, seed=1), THOUSAND))
    for levels in (FIFTY.numpy(), np.arange(500, 0, -10)):
        eager = theory.ddim_sample(x_T, noises, jnp.asarray(levels), bent, alpha_bar, eta=0.5)
        np.testing.assert_allclose(sample(x_T, noises, jnp.asarray(levels), alpha_bar), eager, rtol=1e-11, atol=1e-12)
    assert sample._cache_size() == 1
