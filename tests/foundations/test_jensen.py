"""Outside opinions on Jensen's gaps, and what a row cannot say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from jax.scipy.special import entr
from scipy.optimize import brentq
from scipy.special import logsumexp, rel_entr

from practice_torch.experiments.foundations.jensen import LogMeanBias
from practice_torch.foundations import jensen as practice
from theory_jax.foundations import jensen as theory

RNG = np.random.default_rng(0)
X, LOG_WEIGHTS = 4 * RNG.standard_normal((7, 5)), np.log(RNG.dirichlet(np.full(5, 0.5), size=7))


def both(name, *arrays, **options):
    """The function in both wings, as NumPy arrays."""
    in_torch = getattr(practice, name)(*(torch.tensor(a) if isinstance(a, np.ndarray) else a for a in arrays), **options)
    in_jax = getattr(theory, name)(*arrays, **options)
    return np.stack([in_torch.numpy(), np.asarray(in_jax)])


def test_log_mean_exp_is_scipys_logsumexp_with_weights():
    for x in (X, 300 * X, X + 5000, np.where(X > 3, -np.inf, X)):
        wanted = logsumexp(x, axis=1, b=1 / x.shape[1])
        np.testing.assert_allclose(both("log_mean_exp", x), np.stack([wanted] * 2), rtol=1e-13)


def test_log_jensen_gap_against_scipy():
    """Directly, and as SciPy's relative entropy to the reweighted weights."""
    weights = np.exp(LOG_WEIGHTS)
    direct = logsumexp(X, axis=1, b=weights) - (weights * X).sum(1)
    reweighted = weights * np.exp(X)
    divergence = rel_entr(weights, reweighted / reweighted.sum(1, keepdims=True)).sum(1)
    got = both("log_jensen_gap", X, LOG_WEIGHTS)
    np.testing.assert_allclose(got, np.stack([direct] * 2), atol=1e-12)
    np.testing.assert_allclose(got, np.stack([divergence] * 2), atol=1e-12)


def test_bregman_divergence_of_negative_entropy_is_scipys_relative_entropy():
    p, q = RNG.dirichlet(np.ones(4), size=(2, 6))
    in_torch = practice.bregman_divergence(torch.tensor(p), torch.tensor(q), lambda x: (x * x.log()).sum(-1))
    in_jax = theory.bregman_divergence(p, q, lambda x: -jnp.sum(entr(x), axis=-1))
    wanted = rel_entr(p, q).sum(1)
    np.testing.assert_allclose(in_torch.numpy(), wanted, atol=1e-14)
    np.testing.assert_allclose(np.asarray(in_jax), wanted, atol=1e-14)


def test_the_gap_is_half_the_curvature_somewhere_times_the_variance():
    """The intermediate-value form of the bounds: the effective curvature of e^x is between its extremes on the points."""
    x = np.clip(X, -2, 2)
    gap = both("jensen_gap", x, LOG_WEIGHTS, lambda u: 2.718281828459045**u)[0]
    half_variance = theory.jensen_gap_bounds(x, LOG_WEIGHTS, curvature_lower=0.0, curvature_upper=1.0)[1]
    for row in range(len(x)):
        where = brentq(lambda u, row=row: np.exp(u) * half_variance[row] - gap[row], -5, 5)
        assert x[row].min() < where < x[row].max()


def test_gradients_where_there_is_nothing_are_zero_in_both_wings():
    """Rows of -inf, where the derivative of a plain logsumexp is 0/0."""
    x = np.array([[-np.inf, -np.inf], [0.0, 1.0]])
    in_torch = torch.tensor(x, requires_grad=True)
    practice.log_mean_exp(in_torch).nan_to_num(neginf=0.0).sum().backward()
    in_jax = jax.grad(lambda x: jnp.nan_to_num(theory.log_mean_exp(x), neginf=0.0).sum())(x)
    for gradient in (in_torch.grad.numpy(), np.asarray(in_jax)):
        np.testing.assert_allclose(gradient, [[0, 0], [0.2689414213699951, 0.7310585786300049]], atol=1e-15)


@pytest.mark.parametrize("name", ["log_mean_exp", "log_jensen_gap", "jensen_gap_bounds"])
def test_under_jit_and_vmap(name):
    """The functions of a batch agree with themselves, mapped over batches and compiled."""
    options = {"curvature_lower": 0.5, "curvature_upper": 2.0} if name == "jensen_gap_bounds" else {}
    arrays = (X, LOG_WEIGHTS)[: 1 if name == "log_mean_exp" else 2]
    stacked = [np.stack([a, a[::-1]]) for a in arrays]
    flat = [a.reshape(-1, 5) for a in stacked]

    def in_jax(*a):
        return getattr(theory, name)(*a, **options)

    def in_torch(*a):
        return getattr(practice, name)(*a, **options)

    wanted = np.asarray(jax.jit(in_jax)(*flat))
    for mapped in (jax.vmap(in_jax)(*stacked), torch.func.vmap(in_torch)(*map(torch.tensor, stacked))):
        got = np.stack([np.asarray(part) for part in mapped])
        np.testing.assert_allclose(got.reshape(wanted.shape), wanted, atol=1e-12)


# ---------------------------------------------------------------------------------------------------- the demonstration


def test_the_log_of_a_mean_is_too_low_by_half_the_relative_variance_over_its_size():
    demo = LogMeanBias(sizes=(1, 2, 8, 64, 256), spread=0.5, draws=1 << 18)
    measured = demo.measured(torch.Generator().manual_seed(1))
    assert (measured < 0).all()
    assert (measured.diff() > 0).all()
    # one draw: E log w - log E w of a log-normal weight, exactly; 5 standard errors of the mean of log w
    assert measured[0].item() == pytest.approx(-(0.5**2) / 2, abs=5 * 0.5 / 2**9)
    # many: the expansion's next term is of the order of 1/S^2; 5 standard errors of the mean weight
    assert measured[-1].item() == pytest.approx(demo.predicted()[-1].item(), abs=5 * 0.533 / 2**9)
    assert (measured[1:4] / demo.predicted()[1:4]).sub(1).abs().max() < 0.25


def test_the_demonstration_draws_its_figure(tmp_path):
    figure = LogMeanBias(sizes=(1, 4), draws=1 << 10).figure(torch.Generator().manual_seed(0))
    figure.save(tmp_path / "bias.png")
    assert (tmp_path / "bias.png").read_bytes().startswith(b"\x89PNG")
    assert "1/S" in figure.caption
