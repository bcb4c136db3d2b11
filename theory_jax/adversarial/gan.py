"""Generative adversarial networks (lecture 6): a generator that learns from the mistakes of a classifier.

Local names: r and f are the discriminator's logits of real and of fake examples, D = sigma(logit) its probability of "real",
p the density of the data and q that of the generator. softplus(x) = log(1 + e^x) = -log sigma(-x): every loss below is made of
it, so that no probability is ever rounded to 0 or 1 before its logarithm is taken.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from jax.nn import softplus

from theory_jax.arguments import require, require_log_probs, require_rank, require_same_shape
from theory_jax.derivation import Derivation
from theory_jax.draws import disjoint_distributions
from theory_jax.foundations.f_divergence import f_divergence


def discriminator_loss(logits_real, logits_fake, *, real_target=1.0):
    r"""-a log sigma(r) - (1 - a) log sigma(-r) - log sigma(-f), a the real_target: two cross-entropies, in nats.

    a < 1 smooths the labels of the real examples alone.

    Raises ValueError if the shapes differ or real_target is outside (0, 1].
    Source: Goodfellow et al. 2014, eq. 1; Salimans et al. 2016, section 3.4 (a < 1).
    [B], [B] -> [B]
    """
    require_rank(1, logits_real=logits_real)
    require_same_shape(logits_real=logits_real, logits_fake=logits_fake)
    require(0 < real_target <= 1, f"real_target is {real_target}; it must be in (0, 1]")
    of_real = real_target * softplus(-logits_real) + (1 - real_target) * softplus(logits_real)
    return of_real + softplus(logits_fake)


def minimax_generator_loss(logits_fake):
    r"""log(1 - D) = log sigma(-f): the generator's side of the discriminator's own game, which saturates as f -> -inf.

    Raises ValueError unless logits_fake has one axis.  Source: Goodfellow et al. 2014, eq. 1.
    [B] -> [B]
    """
    require_rank(1, logits_fake=logits_fake)
    return -softplus(logits_fake)


def non_saturating_generator_loss(logits_fake):
    r"""-log D = -log sigma(f): the same fixed point, and a slope where the discriminator is sure.

    Raises ValueError unless logits_fake has one axis.  Source: Goodfellow et al. 2014, section 3.
    [B] -> [B]
    """
    require_rank(1, logits_fake=logits_fake)
    return softplus(-logits_fake)


def optimal_discriminator_logit(log_density_data, log_density_model):
    r"""log p - log q, the logit of D* = p / (p + q); 0 where both densities are zero and every D is as good.

    Raises ValueError if the shapes differ.  Source: Goodfellow et al. 2014, proposition 1.
    [B], [B] -> [B]
    """
    require_rank(1, log_density_data=log_density_data)
    require_same_shape(log_density_data=log_density_data, log_density_model=log_density_model)
    nowhere = (log_density_data == -math.inf) & (log_density_model == -math.inf)
    return jnp.where(nowhere, 0.0, log_density_data - log_density_model)


def exact_value(log_probs_p, log_probs_q, logits):
    r"""V(D) = sum_k p_k log sigma(l_k) + q_k log sigma(-l_k): the value of the game over a finite space, in nats.

    An outcome of probability 0 adds nothing, whatever its logit.

    Raises ValueError if the shapes differ or a row of log_probs_p or log_probs_q does not sum to one.
    Source: Goodfellow et al. 2014, eq. 1.
    [B, K], [B, K], [B, K] -> [B]
    """
    require_rank(2, log_probs_p=log_probs_p)
    require_same_shape(log_probs_p=log_probs_p, log_probs_q=log_probs_q, logits=logits)
    require_log_probs(log_probs_p=log_probs_p, log_probs_q=log_probs_q)
    return -jnp.sum(_weighted_softplus(log_probs_p, -logits) + _weighted_softplus(log_probs_q, logits), axis=-1)


def jensen_shannon_divergence(log_probs_p, log_probs_q):
    r"""1/2 KL(p || m) + 1/2 KL(q || m) with m = (p + q)/2, in nats: between 0 and log 2.

    Raises ValueError if the shapes differ or a row of log_probs_p or log_probs_q does not sum to one.
    Source: Lin 1991; Goodfellow et al. 2014, theorem 1.
    [B, K], [B, K] -> [B]
    """
    return f_divergence(log_probs_p, log_probs_q, divergence="jensen_shannon")


def _weighted_softplus(log_weight, x):
    # x is infinite where a perfect discriminator meets an outcome of one side only: 0 times inf must not become NaN
    return jnp.exp(log_weight) * softplus(jnp.where(log_weight == -math.inf, 0.0, x))


# ---------------------------------------------------------------------------------------------------- the derivation

derivation = Derivation(
    title="The adversarial game: what a perfect discriminator measures, and what it tells the generator",
    lectures=(6,),
    sources=(
        "Goodfellow et al. 2014, Generative Adversarial Nets, eq. 1, proposition 1, theorem 1",
        "Arjovsky & Bottou 2017, Towards Principled Methods for Training Generative Adversarial Networks",
        "Salimans et al. 2016, Improved Techniques for Training GANs, section 3.4",
    ),
)

_random = np.random.default_rng(6)
_log_p, _log_q = (jax.nn.log_softmax(1.5 * jnp.array(_random.normal(size=(4, 6)))) for _ in range(2))
_LOG_4 = math.log(4)


def _best_logits(log_p, log_q):
    return optimal_discriminator_logit(log_p.ravel(), log_q.ravel()).reshape(log_p.shape)


@derivation.autodiff(
    r"\frac{\partial V}{\partial \ell_k} = p_k\, \sigma(-\ell_k) - q_k\, \sigma(\ell_k) = 0"
    r" \iff \ell_k = \log\frac{p_k}{q_k},\quad D^* = \frac{p}{p + q}",
    because="The value is a sum over outcomes, and each outcome has its own logit: the maximum is taken pointwise. Raising the "
    "logit pays p for what is still missing of D and costs q for what D already has; the two balance where D/(1-D) = p/q. "
    "The best classifier knows the ratio of the densities, and nothing else.",
)
def the_best_discriminator_knows_the_ratio():
    slope = jax.grad(lambda logits: exact_value(_log_p, _log_q, logits).sum())
    anywhere = jnp.array(_random.normal(size=_log_p.shape))
    formula = jnp.exp(_log_p) * jax.nn.sigmoid(-anywhere) - jnp.exp(_log_q) * jax.nn.sigmoid(anywhere)
    gradients = jnp.stack([slope(_best_logits(_log_p, _log_q)), slope(anywhere)])
    return gradients, jnp.stack([jnp.zeros_like(formula), formula])


@derivation.bound(
    r"V(D) \le V(D^*) = \sum_k p_k \log\frac{p_k}{p_k + q_k} + q_k \log\frac{q_k}{p_k + q_k}",
    because="In its logit each term is concave, so the stationary point is the maximum. Two hundred perturbations, small and "
    "large, all lower the value; at D* it is the sum on the right.",
)
def every_other_discriminator_earns_less():
    best = _best_logits(_log_p, _log_q)
    sizes = jnp.logspace(-3, 1, 200)[:, None, None]
    moves = sizes * jnp.array(_random.normal(size=(200, *best.shape)))
    others = jax.vmap(lambda move: exact_value(_log_p, _log_q, best + move))(moves)
    value, log_sum = exact_value(_log_p, _log_q, best), jnp.logaddexp(_log_p, _log_q)
    formula = jnp.sum(jnp.exp(_log_p) * (_log_p - log_sum) + jnp.exp(_log_q) * (_log_q - log_sum), axis=-1)
    return others, jnp.broadcast_to(value, others.shape), (value, formula)


@derivation.exact(
    r"V(D^*) = 2\,\mathrm{JSD}(p, q) - \log 4",
    because="p/(p+q) = p/(2m) with the mixture m = (p+q)/2. The two halves split off -log 2 each, and what remains is "
    "KL(p||m) + KL(q||m). A discriminator at its best measures a divergence.",
)
def the_best_value_is_the_jensen_shannon_divergence():
    return exact_value(_log_p, _log_q, _best_logits(_log_p, _log_q)), 2 * jensen_shannon_divergence(_log_p, _log_q) - _LOG_4


@derivation.bound(
    r"0 \le \mathrm{JSD}(p, q) \le \log 2, \qquad \mathrm{JSD} = 0 \iff p = q",
    because="Both divergences from the mixture are at least 0, and are 0 only where p = m = q. Since p <= 2m, no ratio p/m "
    "exceeds 2: that is the upper bound, met when the supports are disjoint.",
)
def the_divergence_is_bounded():
    apart = jensen_shannon_divergence(_log_p, _log_q)
    ends = jnp.concatenate([jensen_shannon_divergence(_log_p, _log_p), jensen_shannon_divergence(*disjoint_distributions())])
    smaller = jnp.stack([jnp.zeros(4), apart])
    larger = jnp.stack([apart, jnp.full(4, math.log(2))])
    return smaller, larger, (ends, jnp.array([0.0] * 4 + [math.log(2)] * 3))


@derivation.exact(
    r"p = q:\quad D^* = \tfrac12 \text{ everywhere}, \qquad V(D^*) = -\log 4",
    because="Where the densities agree the log-ratio is 0 and the discriminator is left to toss a coin. This is the "
    "equilibrium: a loss of log 4 = 1.386 nats is what a healthy game tends to, not 0.",
)
def at_equilibrium_the_discriminator_tosses_a_coin():
    best = _best_logits(_log_p, _log_p)
    left = jnp.append(jax.nn.sigmoid(best).ravel(), exact_value(_log_p, _log_p, best))
    return left, jnp.append(jnp.full(best.size, 0.5), jnp.full(4, -_LOG_4))


@derivation.symbolic(
    r"\frac{d}{df} \log(1 - \sigma(f)) = -\sigma(f) \to 0, \qquad \frac{d}{df} [-\log \sigma(f)] = -(1 - \sigma(f)) \to -1"
    r"\qquad (f \to -\infty)",
    because="Early in training the discriminator recognizes every fake, f is very negative, and the generator's own side of the "
    "game gives it no slope where it needs one most: it saturates. Flipping the label instead of the sign gives a loss whose "
    "slope is -1 there and 0 where the fakes already pass.",
)
def one_loss_saturates_and_the_other_does_not():
    f = sympy.symbols("f", real=True)
    sigma = 1 / (1 + sympy.exp(-f))
    minimax, non_saturating = sympy.log(1 - sigma), -sympy.log(sigma)
    slopes = [sympy.diff(loss, f) for loss in (minimax, non_saturating)]
    limits = [sympy.limit(slope, f, -sympy.oo) for slope in slopes]
    return [*slopes, *limits], [-sigma, -(1 - sigma), 0, -1]


@derivation.autodiff(
    r"\ell_{\mathrm{minimax}}' = -\sigma(f), \qquad \ell_{\mathrm{ns}}' = -\sigma(-f)",
    because="The losses as they are computed, from softplus, have these slopes to the last digit: at f = -40 one is 4e-18 and "
    "the other 1.",
)
def the_code_has_these_slopes():
    f = jnp.array([-700.0, -40.0, -3.0, 0.0, 2.0, 40.0])
    slopes = [jax.grad(lambda f, loss=loss: loss(f).sum())(f) for loss in (minimax_generator_loss, non_saturating_generator_loss)]
    # in units of their own size, so that 4e-18 is compared and not lost beside 1
    return jnp.stack(slopes) / jnp.stack([jax.nn.sigmoid(f), jax.nn.sigmoid(-f)]), -jnp.ones((2, 6))


def _of_model(loss, theta, logits):
    """E_q loss(logit) over the finite space, for the generator q = softmax(theta)."""
    return jnp.sum(jax.nn.softmax(theta) * loss(logits))


@derivation.autodiff(
    r"\nabla_\theta\, \mathbb{E}_{q_\theta} \log(1 - D^*) = 2\, \nabla_\theta\, \mathrm{JSD}(p, q_\theta), \qquad"
    r"\nabla_\theta\, \mathbb{E}_{q_\theta} [-\log D^*] ="
    r" \nabla_\theta [\mathrm{KL}(q_\theta \,\|\, p) - 2\, \mathrm{JSD}(p, q_\theta)]",
    because="D* is held fixed while the generator moves. At a maximum the value does not react to small changes of D, so the "
    "minimax gradient is that of V(D*) itself. For the other loss, (1 - D*)/D* = q/p gives -log D* = log(q/p) - log(1 - D*), "
    "and log(q/p) averaged under q is a KL. That divergence punishes samples where there is no data and forgives missing modes, "
    "and the JSD enters with the wrong sign: the loss that moves is no distance.",
)
def the_generators_gradients_are_those_of_divergences():
    theta, log_p = _log_q[0] + 0.3, _log_p[0]
    frozen = optimal_discriminator_logit(log_p, jax.nn.log_softmax(theta))

    def divergences(theta):
        log_p_row, log_q_row = log_p[None], jax.nn.log_softmax(theta)[None]
        jsd = jensen_shannon_divergence(log_p_row, log_q_row)[0]
        return jnp.stack([2 * jsd, f_divergence(log_q_row, log_p_row, divergence="kl")[0] - 2 * jsd])

    losses = (minimax_generator_loss, non_saturating_generator_loss)
    gradients = [jax.grad(lambda theta, loss=loss: _of_model(loss, theta, frozen))(theta) for loss in losses]
    return jnp.stack(gradients), jax.jacobian(divergences)(theta)


_SMOOTHED = 0.9


def _smoothed_logit(log_p, log_q):
    """The logit of a p / (p + q): log a p - log((1 - a) p + q)."""
    rest = jnp.logaddexp(math.log(1 - _SMOOTHED) + log_p, log_q)
    return optimal_discriminator_logit(math.log(_SMOOTHED) + log_p, rest)


@derivation.autodiff(
    r"\nabla_\ell\, \mathbb{E}_{p, q}\, \ell_D(r, f; a) = 0 \quad\text{at}\quad D^* = \frac{a\, p}{p + q} \le a",
    because="With labels a instead of 1 a fraction 1 - a of the data counts as fake: the game is played between a p and "
    "(1 - a) p + q. The discriminator's confidence is bounded by a, its logit by log a/(1-a), and it stops growing its "
    "weights to be ever surer.",
)
def smoothing_bounds_the_discriminators_confidence():
    def expected_loss(logits):
        real, fake = (a.ravel() for a in jnp.meshgrid(logits, logits, indexing="ij"))
        losses = discriminator_loss(real, fake, real_target=_SMOOTHED).reshape(logits.size, logits.size)
        return jnp.exp(_log_p[0]) @ losses @ jnp.exp(_log_q[0])

    best = _smoothed_logit(_log_p[0], _log_q[0])
    rate = jnp.exp(_log_p[0]) / (jnp.exp(_log_p[0]) + jnp.exp(_log_q[0]))
    left = jnp.concatenate([jax.grad(expected_loss)(best), jax.nn.sigmoid(best)])
    return left, jnp.concatenate([jnp.zeros(6), _SMOOTHED * rate])


@derivation.autodiff(
    r"\nabla_\theta\, \mathbb{E}_{q_\theta} [-\log D^*_a] = \nabla_\theta\, \mathbb{E}_{q_\theta} [-\log D^*_1]",
    because="-log(a p/(p+q)) differs from -log(p/(p+q)) by the constant -log a, which no generator can change: one-sided "
    "smoothing leaves the generator's gradient, and hence the fixed point q = p, as they were. Smoothing the fakes' label b as "
    "well would put (a p + b q) in the numerator, and b q rewards the generator for staying where it is.",
)
def smoothing_leaves_the_generator_alone():
    theta = _log_q[1]
    frozen = [logit(_log_p[1], _log_q[1]) for logit in (_smoothed_logit, optimal_discriminator_logit)]
    return tuple(jax.grad(lambda theta, at=at: _of_model(non_saturating_generator_loss, theta, at))(theta) for at in frozen)


@derivation.exact(
    r"p \perp q \;\Rightarrow\; \mathrm{JSD}(p, q) = \log 2 \;\text{ at every distance}",
    because="Two blocks on a line, pushed 2 to 8 cells apart: as long as they do not overlap, every outcome belongs to one side, "
    "the discriminator is perfect, and the divergence is log 2. Its slope in the distance is zero, so it cannot say which way "
    "to move. Images lie on thin sets that hardly meet, which is why a discriminator that is too good stops the generator; "
    "lecture 9 turns to distances that see how far mass has to move.",
)
def the_divergence_does_not_see_distance():
    cells = jnp.arange(10)
    block = jnp.where(cells < 2, jnp.array([0.3, 0.7])[cells % 2], 0.0)
    blocks = jnp.stack([jnp.roll(block, shift) for shift in range(2, 9)])
    log_p, log_q = jnp.log(jnp.broadcast_to(block, blocks.shape)), jnp.log(blocks)
    perfect = exact_value(log_p, log_q, _best_logits(log_p, log_q))
    left = jnp.stack([jensen_shannon_divergence(log_p, log_q), perfect])
    return left, jnp.stack([jnp.full(7, math.log(2)), jnp.zeros(7)])


if __name__ == "__main__":
    derivation.main()
