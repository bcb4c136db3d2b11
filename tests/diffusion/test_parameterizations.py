"""The parameterizations against diffusers, by what a step of a sampler makes of them, and what a row cannot say."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from practice_torch.data import images
from practice_torch.diffusion.forward_process import forward_log_prob, forward_sample
from practice_torch.diffusion.noise_schedules import cosine_alpha_bar, linear_alpha_bar
from practice_torch.diffusion.parameterizations import (
    convert_prediction,
    loss_ratio,
    noise_from_velocity,
    noise_from_x0,
    velocity,
    x0_from_noise,
    x0_from_velocity,
)
from practice_torch.experiments.diffusion.parameterizations import RECIPES, build
from theory_jax.diffusion import parameterizations as theory

KINDS = ("noise", "x0", "velocity", "score", "mean")
SCHEDULE = linear_alpha_bar(num_steps=20, beta_start=0.01, beta_end=0.3).double()


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_velocity_is_that_of_diffusers():
    diffusers = pytest.importorskip("diffusers")
    peer = diffusers.DDPMScheduler(num_train_timesteps=1000)
    x0, noise, t = draw(4, 3, 2).float(), draw(4, 3, 2, seed=1).float(), torch.tensor([1, 2, 500, 1000])
    wanted = peer.get_velocity(x0, noise, t - 1)  # the peer's index 0 is our first step
    torch.testing.assert_close(velocity(x0, noise, t, linear_alpha_bar(num_steps=1000)), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("theirs", "ours"), [("epsilon", "noise"), ("sample", "x0"), ("v_prediction", "velocity")])
def test_a_peers_ddim_step_reads_the_same_from_a_prediction(theirs, ours):
    """What DDIMScheduler takes for the data, and for the noise in its next sample."""
    diffusers = pytest.importorskip("diffusers")
    peer = diffusers.DDIMScheduler(num_train_timesteps=1000, clip_sample=False, set_alpha_to_one=True, prediction_type=theirs)
    peer.set_timesteps(1000)
    alpha_bar = linear_alpha_bar(num_steps=1000)
    for step in (1, 2, 400, 900):
        prediction, x_t, t = draw(3, 2, seed=step).float(), draw(3, 2, seed=step + 1).float(), torch.full((3,), step)
        answer = peer.step(prediction, step - 1, x_t, eta=0.0)
        x0, noise = (convert_prediction(prediction, x_t, t, alpha_bar, source=ours, target=kind) for kind in ("x0", "noise"))
        torch.testing.assert_close(answer.pred_original_sample, x0, rtol=1e-3, atol=1e-4)
        onward = forward_sample(x0, t - 1, noise, alpha_bar)
        torch.testing.assert_close(answer.prev_sample, onward, rtol=1e-3, atol=1e-4)


def test_the_mean_is_that_of_a_peers_ddpm_step():
    diffusers = pytest.importorskip("diffusers")
    peer = diffusers.DDPMScheduler(num_train_timesteps=1000, clip_sample=False)
    alpha_bar = linear_alpha_bar(num_steps=1000)
    for step in (2, 400, 900):
        prediction, x_t, t = draw(3, 2, seed=step).float(), draw(3, 2, seed=step + 1).float(), torch.full((3,), step)
        answer = peer.step(prediction, step - 1, x_t, generator=torch.Generator().manual_seed(0)).prev_sample
        spread = peer._get_variance(step - 1) ** 0.5 * torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
        mean = convert_prediction(prediction, x_t, t, alpha_bar, source="noise", target="mean")
        torch.testing.assert_close(answer - spread, mean, rtol=1e-3, atol=1e-4)


def test_the_score_is_the_slope_of_the_density():
    x0, noise, t = draw(4, 3), draw(4, 3, seed=1), torch.tensor([1, 7, 12, 20])
    x_t = forward_sample(x0, t, noise, SCHEDULE).requires_grad_()
    slope = torch.autograd.grad(forward_log_prob(x_t, x0, 0 * t, t, SCHEDULE).sum(), x_t)[0]
    for source, prediction in (("noise", noise), ("x0", x0), ("velocity", velocity(x0, noise, t, SCHEDULE))):
        score = convert_prediction(prediction, x_t.detach(), t, SCHEDULE, source=source, target="score")
        torch.testing.assert_close(score, slope, rtol=1e-11, atol=1e-11)


def test_the_mean_is_that_of_the_posterior_by_brute_force():
    """E(x_(t-1) | x_t, x_0) by Bayes on a grid: the forward density of the last step times that of the steps before it."""
    grid, t = torch.linspace(-8, 8, 4001, dtype=torch.float64), 9
    x0, x_t = torch.tensor(0.7, dtype=torch.float64), torch.tensor(-1.1, dtype=torch.float64)

    def times(step):
        return torch.full_like(grid, step, dtype=torch.long)

    log_joint = forward_log_prob(grid, x0.expand_as(grid), times(0), times(t - 1), SCHEDULE)
    log_joint += forward_log_prob(x_t.expand_as(grid), grid, times(t - 1), times(t), SCHEDULE)
    wanted = (log_joint.softmax(0) * grid).sum()
    mean = convert_prediction(x0[None], x_t[None], torch.tensor([t]), SCHEDULE, source="x0", target="mean")
    torch.testing.assert_close(mean[0], wanted, rtol=1e-10, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_predictions_keep_their_dtype_under_a_finer_schedule(dtype):
    x, y, t = draw(3, 2).to(dtype), draw(3, 2, seed=1).to(dtype), torch.tensor([1, 5, 20])
    named = (x0_from_noise, noise_from_x0, velocity, x0_from_velocity, noise_from_velocity)
    found = {function(x, y, t, SCHEDULE).dtype for function in named}
    found |= {convert_prediction(x, y, t, SCHEDULE, source=a, target=b).dtype for a, b in itertools.product(KINDS, KINDS)}
    assert found == {dtype}


def test_all_conversions_keep_their_digits_at_both_ends_in_float32():
    """A thousand steps: in float32 no conversion loses more than the conversion itself amplifies."""
    alpha_bar = cosine_alpha_bar(num_steps=1000).double()
    t = torch.tensor([1, 2, 30, 500, 990, 999])
    noise, x_t = draw(6, 50), draw(6, 50, seed=1)
    for a, b in itertools.product(KINDS, KINDS):
        p = convert_prediction(noise, x_t, t, alpha_bar, source="noise", target=a).float()
        exact = convert_prediction(p.double(), x_t.float().double(), t, alpha_bar, source=a, target=b)
        rounded = convert_prediction(p, x_t.float(), t, alpha_bar, source=a, target=b)
        # what a last bit of x_t, of the prediction or of the result moves
        zero = convert_prediction(0 * p.double(), x_t.float().double(), t, alpha_bar, source=a, target=b)
        limit = 8 * 2.0**-24 * (exact.abs() + (exact - zero).abs() + zero.abs())
        assert ((rounded.double() - exact).abs() <= limit).all(), (a, b)


def test_weights_of_no_use_are_zero_where_only_noise_is_left():
    """1/loss_ratio turns a loss of the target into one of the noise; at the zero of the schedule it is zero, not NaN."""
    alpha_bar = torch.tensor([1.0, 0.5, 0.0])
    for target in ("x0", "velocity"):
        assert (1 / loss_ratio(torch.tensor([1, 2]), alpha_bar, target=target))[1] == 0


def test_both_wings_under_vmap_and_jit():
    x, y, t = draw(4, 3, 2), draw(4, 3, 2, seed=1), torch.tensor([[1, 6, 3], [1, 2, 6], [5, 5, 5], [4, 2, 1]])
    schedule = cosine_alpha_bar(num_steps=6).double()
    arrays = [jnp.asarray(a.numpy()) for a in (x, y, t, schedule)]
    for a, b in (("noise", "x0"), ("mean", "velocity"), ("score", "mean")):

        def ours(p, x_t, t, alpha_bar, a=a, b=b):
            return convert_prediction(p, x_t, t, alpha_bar, source=a, target=b)

        def theirs(p, x_t, t, alpha_bar, a=a, b=b):
            return theory.convert_prediction(p, x_t, t, alpha_bar, source=a, target=b)

        wanted = torch.stack([ours(*one, schedule) for one in zip(x, y, t, strict=True)])
        torch.testing.assert_close(torch.vmap(ours, in_dims=(0, 0, 0, None))(x, y, t, schedule), wanted, rtol=1e-13, atol=1e-14)
        found = jax.jit(jax.vmap(theirs, in_axes=(0, 0, 0, None)))(*arrays)
        np.testing.assert_allclose(np.asarray(found), wanted.numpy(), rtol=1e-11, atol=1e-12)


class Shrink(torch.nn.Module):
    """A model without weights: it takes half of x_t for the data, and converts it to its kind."""

    def __init__(self, kind, alpha_bar):
        super().__init__()
        self.kind, self.alpha_bar = kind, alpha_bar

    def forward(self, x, t):
        return convert_prediction(x / 2, x, t, self.alpha_bar, source="x0", target=self.kind)


def test_the_recipes_measure_one_error_and_draw_one_image():
    """One model in three wordings: the same loss, metrics and samples."""
    train, held_out = images.load("digits", held_out=0.05)
    batch, found = train.batch(torch.arange(64)), {}
    for kind, recipe in RECIPES.items():
        experiment = build(recipe, train)
        experiment.network = Shrink(kind, experiment.alpha_bar)
        experiment.generator = torch.Generator().manual_seed(0)
        loss, _ = experiment(batch, "train")
        metrics = experiment.evaluate(held_out)
        assert metrics["weighted_error"] > recipe.target  # half of x_t is no model
        found[kind] = loss, metrics, experiment.sample(4)["samples"].images
    for kind in ("noise", "x0"):
        torch.testing.assert_close(found[kind], found["velocity"], rtol=2e-3, atol=2e-3)
