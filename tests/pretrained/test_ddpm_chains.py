"""Whole chains of samples with the same network and noise: ours, and diffusers' schedulers stepping their own network.

The reference is theirs in float64 over our schedule, with angles of times in float64. In float32 theirs is as it comes: its error
is the measure of ours, and in float64 the same error in units of float64's rounding.
"""

import pytest
import torch

from practice_torch.experiments.sampling.diffusion_sampling import chain, draw
from tests.support.pretrained.diffusers_unets import DTYPES, SCHEDULER, SMALL, of_diffusers, recipe_of, same_here

diffusers = pytest.importorskip("diffusers")

SHAPE = (2, 3, 8, 8)
LEVELS = {"num_train_timesteps": 100, "beta_end": 0.2}


@pytest.fixture(scope="module")
def networks():
    """{precision: (theirs, ours)}, with the same weights, and outputs of the size of noise."""
    found = {}
    for dtype in DTYPES:
        theirs = of_diffusers(SMALL, dtype)
        ours, _ = same_here(theirs, SMALL, dtype)
        for last in (theirs.conv_out, ours.output):
            last.weight.data.mul_(3)
        found[dtype] = theirs, ours
    return found


def scheduler_of(settings, schedule=None):
    """Theirs; with a schedule [T+1], ours in place of its float32 one."""
    settings = SCHEDULER | settings
    scheduler = getattr(diffusers, settings["_class_name"]).from_config(
        {key: value for key, value in settings.items() if key[0] != "_"}
    )
    if schedule is not None:
        scheduler.alphas_cumprod = schedule[1:]
        scheduler.one = scheduler.final_alpha_cumprod = schedule[0]
    return scheduler


@torch.no_grad()
def drawn_by_diffusers(network, scheduler, x, steps, noise, monkeypatch, **how):
    """As its pipelines do it, with noise of this precision."""

    def same_noise(shape, generator, device, dtype):
        return torch.randn(shape, generator=generator, dtype=noise).to(dtype)

    for module in ("scheduling_ddpm", "scheduling_ddim"):
        monkeypatch.setattr(f"diffusers.schedulers.{module}.randn_tensor", same_noise)
    scheduler.set_timesteps(steps)
    generator = torch.Generator().manual_seed(1)
    for t in scheduler.timesteps:
        x = scheduler.step(network(x, t).sample, t, x, generator=generator, **how).prev_sample
    return x


def require_same_chain(networks, monkeypatch, settings, steps, their_options=(), **how):
    """Ours in both precisions against theirs: within 16 times the error of theirs in float32."""
    recipe, double, single = recipe_of(SMALL, SCHEDULER | settings), *DTYPES
    schedule, x = recipe.alpha_bar(), torch.randn(SHAPE, generator=torch.Generator().manual_seed(0)).double()
    how = {"prediction": recipe.prediction, "steps": steps} | how
    limit, exact = 1.0 if recipe.clip_data else None, schedule.double()

    def theirs(dtype, noise, table=None):
        scheduler = scheduler_of(settings, table)
        return drawn_by_diffusers(networks[dtype][0], scheduler, x.to(dtype), steps, noise, monkeypatch, **dict(their_options))

    wanted = {single: theirs(double, single, exact)}
    wanted[double] = theirs(double, double, exact) if any(step.noise_out for step in chain(exact, **how)) else wanted[single]
    error = (theirs(single, single) - wanted[single]).abs().max().item()
    for dtype in DTYPES:
        drawn = draw(
            networks[dtype][1], x.to(dtype), chain(exact, **how), limit=limit, generator=torch.Generator().manual_seed(1)
        )
        off, unit = (drawn - wanted[dtype]).abs().max().item(), torch.finfo(dtype).eps / torch.finfo(single).eps
        assert off <= 16 * unit * error, f"{dtype}: off by {off:.3g}, and theirs in float32 by {error:.3g}"


@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("variance", ["fixed_large", "fixed_small"])
def test_a_whole_chain_of_ddpm_is_that_of_diffusers(variance, clip, networks, monkeypatch):
    settings = {"num_train_timesteps": 30, "beta_end": 0.5, "variance_type": variance, "clip_sample": clip}
    require_same_chain(networks, monkeypatch, settings, 30, variance=variance.removeprefix("fixed_"))


def test_fewer_steps_of_ddpm_are_those_of_diffusers(networks, monkeypatch):
    require_same_chain(networks, monkeypatch, LEVELS, 9, spacing="leading")
    # from the last level down its last step is at a level above 0, where it still adds noise: not an option here
    scheduler = scheduler_of(LEVELS | {"timestep_spacing": "trailing"})
    scheduler.set_timesteps(9)
    assert scheduler.timesteps[-1] > 0 and scheduler._get_variance(scheduler.timesteps[-1]) > 0.01


@pytest.mark.parametrize(
    ("refit", "steps", "eta"),
    [(False, 10, 0.0), (False, 10, 1.0), (False, 50, 0.0), (False, 50, 1.0), (True, 10, 0.0), (True, 10, 1.0)],
)
def test_a_whole_chain_of_ddim_is_that_of_diffusers(refit, steps, eta, networks, monkeypatch):
    """As it comes, from below the last level and with the predicted noise; and as ours comes, with options of theirs."""
    spacing = {False: "leading", True: "trailing"}[refit]
    settings = LEVELS | {"_class_name": "DDIMScheduler", "timestep_spacing": spacing}
    options = {"eta": eta, "use_clipped_model_output": refit}
    how = {"sampler": "ddim", "eta": eta, "spacing": "even" if refit else "leading", "refit_noise": refit}
    require_same_chain(networks, monkeypatch, settings, steps, options, **how)


@pytest.mark.parametrize("prediction", ["sample", "v_prediction"])
def test_other_predictions_are_taken_as_diffusers_does(prediction, networks, monkeypatch):
    settings = LEVELS | {"_class_name": "DDIMScheduler", "prediction_type": prediction}
    how = {"sampler": "ddim", "spacing": "leading", "refit_noise": False}
    require_same_chain(networks, monkeypatch, settings, 5, **how)
    require_same_chain(networks, monkeypatch, settings | {"_class_name": "DDPMScheduler"}, 5, spacing="leading")


@pytest.mark.parametrize("beta_schedule", ["linear", "scaled_linear", "squaredcos_cap_v2"])
def test_schedules_are_those_of_diffusers(beta_schedule):
    """But for the rounding of a product of 1000 numbers in float32, where ours is rounded once."""
    settings = SCHEDULER | {"beta_schedule": beta_schedule}
    theirs, ours = scheduler_of(settings).alphas_cumprod, recipe_of(SMALL, settings).alpha_bar()
    assert ours[0] == 1 and len(ours) == 1001
    # 1 - beta is rounded, too, and the cosine's last betas are 0.999
    torch.testing.assert_close(ours[1:-2], theirs[:-2], rtol=2000 * torch.finfo(torch.float32).eps, atol=0)
    torch.testing.assert_close(ours[-2:], theirs[-2:], rtol=1e-3, atol=0)
