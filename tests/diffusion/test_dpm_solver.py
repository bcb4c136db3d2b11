"""DPM-Solver against DDIM, diffusers' schedulers and SciPy's solution, with data that are no normal law."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from practice_torch.diffusion import dpm_solver as practice
from practice_torch.diffusion.ddim import ddim_step
from practice_torch.diffusion.noise_schedules import cosine_alpha_bar, linear_alpha_bar
from practice_torch.diffusion.score_prediction import mixture_score
from theory_jax.diffusion import dpm_solver as theory

MEANS = torch.tensor([[-2.0, 0.0], [1.0, 1.0], [1.0, -1.0]], dtype=torch.float64)
LOG_VARS, LOG_WEIGHTS = torch.tensor([-1.0, -2.0, -1.5]).double(), torch.full((3,), 1 / 3, dtype=torch.float64).log()


def mixture_noise(x, level):
    """The best prediction of the noise for data from three normal laws; all examples at one level."""
    kept, rest = (2 * level[0]).sigmoid(), (-2 * level[0]).sigmoid()
    return -rest.sqrt() * mixture_score(x, kept.sqrt() * MEANS, (LOG_VARS.exp() * kept + rest).log(), LOG_WEIGHTS)


def mixture_data(x, level):
    """... and of the data."""
    kept, rest = (2 * level[0]).sigmoid(), (-2 * level[0]).sigmoid()
    return (x - rest.sqrt() * mixture_noise(x, level)) / kept.sqrt()


def start(count):
    return torch.randn((count, 2), generator=torch.Generator().manual_seed(7), dtype=torch.float64)


def exact(x, begin, end):
    """The flow solved by SciPy in sigma/alpha: x/alpha moves by the noise, which no solver of this topic uses."""

    def slope(ratio, flat):
        level = torch.full((len(x),), -math.log(ratio), dtype=torch.float64)
        alpha = (2 * level[0]).sigmoid().sqrt()
        return mixture_noise(alpha * torch.from_numpy(flat).view(-1, 2), level).numpy().ravel()

    alphas = (1 / math.sqrt(1 + math.exp(-2 * level)) for level in (begin, end))
    first, last = alphas
    path = solve_ivp(slope, (math.exp(-begin), math.exp(-end)), x.numpy().ravel() / first, rtol=1e-11, atol=1e-12)
    return last * torch.from_numpy(path.y[:, -1]).view(-1, 2)


def drawn(method, x, levels):
    """The end of the way by first-order steps, the midpoint or 2M."""
    if method == "2M":
        return practice.multistep_sample(x, levels, mixture_data, lower_order_final=False)
    for now, after in zip(levels, levels[1:], strict=False):
        now, after = now.expand(len(x)), after.expand(len(x))
        if method == "midpoint":
            x = practice.singlestep_second_order_step(x, now, after, mixture_noise)
        else:
            x = practice.first_order_step(x, mixture_data(x, now), now, after)
    return x


def test_orders_on_a_mixture():
    """From half a log-SNR of -3 to 3: half the steps cost a factor of 2, 4 and 4."""
    x = start(8)
    wanted, errors = exact(x, -3.0, 3.0), {}
    for method, order in {"order one": 1, "midpoint": 2, "2M": 2}.items():
        for count in (64, 128):
            found = drawn(method, x, torch.linspace(-3.0, 3.0, count + 1, dtype=torch.float64))
            errors[method, count] = (found - wanted).norm().item()
        assert math.log2(errors[method, 64] / errors[method, 128]) == pytest.approx(order, abs=0.3)
    assert errors["2M", 64] < errors["order one", 128] / 5  # with half of the evaluations


@pytest.mark.parametrize("schedule", [linear_alpha_bar, cosine_alpha_bar], ids=["linear", "cosine"])
def test_order_one_is_ddim(schedule):
    """On a path of a discrete schedule, with any network."""
    alpha_bar = schedule(num_steps=50).double()
    levels, x = practice.half_log_snr(alpha_bar), start(4)
    other = x
    for t, s in ((50, 31), (31, 12), (12, 3), (3, 1)):
        now, after = (torch.full((4,), place) for place in (t, s))
        noise = torch.sin(3 * x)
        data = (x - (1 - alpha_bar[t]).sqrt() * noise) / alpha_bar[t].sqrt()
        x = practice.first_order_step(x, data, levels[now], levels[after])
        other = ddim_step(other, torch.sin(3 * other), torch.zeros_like(x), now, after, alpha_bar)
    torch.testing.assert_close(x, other, rtol=1e-12, atol=1e-12)


def test_the_scheduler_of_diffusers_takes_the_same_steps():
    """Ten steps of its 2M on its own choice of levels, of order one at both ends."""
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.DPMSolverMultistepScheduler(
        algorithm_type="dpmsolver++",
        solver_order=2,
        solver_type="midpoint",
        lower_order_final=True,
        final_sigmas_type="sigma_min",
        prediction_type="sample",
    )
    scheduler.set_timesteps(10)
    ratios = scheduler.sigmas.double()  # sigma/alpha
    lambdas, seen = -ratios.log(), []
    x = start(4)

    def denoise(x, level):
        seen.append(level[0].item())
        return torch.tanh(2 * x) + 0.1 * level[:, None]

    found, other = practice.multistep_sample(x, lambdas, denoise), x
    for level, time in zip(seen.copy(), scheduler.timesteps, strict=True):
        prediction = denoise(other, torch.full((4,), level, dtype=torch.float64))
        other = scheduler.step(prediction, time, other).prev_sample
    torch.testing.assert_close(found, other, rtol=1e-4, atol=1e-4)


def test_one_evaluation_for_each_step_of_2m_and_two_for_the_midpoint():
    seen = []

    def denoise(x, level):
        seen.append(level[0].item())
        return 0.5 * x

    levels = torch.linspace(-2.0, 2.0, 6)
    practice.multistep_sample(torch.ones(2, 3), levels, denoise)
    assert seen == levels[:-1].tolist()
    practice.singlestep_second_order_step(torch.ones(2, 3), torch.zeros(2), torch.ones(2), denoise)
    assert seen[5:] == [0.0, 0.5]


@pytest.mark.parametrize("module", [practice, theory], ids=["torch", "jax"])
def test_data_in_float32_keep_their_precision(module):
    """Levels in float64 do not change the dtype of what is sampled."""
    if module is practice:
        x, levels = torch.ones(2, 3), torch.linspace(-2.0, 2.0, 6, dtype=torch.float64)
        assert module.multistep_sample(x, levels, lambda x, level: 0.5 * x).dtype == torch.float32
    else:
        found = module.multistep_sample(np.ones((2, 3), np.float32), np.linspace(-2.0, 2.0, 6), lambda x, level: 0.5 * x)
        assert found.dtype == np.float32
