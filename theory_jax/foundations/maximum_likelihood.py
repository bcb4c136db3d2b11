"""Maximum likelihood (lecture 1): why fitting a model by likelihood is fitting it by Kullback-Leibler divergence.

The functions come first; the derivation below them executes the argument on these very functions.
"""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from jax.scipy.special import logsumexp
from scipy.optimize import minimize

from theory_jax.arguments import require, require_log_probs, require_rank, require_same_shape, require_values, widened
from theory_jax.derivation import Derivation


def empirical_distribution(labels, *, num_categories):
    r"""The empirical distribution p_hat_k = (1/B) sum_b 1[labels_b = k]: the reduction over B is inherent.

    Raises ValueError if labels is empty or holds a label outside 0..K-1.  Source: Cover & Thomas, ch. 11.
    [B] -> [K]
    """
    require_rank(1, labels=labels)
    require(labels.shape[0] > 0, "labels is empty; an empirical distribution needs at least one label")
    _require_labels(labels, num_categories)
    return jax.nn.one_hot(widened(labels), num_categories).mean(axis=0)


def categorical_negative_log_likelihood(labels, logits):
    r"""-log softmax(logits)_label, in nats.

    Raises ValueError if the batch sizes differ or a label is outside 0..K-1.  Source: Bishop, PRML, 4.3.4.
    [B], [B, K] -> [B]
    """
    require_rank(1, labels=labels)
    require_rank(2, logits=logits)
    require(
        labels.shape[0] == logits.shape[0],
        f"labels has {labels.shape[0]} entries; it must have one for each of the {logits.shape[0]} rows of logits",
    )
    _require_labels(labels, logits.shape[1])
    chosen = jnp.take_along_axis(logits, widened(labels)[:, None], axis=-1)
    # The log-sum-exp of the differences: near 0 nothing large is subtracted from anything large.
    return logsumexp(logits - chosen, axis=-1)


def entropy(log_probs):
    r"""H(p) = -sum_k p_k log p_k, in nats, with 0 log 0 = 0.

    Raises ValueError if a row of log_probs does not sum to one.  Source: Cover & Thomas, eq. 2.1.
    [B, K] -> [B]
    """
    require_rank(2, log_probs=log_probs)
    require_log_probs(log_probs=log_probs)
    return cross_entropy(log_probs, log_probs)


def cross_entropy(log_probs_p, log_probs_q):
    r"""CE(p, q) = -sum_k p_k log q_k, in nats; +inf where q_k = 0 < p_k.

    Raises ValueError if the shapes differ or a row of log_probs_p or log_probs_q does not sum to one.
    Source: Cover & Thomas, ch. 2.
    [B, K], [B, K] -> [B]
    """
    _require_pair(log_probs_p, log_probs_q)
    # log q is replaced before it is multiplied: 0 * inf would be NaN in the value, and again in the gradient.
    surprise = jnp.where(jnp.isneginf(log_probs_p), 0.0, -log_probs_q)
    return jnp.sum(jnp.exp(log_probs_p) * surprise, axis=-1)


def kl_divergence(log_probs_p, log_probs_q):
    r"""KL(p || q) = sum_k p_k (log p_k - log q_k), in nats; +inf where q_k = 0 < p_k.

    Raises ValueError if the shapes differ or a row of log_probs_p or log_probs_q does not sum to one.
    Source: Cover & Thomas, eq. 2.26.
    [B, K], [B, K] -> [B]
    """
    _require_pair(log_probs_p, log_probs_q)
    possible = ~jnp.isneginf(log_probs_p)
    log_ratio = jnp.subtract(jnp.where(possible, log_probs_p, 0.0), jnp.where(possible, log_probs_q, 0.0))
    return jnp.einsum("bk,bk->b", jnp.exp(log_probs_p), log_ratio)


def gaussian_negative_log_likelihood(x, mean, log_var):
    r"""-log N(x; mean, e^log_var), diagonal, in nats.

    1/2 sum_d [ log 2 pi + log_var + (x - mean)^2 e^-log_var ]

    Raises ValueError if the shapes differ.  Source: Bishop, PRML, eq. 2.43.
    [B, D], [B, D], [B, D] -> [B]
    """
    require_rank(2, x=x)
    require_same_shape(x=x, mean=mean, log_var=log_var)
    standardized = (x - mean) * jnp.exp(-log_var / 2)
    return jnp.sum(0.5 * math.log(2 * math.pi) + 0.5 * log_var + 0.5 * standardized**2, axis=-1)


def gaussian_maximum_likelihood(x):
    r"""The diagonal Gaussian of maximum likelihood: the sample mean, and the log of the biased (1/B) variance.

    Raises ValueError if B < 2 or a column is constant (its variance is 0 and the likelihood unbounded).
    Source: Bishop, PRML, eqs. 1.55 and 1.56.
    [B, D] -> [D], [D]
    """
    require_rank(2, x=x)
    require(x.shape[0] >= 2, f"x has {x.shape[0]} rows; a variance needs at least 2")
    require_values("x", x, lambda a: jnp.ptp(a, axis=0) > 0, "free of constant columns: the likelihood is unbounded there")
    mean = jnp.mean(x, axis=0)
    return mean, jnp.log(jnp.mean((x - mean) ** 2, axis=0))


def gaussian_kl_divergence(mean_p, log_var_p, mean_q, log_var_q):
    r"""KL(N(mean_p, e^log_var_p) || N(mean_q, e^log_var_q)), diagonal, in nats.

    1/2 sum_d [ log_var_q - log_var_p + (e^log_var_p + (mean_p - mean_q)^2) e^-log_var_q - 1 ]

    Raises ValueError if the shapes differ.  Source: Kingma & Welling 2014, appendix B.
    [B, D], [B, D], [B, D], [B, D] -> [B]
    """
    require_rank(2, mean_p=mean_p)
    require_same_shape(mean_p=mean_p, log_var_p=log_var_p, mean_q=mean_q, log_var_q=log_var_q)
    # Grouped as (e^r - 1) - r + delta^2: each group vanishes where the two Gaussians agree.
    ratio = log_var_p - log_var_q
    delta = (mean_p - mean_q) * jnp.exp(-log_var_q / 2)
    return jnp.sum(jnp.expm1(ratio) - ratio + delta**2, axis=-1) / 2


def _require_labels(labels, num_categories):
    allowed = f"one of the {num_categories} categories 0..{num_categories - 1}"
    require_values("labels", labels, lambda a: (a >= 0) & (a < num_categories), allowed)


def _require_pair(log_probs_p, log_probs_q):
    require_rank(2, log_probs_p=log_probs_p)
    require_same_shape(log_probs_p=log_probs_p, log_probs_q=log_probs_q)
    require_log_probs(log_probs_p=log_probs_p, log_probs_q=log_probs_q)


derivation = Derivation(
    title="Maximum likelihood is minimum Kullback-Leibler divergence",
    lectures=(1,),
    sources=(
        "Cover & Thomas, Elements of Information Theory, ch. 2",
        "Bishop, Pattern Recognition and Machine Learning, 1.6 and 2.3",
        "Wilks 1938, for the last step: 2N KL tends to chi-squared with K-1 degrees of freedom",
    ),
)

_random = np.random.default_rng(1)
_log_p, _log_q = (jax.nn.log_softmax(jnp.array(_random.normal(size=(6, 4)))) for _ in range(2))
_labels = jnp.array(_random.integers(0, 4, 50))
_points = jnp.array(_random.normal(loc=1.5, scale=2.0, size=(9, 3)))


@derivation.exact(
    r"\frac{1}{N}\sum_n -\log q(x_n) = \mathrm{CE}(\hat p, q)",
    because="Collect the N terms by their value: category k occurs N p_hat(k) times. The likelihood of a sample therefore "
    "depends on the sample only through its empirical distribution.",
)
def the_likelihood_sees_only_the_empirical_distribution():
    log_q = _log_q[:1]
    average = categorical_negative_log_likelihood(_labels, jnp.tile(log_q, (50, 1))).mean()
    p_hat = empirical_distribution(_labels, num_categories=4)
    return average, cross_entropy(jnp.log(p_hat)[None], log_q)[0]


@derivation.numeric(
    r"\mathrm{CE}(p, q) = H(p) + \mathrm{KL}(p \,\|\, q)",
    because="Write log q = log p - log(p/q) under the expectation. H(p) does not contain q, so the q that maximizes the "
    "likelihood is the q that minimizes KL(p_hat || q).",
)
def cross_entropy_is_entropy_plus_divergence():
    return cross_entropy(_log_p, _log_q), entropy(_log_p) + kl_divergence(_log_p, _log_q)


@derivation.symbolic(
    r"\frac{d}{du}(u - 1 - \log u) = \frac{u - 1}{u}",
    because="The derivative is negative below u = 1 and positive above: u = 1 is the only stationary point of u - 1 - log u "
    "on the positive axis.",
)
def the_tangent_gap_has_one_stationary_point():
    u = sympy.symbols("u", positive=True)
    return sympy.diff(u - 1 - sympy.log(u), u), (u - 1) / u


@derivation.symbolic(
    r"\frac{d^2}{du^2}(u - 1 - \log u) = \frac{1}{u^2} > 0",
    because="The function is strictly convex, and its value at u = 1 is 0: hence log u <= u - 1, with equality only at 1.",
)
def the_tangent_gap_is_convex():
    u = sympy.symbols("u", positive=True)
    return sympy.diff(u - 1 - sympy.log(u), u, 2), u**-2


@derivation.bound(
    r"\mathrm{KL}(p \,\|\, q) \ge 0 \quad\text{with equality iff}\quad p = q",
    because="Put u = q/p into log u <= u - 1 and average under p: -KL(p || q) <= sum q - 1 <= 0 (Gibbs). Every term is tight "
    "only where q = p.",
)
def divergence_is_not_negative():
    return jnp.zeros(6), kl_divergence(_log_p, _log_q), (kl_divergence(_log_p, _log_p), jnp.zeros(6))


@derivation.autodiff(
    r"\nabla_l\,\mathrm{CE}(\hat p, \mathrm{softmax}(l)) = \mathrm{softmax}(l) - \hat p",
    because="d log softmax(l)_k / d l_j = 1[j = k] - softmax(l)_j, averaged under p_hat. The gradient vanishes exactly where "
    "the model reproduces the empirical distribution.",
)
def the_gradient_is_model_minus_data():
    p_hat = empirical_distribution(_labels, num_categories=4)
    logits = jnp.array([0.3, -1.2, 2.0, 0.1])
    return jax.grad(_cross_entropy_of_logits)(logits, p_hat), jax.nn.softmax(logits) - p_hat


@derivation.autodiff(
    r"\nabla_l^2\,\mathrm{CE} = \mathrm{diag}(q) - q q^\top",
    because="Differentiate softmax(l) - p_hat once more: the Hessian is the covariance of a one-hot draw from q.",
)
def the_hessian_is_a_covariance():
    logits = jnp.array([0.3, -1.2, 2.0, 0.1])
    q = jax.nn.softmax(logits)
    return jax.hessian(_cross_entropy_of_logits)(logits, jnp.full(4, 0.25)), jnp.diag(q) - jnp.outer(q, q)


@derivation.bound(
    r"v^\top(\mathrm{diag}(q) - q q^\top)\,v \ge 0 \quad\text{with null vector}\quad \mathbf{1}",
    because="A covariance is positive semi-definite, so the loss is convex in the logits. It is flat only along the vector of "
    "ones: the minimizer is unique up to a shift of all logits, which softmax ignores.",
)
def the_loss_is_convex_up_to_a_shift():
    hessian = jax.hessian(_cross_entropy_of_logits)(jnp.array([0.3, -1.2, 2.0, 0.1]), jnp.full(4, 0.25))
    eigenvalues = jnp.linalg.eigvalsh(hessian)
    return jnp.full(3, 1e-3), eigenvalues[1:], (hessian @ jnp.ones(4), jnp.zeros(4))


@derivation.autodiff(
    r"\nabla_{m,\,v}\ \tfrac{1}{N}\sum_n -\log\mathcal{N}(x_n; m, e^{v}) = 0"
    r" \quad\text{at}\quad \hat m = \bar x,\ e^{\hat v} = \tfrac{1}{N}\sum_n (x_n - \bar x)^2",
    because="Both equations are solved in closed form. The variance that comes out divides by N, not N - 1: maximum likelihood "
    "is biased, and that bias is part of the method.",
)
def gaussian_maximum_likelihood_is_stationary():
    def loss(mean, log_var):
        tiled = (jnp.broadcast_to(a, _points.shape) for a in (mean, log_var))
        return gaussian_negative_log_likelihood(_points, *tiled).mean()

    gradients = jax.grad(loss, argnums=(0, 1))(*gaussian_maximum_likelihood(_points))
    return jnp.stack(gradients), jnp.zeros((2, 3))


@derivation.exact(
    r"\mathrm{KL}(p\,\|\,\mathcal{N}(m,v)) - \mathrm{KL}(p\,\|\,\mathcal{N}(m^*,v^*))"
    r" = \mathrm{KL}(\mathcal{N}(m^*,v^*)\,\|\,\mathcal{N}(m,v))",
    because="The entropy of p cancels on the left, and the remaining cross entropies are quadratic: they see p only through its "
    "mean m* and variance v*. Forward KL matches moments, and so covers all the mass of p.",
)
def forward_divergence_matches_moments():
    support = jnp.array([-4.0, -2.5, -0.3, 0.0, 1.1, 3.0, 6.2])
    p = jnp.array([0.1, 0.25, 0.05, 0.2, 0.15, 0.15, 0.1])
    mean = p @ support
    log_var = jnp.log(p @ (support - mean) ** 2)
    other_mean, other_log_var = jnp.array(0.7), jnp.array(1.9)

    def cross_entropy_to(m, v):
        return p @ gaussian_negative_log_likelihood(support[:, None], jnp.full((7, 1), m), jnp.full((7, 1), v))

    difference = cross_entropy_to(other_mean, other_log_var) - cross_entropy_to(mean, log_var)
    as_rows = (a.reshape(1, 1) for a in (mean, log_var, other_mean, other_log_var))
    return difference, gaussian_kl_divergence(*as_rows)[0]


@derivation.numeric(
    r"\arg\min_q \mathrm{KL}(q\,\|\,p) \approx \mathcal{N}(3, 0.5) \quad\text{for}\quad"
    r" p = \tfrac12\mathcal{N}(-3,\tfrac12) + \tfrac12\mathcal{N}(3,\tfrac12)",
    because="The reverse direction charges q for mass where p has none, so the best single Gaussian locks on one mode, while "
    "matching moments would give mean 0 and variance 9.5. The two directions are different questions.",
    tolerance=2e-3,
    since="the modes overlap a little (their tails, about 1e-5 of mass), so the optimum is not exactly one mode",
)
def reverse_divergence_locks_on_a_mode():
    grid = jnp.linspace(-9.0, 9.0, 4001)
    variance = jnp.array(0.5)

    def log_normal(mean, log_var):
        shape = (grid.size, 1)
        return -gaussian_negative_log_likelihood(grid[:, None], jnp.full(shape, mean), jnp.full(shape, log_var))

    log_p = jnp.logaddexp(log_normal(-3.0, jnp.log(variance)), log_normal(3.0, jnp.log(variance))) - jnp.log(2.0)

    @jax.jit
    @jax.value_and_grad
    def reverse_divergence(parameters):
        log_q = log_normal(*parameters)
        return jnp.trapezoid(jnp.exp(log_q) * (log_q - log_p), grid)

    best = minimize(reverse_divergence, np.array([1.0, 1.0]), jac=True, method="BFGS")
    return jnp.array([best.x[0], math.exp(best.x[1])]), jnp.array([3.0, 0.5])


@derivation.exact(
    r"N\,\mathbb{E}[\mathrm{KL}(\hat p_N \,\|\, p)] \to \frac{K-1}{2}",
    because="Expand KL to second order: N KL is half a chi-squared variable with K - 1 degrees of freedom. Enumerating every "
    "count table at N = 40, 80, 160 and extrapolating the 1/N and 1/N^2 terms away leaves (K - 1)/2: the price, in nats per "
    "sample, of not knowing the distribution.",
    tolerance=1e-4,
    since="two Richardson steps leave terms of order 1/N^3",
)
def the_price_of_estimation():
    p = np.array([0.2, 0.3, 0.5])

    def expected(n):
        counts = np.array([(a, b, n - a - b) for a, b in itertools.product(range(n + 1), repeat=2) if a + b <= n])
        log_factorial = np.array([math.lgamma(c + 1) for c in range(n + 1)])
        weight = np.exp(log_factorial[n] - log_factorial[counts].sum(1) + counts @ np.log(p))
        with np.errstate(divide="ignore"):
            log_p_hat = jnp.array(np.log(counts / n))
        return n * weight @ np.asarray(kl_divergence(log_p_hat, jnp.broadcast_to(jnp.log(p), log_p_hat.shape)))

    at_40, at_80, at_160 = expected(40), expected(80), expected(160)
    once = 2 * at_80 - at_40, 2 * at_160 - at_80
    return jnp.array((4 * once[1] - once[0]) / 3), jnp.array(1.0)


def _cross_entropy_of_logits(logits, p):
    return cross_entropy(jnp.log(p)[None], jax.nn.log_softmax(logits)[None])[0]


if __name__ == "__main__":
    derivation.main()
