"""Over-optimization compared with SciPy, mpmath, simulations and other derivations."""

import mpmath
import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.stats
import torch

from practice_torch.experiments.preference.overoptimization import RECIPES, GoldAndProxy
from practice_torch.preference import overoptimization as practice
from practice_torch.preference.kl_optimum import reward_kl_frontier


@pytest.fixture
def rng():
    """Of each test its own: what one draws depends on no other."""
    return np.random.default_rng(0)


def _divergence(law, log_probs):
    return (law.exp() * (law - log_probs)).sum(1)


def test_a_large_support_agrees_with_draws(rng):
    """The best of 8, drawn 50,000 times from 40 completions with many ties: probabilities to 5 standard errors."""
    p, rewards = rng.dirichlet(np.ones(40)), rng.integers(12, size=40).astype(float)
    drawn = rng.choice(40, size=(50_000, 8), p=p)
    value = rewards[drawn] + 1e-3 * rng.random(drawn.shape)  # of equal rewards, one at random
    kept = np.bincount(drawn[np.arange(len(drawn)), value.argmax(1)], minlength=40) / len(drawn)
    law = practice.best_of_n_log_probs(torch.tensor(rewards)[None], torch.tensor(p).log()[None], samples=8).exp()[0].numpy()
    assert (np.abs(kept - law) <= 5 * np.sqrt(law / len(drawn)) + 1e-12).all()


@pytest.mark.parametrize("samples", [2, 64, 10**5])
def test_small_probabilities_keep_their_digits(samples):
    """Against 60 digits of mpmath, relative 1e-9 in the probability: three ties among completions down to e^-400."""
    logs = np.array([-400.0, -30.0, -1e-9, -25.0, -380.0, -60.0])
    logs[2] = np.log1p(-np.exp(np.delete(logs, 2)).sum())
    rewards = np.array([3.0, 2.0, 1.0, 2.0, 0.0, 3.0])
    got = practice.best_of_n_log_probs(torch.tensor(rewards)[None], torch.tensor(logs)[None], samples=samples)[0]
    with mpmath.workdps(400):
        p = [mpmath.exp(mpmath.mpf(float(x))) for x in logs]
        for i, r in enumerate(rewards):
            up_to = mpmath.fsum(q for q, other in zip(p, rewards, strict=True) if other <= r)
            below = mpmath.fsum(q for q, other in zip(p, rewards, strict=True) if other < r)
            wanted = float(mpmath.log((up_to**samples - below**samples) * p[i] / (up_to - below)))
            assert got[i].item() == pytest.approx(wanted, abs=1e-9)


def test_the_bound_is_the_divergence_of_a_continuous_reward():
    """10,000 equally likely rewards; with 100 levels among them the divergence is below, and it falls with coarser levels."""
    log_probs = torch.full((1, 10_000), -np.log(10_000), dtype=torch.float64)
    order = torch.arange(10_000, dtype=torch.float64)[None]
    for samples in (2, 3, 7, 100):
        bound = practice.best_of_n_kl_bound(samples=samples).item()
        fine, coarse, coarser = (
            _divergence(practice.best_of_n_log_probs(order.div(width).floor(), log_probs, samples=samples), log_probs).item()
            for width in (1, 100, 2500)
        )
        assert coarser < coarse < fine < bound
        assert fine == pytest.approx(bound, rel=2e-4)


def test_the_tilt_of_the_same_divergence_has_more_proxy(rng):
    """The price is found by scipy.optimize.brentq; 18 random cases. (The best of 64 can be certain: no divergence is left.)"""
    for samples in (2, 5, 16):
        for _ in range(6):
            rewards, log_probs = torch.tensor(rng.normal(size=(1, 9))), torch.tensor(rng.normal(size=(1, 9))).log_softmax(1)
            law = practice.best_of_n_log_probs(rewards, log_probs, samples=samples)
            spent = _divergence(law, log_probs).item()

            def frontier(log_price, rewards=rewards, log_probs=log_probs):
                price = torch.tensor([np.exp(log_price)], dtype=torch.float64)
                return [part.item() for part in reward_kl_frontier(rewards[0], log_probs[0], price)]

            price = scipy.optimize.brentq(lambda p, frontier=frontier, spent=spent: frontier(p)[1] - spent, -14, 14)
            assert frontier(price)[0] > (law.exp() @ rewards[0]).item()


def test_the_largest_of_normal_numbers_by_scipys_quadrature():
    """The mean of the density x n phi(x) Phi(x)^(n - 1) by quad."""
    for samples in (2, 5, 32, 1000, 10**6):
        wanted = scipy.integrate.quad(
            lambda x, n=samples: x * n * np.exp(scipy.stats.norm.logpdf(x) + (n - 1) * scipy.stats.norm.logcdf(x)),
            -12,
            14,
            limit=400,
            points=(0, 3, 5),
        )[0]
        assert practice.normal_maximum_mean(samples=samples).item() == pytest.approx(wanted, rel=1e-10)


def test_the_gold_reward_of_gaussian_errors_is_a_regression(rng):
    """scipy.stats.linregress of gold on proxy, 200,000 pairs: slope and intercept."""
    gold = rng.normal(2.0, 1.5, size=200_000)
    proxy = gold + rng.normal(0.0, 0.8, size=gold.shape)
    fitted = scipy.stats.linregress(proxy, gold)
    expected = practice.expected_gold_reward(
        torch.tensor([0.0, 5.0], dtype=torch.float64), gold_mean=2.0, gold_variance=2.25, noise_variance=0.64
    )
    np.testing.assert_allclose(expected, fitted.intercept + fitted.slope * np.array([0.0, 5.0]), atol=0.02)


def test_heavy_tails_turn_the_gold_reward(rng):
    """Student's t with 1.5 degrees of freedom on a standard normal gold, 150 sets of 2048: the best of 1, 4, 16 and 512."""
    gold = torch.tensor(rng.normal(size=(150, 2048)))
    proxy, even = gold + torch.tensor(rng.standard_t(1.5, size=gold.shape)), torch.full_like(gold, -np.log(2048))
    kept = [(practice.best_of_n_log_probs(proxy, even, samples=n).exp() * gold).sum(1).mean() for n in (1, 4, 16, 512)]
    np.testing.assert_allclose(kept, [0.0, 0.53, 0.56, 0.08], atol=0.06)  # 0.08 of 512 different draws


@pytest.mark.parametrize("method", practice.METHODS)
def test_the_peak_of_a_fitted_law_is_where_scipy_finds_it(method):
    gain, decay = 1.1, 0.4
    d = {"best_of_n": gain / (2 * decay), "reinforcement": np.exp(gain / decay - 1)}[method]
    height = {"best_of_n": gain**2 / (4 * decay), "reinforcement": decay * d}[method]

    def loss(kl):
        return -practice.overoptimization_curve(
            torch.tensor([kl], dtype=torch.float64), gain=gain, decay=decay, method=method
        ).item()

    found = scipy.optimize.minimize_scalar(loss, bounds=(0, 200), method="bounded", options={"xatol": 1e-8})
    assert found.x == pytest.approx(d**2, rel=1e-5)
    assert -found.fun == pytest.approx(height)


def test_the_experiments_sums_over_all_texts_agree_with_drawn_ones():
    """A proxy that likes praise without end: gold and proxy of the best of 1 and 64, against 5,000 draws; it loses gold."""
    recipe = RECIPES["linear"]
    experiment = GoldAndProxy(recipe, {"shape": [recipe.length], "symbols": recipe.symbols})
    with torch.no_grad():
        experiment.proxy[0].weight.copy_(torch.tensor([[2.0, 1.0, -1.0, 0.0]]))
    generator = torch.Generator().manual_seed(0)
    kinds = torch.randint(recipe.symbols, (5_000, 64, 16), generator=generator, dtype=torch.uint8).clamp(max=3)
    counts = torch.stack([(kinds == kind).sum(2) for kind in range(4)], dim=2)
    exact, (gold, proxy) = experiment._best_of_n(), experiment._standardized()
    index = torch.zeros(17, 17, 17, dtype=torch.int64)
    index[experiment.counts[:, :3].unbind(1)] = torch.arange(len(gold))
    drawn = index[counts[..., 0], counts[..., 1], counts[..., 2]]
    for row, n in ((0, 1), (6, 64)):
        best = drawn[:, :n].gather(1, proxy[drawn[:, :n]].argmax(1, keepdim=True))[:, 0]
        for name, values in (("gold", gold[best]), ("proxy", proxy[best])):
            assert abs(values.mean() - exact[name][row]) < 5 * values.std() / len(values) ** 0.5
    assert exact["gold"][-1] < exact["gold"].max() - 0.5
    assert (exact["proxy"].diff() > 0).all()
