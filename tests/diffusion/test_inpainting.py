"""RePaint's levels against diffusers, and what replacement, resampling and guidance sample from a normal law."""

import math

import pytest
import torch

from practice_torch.diffusion import inpainting as practice
from practice_torch.diffusion.ancestral_sampling import ddpm_step
from practice_torch.diffusion.forward_process import forward_from

RHO, KNOWN, COUNT = 0.8, 1.5, 2000
MASK = torch.tensor([[False, True]]).expand(COUNT, 2)
X0_KNOWN = torch.tensor([[torch.nan, KNOWN]], dtype=torch.float64).expand(COUNT, 2)


def schedule(steps):
    """Levels down to e^-10, with small steps near the data."""
    return (-10 * torch.linspace(0, 1, steps + 1, dtype=torch.float64) ** 2).exp()


def best_data(x, kept):
    """E(x_0 | x_t) for two numbers of variance 1 and correlation RHO: sqrt(a) S (a S + 1 - a)^-1 x."""
    law = torch.tensor([[1.0, RHO], [RHO, 1.0]], dtype=torch.float64)
    return kept.sqrt() * x @ torch.linalg.solve(kept * law + (1 - kept) * torch.eye(2, dtype=torch.float64), law)


def best_noise(x, t, alpha_bar):
    kept = alpha_bar[t[0]]
    return (x - kept.sqrt() * best_data(x, kept)) / (1 - kept).sqrt()


def normals(generator):
    return torch.randn(COUNT, 2, generator=generator, dtype=torch.float64)


def inpainted(alpha_bar, moves):
    """The free number at the end of RePaint's levels."""
    generator = torch.Generator().manual_seed(3)
    x = normals(generator)
    for now, after in zip(moves, moves[1:], strict=False):
        t, s = (torch.full((COUNT,), int(level)) for level in (now, after))
        if after > now:
            x = forward_from(x, t, s, normals(generator), alpha_bar)
        else:
            noises = normals(generator), X0_KNOWN, normals(generator)
            x = practice.replacement_step(x, best_noise(x, t, alpha_bar), *noises, MASK, t, alpha_bar)
    assert (x[:, 1] == KNOWN).all()
    return x[:, 0]


@pytest.mark.parametrize(("steps", "length", "times"), [(10, 2, 3), (250, 10, 10), (100, 7, 4), (20, 1, 2), (12, 5, 1)])
def test_the_levels_are_those_of_diffusers(steps, length, times):
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.RePaintScheduler(num_train_timesteps=steps)
    scheduler.set_timesteps(steps, jump_length=length, jump_n_sample=times)
    found = practice.resampling_schedule(num_steps=steps, jump_length=length, num_resamples=times)
    assert found.tolist() == [*(scheduler.timesteps + 1).tolist(), 0]


def test_replacement_is_biased_and_resampling_less():
    """The law is N(1.2, 0.36). Replacement tends to half the root: N(0.75, 0.49); single moves up and down remove most of it."""
    alpha_bar = schedule(60)
    plain = inpainted(alpha_bar, torch.arange(60, -1, -1))
    assert plain.mean().item() == pytest.approx(KNOWN * (1 - math.sqrt(1 - RHO**2)) / RHO, abs=0.1)
    often = inpainted(alpha_bar, practice.resampling_schedule(num_steps=60, jump_length=1, num_resamples=5))
    bias = [abs(found.mean().item() - RHO * KNOWN) for found in (plain, often)]
    assert bias[0] > 0.4 and bias[1] < 0.4 * bias[0]
    assert plain.var() > 0.45 > often.var() > 0.33


def test_guidance_with_the_exact_variance_samples_the_conditional_law():
    """The reverse process with the gradient over Var(k | x_t) in the score: N(1.2, 0.36), and k at its value."""
    alpha_bar, generator = schedule(150), torch.Generator().manual_seed(5)
    x = normals(generator)
    for level in range(150, 0, -1):
        t, kept = torch.full((COUNT,), level), alpha_bar[level]
        variance = 1 - kept * (1 + RHO**2 - 2 * kept * RHO**2) / (1 - (kept * RHO) ** 2)
        gradient = practice.guidance_gradient(x, X0_KNOWN, MASK, lambda x, kept=kept: best_data(x, kept)) / variance
        noise = best_noise(x, t, alpha_bar) - (1 - kept).sqrt() * gradient
        x = ddpm_step(x, noise, normals(generator), t, alpha_bar)
    assert x[:, 0].mean().item() == pytest.approx(RHO * KNOWN, abs=0.04)
    assert x[:, 0].var().item() == pytest.approx(1 - RHO**2, abs=0.04)
    torch.testing.assert_close(x[:, 1], X0_KNOWN[:, 1], rtol=0, atol=1e-6)
