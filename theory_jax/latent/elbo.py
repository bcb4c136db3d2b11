"""The evidence lower bound (lecture 17), its importance-weighted and Renyi relatives, and how far each is from log p(x).

z_s is drawn from q(z|x), w_s = p(x, z_s) / q(z_s|x) is its weight, and every function sees log p(x, z_s) and log q(z_s|x).
The functions come first; the derivation below them executes the argument on these very functions.
"""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import require, require_at_least, require_log_probs, require_rank, require_same_shape
from theory_jax.derivation import Derivation
from theory_jax.foundations.jensen import log_mean_exp
from theory_jax.foundations.maximum_likelihood import kl_divergence


def elbo(log_joint, log_q):
    r"""The evidence lower bound from S samples of q: mean_s (log p(x, z_s) - log q(z_s|x)), in nats.

    Raises ValueError if the shapes differ or S = 0.  Source: Jordan et al. 1999; Kingma & Welling 2014, eq. 2.
    [B, S], [B, S] -> [B]
    """
    return jnp.mean(_log_weights(log_joint, log_q), axis=-1)


def importance_weighted_bound(log_joint, log_q):
    r"""log (1/S) sum_s p(x, z_s) / q(z_s|x), in nats: the bound L_S of the importance-weighted autoencoder.

    Raises ValueError if the shapes differ or S = 0.  Source: Burda et al. 2016, section 3.
    [B, S], [B, S] -> [B]
    """
    return log_mean_exp(_log_weights(log_joint, log_q))


def renyi_bound(log_joint, log_q, *, order):
    r"""1/(1 - order) log mean_s w_s^(1 - order), in nats; at order 1 its limit, the ELBO.

    Order 0 is the importance-weighted bound; the bound falls as the order grows.

    Raises ValueError if the shapes differ, S = 0 or order < 0.  Source: Li & Turner 2016, section 3.
    [B, S], [B, S] -> [B]
    """
    require_at_least(0, order=order)
    if order == 1:
        return elbo(log_joint, log_q)
    power = 1 - order
    scaled = power * _log_weights(log_joint, log_q)
    top = jax.lax.stop_gradient(jnp.max(scaled, axis=-1, keepdims=True))
    below = scaled - jnp.where(jnp.isfinite(top), top, 0.0)
    # Near order 1 every exponential is nearly 1 and only its difference from 1 matters; far from it, only its logarithm.
    close = jnp.log1p(jnp.mean(jnp.expm1(jnp.maximum(below, -1.0)), axis=-1))
    log_mean = jnp.where(jnp.min(below, axis=-1) > -1.0, close, log_mean_exp(below))
    return (jnp.where(jnp.isfinite(top), top, 0.0)[..., 0] + log_mean) / power


def normalized_importance_weights(log_joint, log_q):
    r"""w_s / sum_r w_r: the weights of the S samples, normalized for each x.

    Raises ValueError if the shapes differ or S = 0.  Source: Burda et al. 2016, section 3.
    [B, S], [B, S] -> [B, S]
    """
    return jax.nn.softmax(_log_weights(log_joint, log_q), axis=-1)


def effective_sample_size(log_joint, log_q):
    r"""1 / sum_s w~_s^2 of the normalized weights: S where they are equal, near 1 where one dominates.

    Raises ValueError if the shapes differ or S = 0.  Source: Kong 1992.
    [B, S], [B, S] -> [B]
    """
    return 1 / jnp.sum(normalized_importance_weights(log_joint, log_q) ** 2, axis=-1)


def exact_elbo(log_joint, log_q):
    r"""sum_k q(z_k|x) (log p(x, z_k) - log q(z_k|x)) over all K states of a finite z, in nats; 0 log 0 = 0.

    Raises ValueError if the shapes differ, K = 0 or a row of log_q does not sum to one.  Source: Neal & Hinton 1998.
    [B, K], [B, K] -> [B]
    """
    _require_pair(log_joint, log_q)
    require_log_probs(log_q=log_q)
    # Both logarithms are replaced where q = 0, before they are subtracted: 0 * inf would be NaN in value and in gradient.
    possible = ~jnp.isneginf(log_q)
    log_ratio = jnp.where(possible, log_joint, 0.0) - jnp.where(possible, log_q, 0.0)
    return jnp.sum(jnp.exp(log_q) * log_ratio, axis=-1)


def _log_weights(log_joint, log_q):
    """log w_s = log p(x, z_s) - log q(z_s|x)."""
    _require_pair(log_joint, log_q)
    return log_joint - log_q


def _require_pair(log_joint, log_q):
    require_rank(2, log_joint=log_joint)
    require_same_shape(log_joint=log_joint, log_q=log_q)
    require(log_joint.shape[1] > 0, f"log_joint has shape {list(log_joint.shape)}; its last axis must not be empty")


derivation = Derivation(
    title="The evidence lower bound, and how tight it can be made",
    lectures=(17,),
    sources=(
        "Jordan, Ghahramani, Jaakkola & Saul 1999, An introduction to variational methods for graphical models",
        "Burda, Grosse & Salakhutdinov 2016, Importance weighted autoencoders",
        "Li & Turner 2016, Renyi divergence variational inference",
        "Maddison et al. 2017, Filtering variational objectives (the rate of the gap)",
        "Rainforth et al. 2018, Tighter variational bounds are not necessarily better",
    ),
)

# A latent variable of four states and five observations x: everything can be summed over z.
_random = np.random.default_rng(17)
_log_prior = np.log(_random.dirichlet(np.ones(4), size=1))
_log_likelihood = np.log(_random.uniform(0.05, 0.6, size=(5, 4)))
_log_joint = _log_prior + _log_likelihood
_log_p_x = np.log(np.exp(_log_joint).sum(axis=1))
_log_posterior = _log_joint - _log_p_x[:, None]
_log_q = np.log(_random.dirichlet(2.0 * np.ones(4), size=5))


@derivation.exact(
    r"\log p(x) = \mathrm{ELBO}(q) + \mathrm{KL}(q(z|x)\,\|\,p(z|x))",
    because="Put p(x, z) = p(x) p(z|x) into the bound: log p(x) comes out of the expectation, and what stays is minus the "
    "divergence from q to the posterior. The gap is thus known exactly: it is how badly q infers z.",
)
def the_gap_is_the_divergence_to_the_posterior():
    return _log_p_x, exact_elbo(_log_joint, _log_q) + kl_divergence(_log_q, _log_posterior)


@derivation.exact(
    r"\mathrm{ELBO}(q) = \mathbb{E}_q[\log p(x|z)] - \mathrm{KL}(q(z|x)\,\|\,p(z))",
    because="Put p(x, z) = p(z) p(x|z) in instead: the same number is a reconstruction term minus a price for every nat by which "
    "q departs from the prior. This is the form that an autoencoder computes.",
)
def reconstruction_minus_rate():
    reconstruction = jnp.sum(jnp.exp(_log_q) * _log_likelihood, axis=-1)
    rate = kl_divergence(_log_q, jnp.broadcast_to(_log_prior, _log_q.shape))
    return exact_elbo(_log_joint, _log_q), reconstruction - rate


@derivation.autodiff(
    r"\frac{\partial\,\mathrm{ELBO}}{\partial l_k} = q_k\left(\log w_k - \mathrm{ELBO}\right), \quad q = \mathrm{softmax}(l)",
    because="A logit is raised where the log weight exceeds its average under q. The gradient is zero where q > 0 only if all "
    "weights w = p(x, z)/q(z|x) are equal, that is if q is proportional to p(x, z): at the posterior.",
)
def the_bound_is_stationary_at_the_posterior():
    def total(logits):
        return exact_elbo(_log_joint, jax.nn.log_softmax(logits)).sum()

    at_q = jnp.exp(_log_q) * (_log_joint - _log_q - exact_elbo(_log_joint, _log_q)[:, None])
    gradients = jnp.stack([jax.grad(total)(_log_q), jax.grad(total)(_log_posterior)])
    return gradients, jnp.stack([at_q, jnp.zeros_like(at_q)])


@derivation.bound(
    r"\mathrm{ELBO}(q) \le \log p(x) \quad\text{with equality at}\quad q(z|x) = p(z|x)",
    because="The divergence in the first step is not negative, and is zero at the posterior alone. Raising the bound over q is "
    "inference; raising it over p is learning.",
)
def the_maximum_over_q_is_the_evidence():
    return exact_elbo(_log_joint, _log_q), _log_p_x, (exact_elbo(_log_joint, _log_posterior), _log_p_x)


@derivation.exact(
    r"\mathbb{E}_{z_1}[\mathcal{L}_1] = \mathbb{E}_{z_1 \dots z_K}\Big[\tfrac1K\textstyle\sum_s \log w_s\Big] = \mathrm{ELBO}(q)",
    because="With one sample the log of the mean is the mean of the logs; and an average of K unbiased estimates is unbiased. "
    "Every one of the 4^K tuples of samples is summed here, so this is an identity and not an estimate.",
)
def one_sample_is_the_elbo():
    averaged = [_expected(elbo, size, 0) for size in (1, 2, 3)]
    return jnp.stack([_expected(importance_weighted_bound, 1, 0), *averaged]), jnp.full(4, exact_elbo(_log_joint, _log_q)[0])


@derivation.bound(
    r"\mathrm{ELBO} = \mathbb{E}\mathcal{L}_1 \le \mathbb{E}\mathcal{L}_2 \le \dots \le \mathbb{E}\mathcal{L}_K \le \log p(x)",
    because="The mean of K weights is the average of the means of its subsets of K - 1, and the log is concave (Jensen): leaving "
    "one out can only lower the log on average. The mean itself is unbiased for p(x), which bounds all of them. If q is the "
    "posterior every weight is p(x), and there is nothing to lose.",
)
def more_samples_tighten_the_bound():
    ladder = jnp.array([[_expected(importance_weighted_bound, size, x) for size in (1, 2, 3, 4)] for x in range(5)])
    tight = _expected(importance_weighted_bound, 3, 0, log_q=_log_posterior)
    return ladder, jnp.concatenate([ladder[:, 1:], _log_p_x[:, None]], axis=1), (tight, _log_p_x[0])


@derivation.exact(
    r"K\left(\log p(x) - \mathbb{E}\mathcal{L}_K\right) \to \frac{\mathrm{Var}_q(w)}{2\,p(x)^2}",
    because="Expand the log around p(x): the mean of K weights has variance Var(w)/K, and the second derivative of the log is "
    "-1/p(x)^2. What K samples buy is the relative variance of one weight, divided by 2K. All multisets of K = 10, 20 and 40 "
    "samples are summed; extrapolating the 1/K and 1/K^2 terms away leaves the limit.",
    tolerance=1e-6,
    since="two Richardson steps leave a term of order 1/K^3",
)
def the_gap_falls_like_one_over_k():
    x = 4  # the observation for which q is best: the expansion in 1/K is shortest there
    weights, q, p_x = np.exp(_log_joint[x] - _log_q[x]), np.exp(_log_q[x]), np.exp(_log_p_x[x])
    variance = q @ (weights - p_x) ** 2
    at_10, at_20, at_40 = (size * (_log_p_x[x] - _expected_by_counts(size, x)) for size in (10, 20, 40))
    once = 2 * at_20 - at_10, 2 * at_40 - at_20
    return (4 * once[1] - once[0]) / 3, variance / (2 * p_x**2)


@derivation.bound(
    r"\alpha \le \beta \ \Rightarrow\ \mathcal{L}^{(\beta)} \le \mathcal{L}^{(\alpha)}",
    because="The bound is the logarithm of the power mean of the weights with exponent 1 - alpha, and power means grow with "
    "their exponent (Jensen once more). All orders agree where all weights are equal.",
)
def the_renyi_bound_falls_with_its_order():
    orders = (0.0, 0.25, 0.5, 0.999, 1.0, 2.0, 5.0)
    bounds = jnp.stack([renyi_bound(_log_joint, _log_q, order=order) for order in orders])
    tight = jnp.stack([renyi_bound(_log_joint, _log_posterior, order=order) for order in orders])
    return bounds[1:], bounds[:-1], (tight, jnp.tile(_log_p_x, (7, 1)))


@derivation.numeric(
    r"\mathcal{L}^{(0)} = \log\tfrac1S\textstyle\sum_s w_s, \qquad \lim_{\alpha\to1}\mathcal{L}^{(\alpha)} ="
    r" \tfrac1S\textstyle\sum_s\log w_s",
    because="At exponent 1 the power mean is the arithmetic mean, and as the exponent goes to 0 it tends to the geometric mean: "
    "the family joins the importance-weighted bound to the ELBO. Taking the limit from both sides at once leaves an error of "
    "the second order in the distance.",
)
def the_renyi_bound_contains_both():
    step = 1e-7
    around_one = (renyi_bound(_log_joint, _log_q, order=1 - step) + renyi_bound(_log_joint, _log_q, order=1 + step)) / 2
    at_zero = renyi_bound(_log_joint, _log_q, order=0.0)
    expected = [elbo(_log_joint, _log_q), importance_weighted_bound(_log_joint, _log_q)]
    return jnp.stack([around_one, at_zero]), jnp.stack(expected)


@derivation.autodiff(
    r"\nabla_\theta \mathcal{L}_K = \sum_s \tilde w_s\, \nabla_\theta \log w_s, \qquad \tilde w_s = \frac{w_s}{\sum_r w_r}",
    because="The derivative of a log-mean-exp is a softmax. Good samples teach and bad ones are forgotten; but as K grows the "
    "encoder's own signal drowns, since its expected gradient shrinks faster than its noise (Rainforth et al. 2018).",
)
def the_gradient_weighs_the_samples():
    def total(log_joint, log_q):
        return importance_weighted_bound(log_joint, log_q).sum()

    weights = normalized_importance_weights(_log_joint, _log_q)
    return jnp.stack(jax.grad(total, argnums=(0, 1))(_log_joint, _log_q)), jnp.stack([weights, -weights])


@derivation.bound(
    r"1 \le \mathrm{ESS} = \Big(\textstyle\sum_s \tilde w_s^2\Big)^{-1} \le S",
    because="The squares of numbers that sum to one sum to at most 1 (one weight has everything) and to at least 1/S (all are "
    "equal, by Cauchy-Schwarz). Both ends are reached.",
)
def the_effective_sample_size_is_between_one_and_all():
    size = effective_sample_size(_log_joint, _log_q)
    alone = jnp.array([[0.0, -900.0, -800.0]])
    ends = jnp.stack([effective_sample_size(alone, jnp.zeros((1, 3))), effective_sample_size(jnp.ones((1, 3)), jnp.ones((1, 3)))])
    return jnp.stack([jnp.ones(5), size]), jnp.stack([size, jnp.full(5, 4.0)]), (ends, jnp.array([[1.0], [3.0]]))


@derivation.exact(
    r"q(z|x) = p(z|x) \ \Rightarrow\ w_s = p(x)\ \text{for every}\ z_s:\quad"
    r" \mathcal{L}^{(\alpha)} = \mathcal{L}_K = \mathrm{ELBO} = \log p(x),\ \ \mathrm{ESS} = S",
    because="Bayes' rule read backwards: p(x, z)/p(z|x) does not depend on z. Every bound is then tight sample by sample, with "
    "no variance at all. This is the test for an encoder: the spread of its log weights.",
)
def at_the_posterior_nothing_varies():
    pair = _log_joint, _log_posterior
    bounds = [elbo(*pair), importance_weighted_bound(*pair), renyi_bound(*pair, order=2.0), effective_sample_size(*pair)]
    spread = np.ptp(_log_joint - _log_posterior, axis=-1)
    return jnp.stack([*bounds, spread]), jnp.stack([_log_p_x] * 3 + [jnp.full(5, 4.0), jnp.zeros(5)])


def _expected(bound, size, x, log_q=_log_q):
    """E[bound] over all 4^size tuples of samples of q(z|x), for observation number x."""
    tuples = np.array(list(itertools.product(range(4), repeat=size)))
    log_q_samples = log_q[x][tuples]
    return np.exp(log_q_samples.sum(axis=1)) @ bound(_log_joint[x][tuples], log_q_samples)


def _expected_by_counts(size, x):
    """E[L_size] for observation number x, over all multisets of samples, each with its multinomial probability."""
    samples = np.array(list(itertools.combinations_with_replacement(range(4), size)))
    counts = (samples[:, :, None] == np.arange(4)).sum(axis=1)
    log_factorial = np.array([math.lgamma(count + 1) for count in range(size + 1)])
    log_q = _log_q[x][samples]
    log_weight = log_factorial[size] - log_factorial[counts].sum(axis=1) + log_q.sum(axis=1)
    return np.exp(log_weight) @ importance_weighted_bound(_log_joint[x][samples], log_q)


if __name__ == "__main__":
    derivation.main()
