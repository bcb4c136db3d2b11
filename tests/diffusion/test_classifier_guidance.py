"""Classifier guidance against SciPy and autograd, on whole reverse chains with exact answers, and what a row cannot say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from scipy.stats import multivariate_normal
from torch import nn

from practice_torch.diffusion.classifier_guidance import class_log_probs, classifier_gradient, guided_mean, guided_noise
from practice_torch.diffusion.noise_schedules import linear_alpha_bar
from practice_torch.diffusion.reverse_process import reverse_log_variance, reverse_mean_from_noise
from practice_torch.diffusion.score_prediction import diffused_mixture, mixture_score
from theory_jax.diffusion import classifier_guidance as theory

SCHEDULE = linear_alpha_bar(num_steps=100, beta_start=2e-3, beta_end=0.12).double()
MEANS = torch.tensor([[2.0, 0.5], [-1.5, 1.5], [0.3, -2.0]], dtype=torch.float64)
LOG_VARS = torch.tensor([0.1, 0.2, 0.05], dtype=torch.float64).log()
LOG_WEIGHTS = torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64).log()


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def exact_noise(x, t):
    score = mixture_score(x, *diffused_mixture(MEANS, LOG_VARS, t, SCHEDULE), LOG_WEIGHTS)
    return -(1 - SCHEDULE[t]).sqrt()[:, None] * score


def exact_classifier(t):
    return lambda x: class_log_probs(x, t, MEANS, LOG_VARS, LOG_WEIGHTS, SCHEDULE)


def sampled(labels, *, scale, by):
    """An ancestral chain from pure noise, guided through its mean or through its noise."""
    x = draw(len(labels), 2, seed=3)
    for step in range(100, 0, -1):
        t = torch.full((len(labels),), step)
        noise, gradient = exact_noise(x, t), classifier_gradient(x, labels, exact_classifier(t))
        log_var = reverse_log_variance(t, SCHEDULE)
        if by == "noise":
            noise = guided_noise(noise, gradient, t, SCHEDULE, scale=scale)
        x = reverse_mean_from_noise(x, noise, t, SCHEDULE)
        if by == "mean":
            x = guided_mean(x, log_var, gradient, scale=scale)
        if step > 1:
            x = x + (log_var / 2).exp()[:, None] * draw(len(labels), 2, seed=1000 + step)
    return x


def test_the_exact_classifier_is_scipys():
    x, t = 2 * draw(11, 2), torch.arange(1, 100, 9)
    a = SCHEDULE[t].numpy()
    joint = [
        [
            w + multivariate_normal.logpdf(point, np.sqrt(level) * m, level * np.exp(v) + 1 - level)
            for m, v, w in zip(MEANS.numpy(), LOG_VARS.numpy(), LOG_WEIGHTS.numpy(), strict=True)
        ]
        for point, level in zip(x.numpy(), a, strict=True)
    ]
    found = class_log_probs(x, t, MEANS, LOG_VARS, LOG_WEIGHTS, SCHEDULE)
    np.testing.assert_allclose(found, log_softmax(joint, axis=1), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_the_slope_of_a_network_is_autograds_also_where_samplers_run(mode):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 4), nn.LogSoftmax(1)).double()
    x, labels = draw(6, 5), torch.tensor([0, 3, 1, 2, 2, 0])
    leaf = x.clone().requires_grad_()
    wanted = torch.autograd.grad(nn.functional.nll_loss(network(leaf), labels, reduction="sum"), leaf)[0]
    with mode():
        found = classifier_gradient(x, labels, network)
    torch.testing.assert_close(found.detach(), -wanted)


@pytest.mark.parametrize("by", ["mean", "noise"])
def test_a_guided_chain_draws_the_requested_class(by):
    """At scale 1 with exact score and classifier: the class's own mean and variance, though the model knows no classes."""
    labels = torch.arange(3).repeat_interleave(1000)
    x = sampled(labels, scale=1.0, by=by).reshape(3, 1000, 2)
    spread = LOG_VARS.exp()
    assert (x.mean(1) - MEANS).abs().max() < 0.06
    assert (x.var(1) / spread[:, None] - 1).abs().max() < 0.2
    plain = sampled(labels, scale=0.0, by=by)
    shares = class_log_probs(plain, torch.ones(3000).long(), MEANS, LOG_VARS, LOG_WEIGHTS, SCHEDULE).argmax(1).bincount() / 3000
    assert (shares - LOG_WEIGHTS.exp()).abs().max() < 0.04


def test_more_guidance_is_surer_of_the_class_and_less_varied():
    """Classes that overlap: fidelity rises with the scale, diversity falls."""
    wide = torch.full((3,), 0.8, dtype=torch.float64).log()
    labels = torch.zeros(1000).long()
    results = []
    for scale in (0.0, 1.0, 3.0):
        x = draw(1000, 2, seed=3)
        for step in range(100, 0, -2):  # a deterministic walk over every second level
            t, s = torch.full((1000,), step), step - 2
            score = mixture_score(x, *diffused_mixture(MEANS, wide, t, SCHEDULE), LOG_WEIGHTS)
            noise = -(1 - SCHEDULE[step]).sqrt() * score
            gradient = classifier_gradient(x, labels, lambda x, t=t: class_log_probs(x, t, MEANS, wide, LOG_WEIGHTS, SCHEDULE))
            noise = guided_noise(noise, gradient, t, SCHEDULE, scale=scale)
            x0 = (x - (1 - SCHEDULE[step]).sqrt() * noise) / SCHEDULE[step].sqrt()
            x = SCHEDULE[s].sqrt() * x0 + (1 - SCHEDULE[s]).sqrt() * noise
        sure = class_log_probs(x, torch.ones(1000).long(), MEANS, wide, LOG_WEIGHTS, SCHEDULE)[:, 0].exp().mean()
        results.append((sure.item(), x.var(0).sum().item()))
    (none, all_of_it), (some, less), (much, least) = results
    assert none < 0.6 < 0.8 < some < 0.95 < much
    assert all_of_it > less > least


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_results_keep_the_dtype_under_a_finer_schedule(dtype):
    x, t = draw(2, 2).to(dtype), torch.tensor([1, 20])
    found = [
        guided_noise(x, x, t, SCHEDULE, scale=2.5),
        guided_mean(x, x[:, 0], x, scale=2.5),
        classifier_gradient(x, torch.tensor([0, 1]), lambda x: x.log_softmax(1)),
    ]
    if dtype != torch.bfloat16:
        found.append(class_log_probs(x, t, *(part.to(dtype) for part in (MEANS, LOG_VARS, LOG_WEIGHTS)), SCHEDULE))
    assert {part.dtype for part in found} == {dtype}


def test_both_wings_under_vmap_and_jit():
    x, t, labels = draw(4, 3, 2), torch.tensor([[1, 60, 3], [90, 2, 6], [5, 100, 1], [4, 2, 1]]), torch.tensor([0, 2, 1])

    def ours(x, t):
        gradient = classifier_gradient(x, labels, lambda x: class_log_probs(x, t, MEANS, LOG_VARS, LOG_WEIGHTS, SCHEDULE))
        return guided_noise(x, gradient, t, SCHEDULE, scale=2.5)

    means, log_vars, log_weights, schedule = (jnp.asarray(a.numpy()) for a in (MEANS, LOG_VARS, LOG_WEIGHTS, SCHEDULE))

    def theirs(x, t):
        def classifier(x):
            return theory.class_log_probs(x, t, means, log_vars, log_weights, schedule)

        return theory.guided_noise(x, theory.classifier_gradient(x, labels.numpy(), classifier), t, schedule, scale=2.5)

    wanted = torch.stack([ours(*one) for one in zip(x, t, strict=True)])
    torch.testing.assert_close(torch.vmap(ours)(x, t), wanted, rtol=1e-12, atol=1e-12)
    found = jax.jit(jax.vmap(theirs))(jnp.asarray(x.numpy()), jnp.asarray(t.numpy()))
    np.testing.assert_allclose(np.asarray(found), wanted.numpy(), rtol=1e-10, atol=1e-11)
