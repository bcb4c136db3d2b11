"""f-divergences compared with SciPy, and properties that a row of a spec cannot state."""

import jax
import jax.test_util
import numpy as np
import pytest
import scipy.spatial.distance
import scipy.special
import scipy.stats
import torch

from practice_torch.data.points import load
from practice_torch.experiments.foundations.f_divergence import RECIPES, build
from practice_torch.foundations import f_divergence as practice
from shared_specs.backends.jax_eager import by_numpy
from theory_jax.foundations import f_divergence as theory

rng = np.random.default_rng(0)
P, Q = (rng.dirichlet(np.ones(4), size=6) for _ in range(2))
P[0, 1] = 0.0  # an outcome that p does not know
P[0] /= P[0].sum()
LOG_P, LOG_Q = (scipy.special.log_softmax(np.log(x, where=x > 0, out=np.full_like(x, -np.inf)), axis=1) for x in (P, Q))
ROWS = [(name, None) for name in practice.DIVERGENCES if name != "alpha"] + [("alpha", alpha) for alpha in (-1.0, 0.5, 3.0)]


def both(log_p, log_q, divergence, alpha=None):
    """The value in each wing."""
    yield np.asarray(theory.f_divergence(log_p, log_q, divergence=divergence, alpha=alpha))
    yield practice.f_divergence(torch.tensor(log_p), torch.tensor(log_q), divergence=divergence, alpha=alpha).numpy()


def test_kl_agrees_with_scipy():
    """scipy.stats.entropy(p, q) is KL(p || q) in nats; rel_entr is one cell of it."""
    for value in both(LOG_P, LOG_Q, "kl"):
        np.testing.assert_allclose(value, scipy.stats.entropy(P, Q, axis=1), rtol=1e-13)
    for value in both(LOG_P, LOG_Q, "reverse_kl"):
        np.testing.assert_allclose(value, scipy.special.rel_entr(Q, P).sum(axis=1), rtol=1e-13)


def test_jensen_shannon_agrees_with_scipy():
    """SciPy gives the distance, the square root of the divergence; base e by default."""
    for value in both(LOG_P, LOG_Q, "jensen_shannon"):
        np.testing.assert_allclose(value, scipy.spatial.distance.jensenshannon(P, Q, axis=1) ** 2, rtol=1e-12)


def test_total_variation_agrees_with_scipy():
    """Half the city-block distance."""
    wanted = [scipy.spatial.distance.cityblock(p, q) / 2 for p, q in zip(P, Q, strict=True)]
    for value in both(LOG_P, LOG_Q, "total_variation"):
        np.testing.assert_allclose(value, wanted, rtol=1e-13)


def test_pearson_agrees_with_scipy():
    """scipy.stats.chisquare with p as observed and q as expected frequencies, of a sample of one."""
    for value in both(LOG_P, LOG_Q, "pearson_chi_squared"):
        np.testing.assert_allclose(value, scipy.stats.chisquare(P, Q, axis=1, sum_check=False).statistic, rtol=1e-12)


def test_hellinger_agrees_with_euclidean_distance_of_roots():
    """The squared length of sqrt p - sqrt q."""
    wanted = [scipy.spatial.distance.sqeuclidean(p, q) for p, q in zip(np.sqrt(P), np.sqrt(Q), strict=True)]
    for value in both(LOG_P, LOG_Q, "squared_hellinger"):
        np.testing.assert_allclose(value, wanted, rtol=1e-12)


@pytest.mark.parametrize(("divergence", "alpha"), ROWS)
def test_gradients_survive_vmap_and_a_second_derivative(divergence, alpha):
    """torch.func and plain autograd agree; a second derivative by autograd equals central differences of the first."""
    log_p, log_q = torch.tensor(LOG_P[1:]), torch.tensor(LOG_Q[1:])

    def value(log_p, log_q):
        return practice.f_divergence(log_p[None], log_q[None], divergence=divergence, alpha=alpha)[0]

    def of_a_batch(log_p):
        return practice.f_divergence(log_p, log_q, divergence=divergence, alpha=alpha).sum()

    mapped = torch.func.grad(lambda log_p: torch.func.vmap(value)(log_p, log_q).sum())(log_p)
    torch.testing.assert_close(mapped, torch.autograd.functional.jacobian(of_a_batch, log_p), rtol=1e-12, atol=1e-12)
    if divergence == "total_variation":
        return  # piecewise
    x = torch.linspace(-2.0, 2.0, 8, dtype=torch.float64, requires_grad=True)
    row = {"divergence": divergence, "alpha": alpha}
    torch.autograd.gradcheck(lambda x: practice.f_generator(x, **row), (x,))
    torch.autograd.gradgradcheck(lambda x: practice.f_generator(x, **row), (x,))
    with by_numpy():  # a check of derivatives runs each of hundreds of operations once: compiling them would be all the work
        jax.test_util.check_grads(lambda x: theory.f_generator(x, **row), (x.detach().numpy(),), order=2, modes=["rev"])


def test_an_unknown_divergence_is_answered_with_the_nearest():
    for wing, zero in ((theory, np.zeros(2)), (practice, torch.zeros(2))):
        with pytest.raises(ValueError, match="jensen_shannon"):
            wing.f_generator(zero, divergence="jenson-shannon")
        with pytest.raises(ValueError, match="divergence"):
            wing.f_generator(zero, divergence=None)


def test_only_concrete_values_are_checked():
    """Under jit a row that is none passes unseen, and the shapes are still checked."""
    off = np.zeros((3, 4))
    assert np.isfinite(jax.jit(lambda p: theory.f_divergence(p, p, divergence="kl"))(off)).all()
    with pytest.raises(ValueError, match="log_probs_q"):
        jax.jit(lambda p: theory.f_divergence(p, p[:, 1:], divergence="kl"))(off)


def _experiment():
    recipe = RECIPES["bimodal"]
    train, held_out = load(recipe.data, held_out=recipe.held_out, seed=recipe.seed)
    return recipe, build(recipe, train), held_out


def test_the_target_is_missed_before_training_and_by_swapped_arguments():
    """The metric detects an untrained model, and a model trained on the other direction."""
    recipe, experiment, held_out = _experiment()
    assert experiment.evaluate(held_out)["excess"] > 10 * recipe.target
    optimizer = torch.optim.Adam(experiment.parameters(), lr=0.1)
    right = practice.f_divergence
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            practice, "f_divergence", lambda p, q, **row: right(q, p, **row) if "kl" in row["divergence"] else right(p, q, **row)
        )
        for _ in range(60):
            optimizer.zero_grad()
            experiment(held_out.batch(torch.arange(1)), "fit")[0].backward()
            optimizer.step()
    assert experiment.evaluate(held_out)["excess"] > 10 * recipe.target


def test_the_best_kl_fit_matches_the_moments():
    """Forward KL has a closed answer: the mean and variance of the mixture."""
    _, experiment, held_out = _experiment()
    weights, means, stds = (np.array(held_out.description["mixture"][key]) for key in ("weights", "means", "stds"))
    mean = (weights * means[:, 0]).sum()
    variance = (weights * (stds**2 + means[:, 0] ** 2)).sum() - mean**2
    kl = ROWS.index(("kl", None))
    with torch.no_grad():
        experiment.mean[kl], experiment.log_std[kl] = mean, np.log(variance) / 2
        least = experiment._least[kl]
        found = experiment._divergences(experiment.mean, experiment.log_std)[kl]
    assert float(found) == pytest.approx(float(least), rel=1e-5)


def test_the_wings_do_not_need_float64():
    """The theory's functions keep float32 when it is all that is given."""
    for divergence, alpha in ROWS:
        for wing, array in ((theory, jax.numpy.asarray), (practice, torch.tensor)):
            log_p, log_q = array(LOG_P.astype(np.float32)), array(LOG_Q.astype(np.float32))
            value = wing.f_divergence(log_p, log_q, divergence=divergence, alpha=alpha)
            assert "float32" in str(value.dtype)
