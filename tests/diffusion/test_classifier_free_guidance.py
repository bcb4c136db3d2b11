"""Classifier-free guidance against a peer, on whole chains with exact predictions, and what a row cannot say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from practice_torch.diffusion.classifier_free_guidance import compose, drop_condition, guide, interval_scale, rescale
from practice_torch.diffusion.classifier_guidance import class_log_probs
from practice_torch.diffusion.forward_process import forward_sample
from practice_torch.diffusion.noise_schedules import linear_alpha_bar
from practice_torch.diffusion.score_prediction import diffused_mixture, mixture_score
from theory_jax.diffusion import classifier_free_guidance as theory

SCHEDULE = linear_alpha_bar(num_steps=60, beta_start=3e-3, beta_end=0.2).double()
MEANS = torch.tensor([[2.0, 0.5], [-1.5, 1.5], [0.3, -2.0]], dtype=torch.float64)
LOG_VARS = torch.tensor([0.8, 0.8, 0.8], dtype=torch.float64).log()  # they overlap
LOG_WEIGHTS = torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64).log()


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def exact_noises(x, step):
    """Of every class, [3, B, 2], and without a class, [B, 2]."""
    means, log_vars = (part[0] for part in diffused_mixture(MEANS, LOG_VARS, torch.tensor([step]), SCHEDULE))
    one = torch.zeros(1, dtype=torch.float64)
    scores = [mixture_score(x, means[k : k + 1], log_vars[k : k + 1], one) for k in range(3)]
    deviation = (1 - SCHEDULE[step]).sqrt()
    return -deviation * torch.stack(scores), -deviation * mixture_score(x, means, log_vars, LOG_WEIGHTS)


def walked(noise_fn, count=800):
    """A deterministic walk from pure noise to the data, by predictions of the noise."""
    x = draw(count, 2, seed=3)
    for step in range(60, 0, -1):
        noise = noise_fn(x, step)
        x0 = (x - (1 - SCHEDULE[step]).sqrt() * noise) / SCHEDULE[step].sqrt()
        x = SCHEDULE[step - 1].sqrt() * x0 + (1 - SCHEDULE[step - 1]).sqrt() * noise
    return x


def guided(scale, label=0, against=None):
    def noise_fn(x, step):
        conditional, unconditional = exact_noises(x, step)
        return guide(conditional[label], unconditional if against is None else conditional[against], scale=scale)

    return noise_fn


def shares(x):
    return class_log_probs(x, torch.ones(len(x)).long(), MEANS, LOG_VARS, LOG_WEIGHTS, SCHEDULE).exp().mean(0)


def test_the_scale_buys_fidelity_and_pays_with_variety():
    samples = {scale: walked(guided(scale)) for scale in (0.0, 1.0, 3.0)}
    assert (shares(samples[0.0]) - LOG_WEIGHTS.exp()).abs().max() < 0.05
    assert (samples[1.0].mean(0) - MEANS[0]).abs().max() < 0.1
    assert (samples[1.0].var(0) / 0.8 - 1).abs().max() < 0.15
    fidelity = [shares(samples[scale])[0].item() for scale in (0.0, 1.0, 3.0)]
    variety = [samples[scale].var(0).sum().item() for scale in (0.0, 1.0, 3.0)]
    assert fidelity == sorted(fidelity) and fidelity[2] > 0.99
    assert variety == sorted(variety, reverse=True) and variety[2] < 0.8 * variety[1]


def test_a_negative_prompt_keeps_further_from_what_is_not_wanted():
    plain, away = walked(guided(2.0)), walked(guided(2.0, against=2))
    assert (away - MEANS[2]).norm(dim=1).mean() > (plain - MEANS[2]).norm(dim=1).mean() + 0.2


def test_guidance_in_an_interval_keeps_more_variety_than_guidance_all_the_time():
    def noise_fn(x, step):
        conditional, unconditional = exact_noises(x, step)
        scale = interval_scale(torch.tensor([step]), scale=3.0, low=10, high=35).item()
        return guide(conditional[0], unconditional, scale=scale)

    always, partly, never = walked(guided(3.0)), walked(noise_fn), walked(guided(1.0))
    assert always.var(0).sum() < partly.var(0).sum() < never.var(0).sum()
    assert shares(never)[0] < shares(partly)[0]


def test_a_composition_is_drawn_to_both_and_away_from_the_third():
    def noise_fn(x, step):
        conditionals, unconditional = exact_noises(x, step)
        return compose(conditionals, unconditional, torch.tensor([0.8, 0.8, -0.5], dtype=torch.float64))

    found = shares(walked(noise_fn))
    assert found[0] > 0.2 and found[1] > 0.2 and found[2] < 0.02


def test_dropping_conditions_teaches_both_predictions():
    """The mean of the noise near one x_t: of the kept of a class the conditional one, of the dropped the unconditional one."""
    count, step, generator = 400_000, 30, torch.Generator().manual_seed(1)
    labels = torch.multinomial(LOG_WEIGHTS.exp(), count, replacement=True, generator=generator)
    x0 = MEANS[labels] + (LOG_VARS[labels] / 2).exp()[:, None] * draw(count, 2, seed=5)
    noise = draw(count, 2, seed=6)
    x = forward_sample(x0, torch.full((count,), step), noise, SCHEDULE)
    uniforms = torch.rand(count, generator=generator, dtype=torch.float64)
    asked = drop_condition(labels, torch.tensor(3), uniforms, probability=0.25)
    here = torch.tensor([[0.2, 0.1]], dtype=torch.float64)
    near = (x - here).norm(dim=1) < 0.15
    conditional, unconditional = exact_noises(here, step)
    for label, wanted in ((0, conditional[0]), (2, conditional[2]), (3, unconditional)):
        chosen = noise[near & (asked == label)]
        error = chosen.std(0) / len(chosen) ** 0.5
        assert len(chosen) > 300
        assert ((chosen.mean(0) - wanted[0]).abs() < 4 * error + 0.02).all()
    assert (conditional[0] - unconditional).abs().max() > 0.2  # which are not the same


def test_rescale_is_that_of_diffusers():
    peer = pytest.importorskip("diffusers.guiders.guider_utils")
    predicted, conditional = 5 * draw(4, 3, 8, 8).float(), draw(4, 3, 8, 8, seed=1).float()
    for mix in (0.0, 0.7, 1.0):
        wanted = peer.rescale_noise_cfg(predicted, conditional, guidance_rescale=mix)
        torch.testing.assert_close(rescale(predicted, conditional, mix=mix), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64])
def test_results_keep_the_dtype(dtype):
    x = (10 * draw(3, 4)).to(dtype)
    found = [drop_condition(x, x[0], torch.tensor([0.0, 0.5, 0.9]), probability=0.5)]
    if dtype.is_floating_point:
        found += [guide(x, 2 * x, scale=2.5), rescale(x, 2 * x), compose(x[None], x, x[0, :1])]
    assert {part.dtype for part in found} == {dtype}


def test_both_wings_under_vmap_and_jit():
    c, u, uniforms = draw(4, 3, 5), draw(4, 3, 5, seed=1), torch.rand(4, 3, generator=torch.Generator().manual_seed(2)).double()

    def ours(c, u, uniforms):
        kept = drop_condition(c, c[0], uniforms, probability=0.5)
        return rescale(guide(kept, u, scale=2.5), kept, mix=0.6) + compose(c[None], u, c[0, :1])

    def theirs(c, u, uniforms):
        kept = theory.drop_condition(c, c[0], uniforms, probability=0.5)
        return theory.rescale(theory.guide(kept, u, scale=2.5), kept, mix=0.6) + theory.compose(c[None], u, c[0, :1])

    wanted = torch.stack([ours(*one) for one in zip(c, u, uniforms, strict=True)])
    torch.testing.assert_close(torch.vmap(ours)(c, u, uniforms), wanted, rtol=1e-12, atol=1e-12)
    found = jax.jit(jax.vmap(theirs))(*(jnp.asarray(a.numpy()) for a in (c, u, uniforms)))
    np.testing.assert_allclose(np.asarray(found), wanted.numpy(), rtol=1e-12, atol=1e-12)
