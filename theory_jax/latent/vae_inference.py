"""Inference with a trained VAE (lecture 21): how likely an image is, what lies between two latents, and how to fill in pixels.

Letters: w = p(x, z) / q(z | x) is an importance weight, omega the angle between two latents.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from theory_jax.arguments import require, require_rank, require_same_shape, require_values
from theory_jax.derivation import Derivation
from theory_jax.latent.elbo import importance_weighted_bound
from theory_jax.latent.vae import bernoulli_log_likelihood, gaussian_log_likelihood, kl_to_standard_normal


def importance_weighted_log_likelihood(log_likelihood, log_prior, log_posterior):
    r"""log of the importance-sampling estimate of p(x), from S draws z_s ~ q(z | x), in nats.

    log 1/S sum_s p(x | z_s) p(z_s) / q(z_s | x)

    Raises ValueError if the shapes differ or S = 0.  Source: Rezende et al. 2014, appendix; Burda et al. 2016, eq. 8.
    [B, S], [B, S], [B, S] -> [B]
    """
    require_rank(2, log_likelihood=log_likelihood)
    require_same_shape(log_likelihood=log_likelihood, log_prior=log_prior, log_posterior=log_posterior)
    require(log_likelihood.shape[1] > 0, f"log_likelihood has shape {list(log_likelihood.shape)}; it needs at least 1 draw")
    return importance_weighted_bound(jnp.add(log_likelihood, log_prior), log_posterior)


def linear_interpolation(start, end, fractions):
    r"""Points on the straight line from start (fraction 0) to end (fraction 1), and beyond.

    (1 - t) start + t end

    Raises ValueError if the shapes do not fit.  Source: White 2016.
    [B, L], [B, L], [T] -> [B, T, L]
    """
    _require_path(start, end, fractions)
    t = fractions[None, :, None]
    return (1 - t) * start[:, None, :] + t * end[:, None, :]


def spherical_interpolation(start, end, fractions):
    r"""Points on the arc from start (fraction 0) to end (fraction 1) at constant angular speed, and beyond.

    [ sin((1 - t) w) start + sin(t w) end ] / sin w, with w the angle between them; linear where cos w > 1 - 1e-6

    Raises ValueError if the shapes do not fit, a vector of start or end is zero, or the two are opposite (cos w < -1 + 1e-6):
    every great circle through one then leads to the other.  Source: White 2016.
    [B, L], [B, L], [T] -> [B, T, L]
    """
    _require_path(start, end, fractions)
    for name, array in (("start", start), ("end", end)):
        norm = jnp.linalg.norm(array, axis=-1)
        require_values(name, norm, lambda norm: norm > 0, "a row of positive norm (shown): 0 has no direction")
    # The chords of the angle and of its supplement, 2 sin(w/2) and 2 cos(w/2): their quotient gives w to full accuracy at both
    # ends of its range, where arccos gives half the digits.
    unit_start, unit_end = (a / jnp.linalg.norm(a, axis=-1, keepdims=True) for a in (start, end))
    chord_squared = jnp.sum((unit_end - unit_start) ** 2, axis=-1)
    supplement_squared = jnp.sum((unit_end + unit_start) ** 2, axis=-1)
    require_values(
        "end",
        1 - supplement_squared / 2,
        lambda minus_cosine: minus_cosine <= 1 - 1e-6,
        "not opposite to start (shown is minus the cosine): every great circle would do",
    )
    straight = chord_squared < 2e-6
    chord = jnp.sqrt(jnp.where(straight, 1, chord_squared))
    angle = 2 * jnp.arctan2(chord, jnp.sqrt(supplement_squared))

    def along(t):
        share_of_start = jnp.where(straight, 1 - t, _share(1 - t, angle, chord_squared))
        share_of_end = jnp.where(straight, t, _share(t, angle, chord_squared))
        return share_of_start[:, None] * start + share_of_end[:, None] * end

    return jax.vmap(along, out_axes=1)(fractions)


def attribute_vector(latents, labels):
    r"""The direction of an attribute: mean of the latents that have it (label 1) minus mean of those that lack it (label 0).

    Raises ValueError if the sizes differ, a label is neither 0 nor 1, or a class is missing.  Source: Larsen et al. 2016.
    [N, L], [N] -> [L]
    """
    require_rank(2, latents=latents)
    require_rank(1, labels=labels)
    require(
        labels.shape[0] == latents.shape[0],
        f"labels has {labels.shape[0]} entries; it must have one for each of the {latents.shape[0]} rows of latents",
    )
    require_values("labels", labels, lambda labels: (labels == 0) | (labels == 1), "0 or 1")
    require_values("labels", labels, lambda labels: jnp.any(labels == 0), "of both classes: no 0 is among them")
    require_values("labels", labels, lambda labels: jnp.any(labels == 1), "of both classes: no 1 is among them")
    has = (labels == 1)[:, None]
    return jnp.mean(latents, axis=0, where=has) - jnp.mean(latents, axis=0, where=~has)


def aggregate_posterior_log_density(z, means, log_vars):
    r"""log density of the mixture of all posteriors q(z | x_n), in nats.

    log 1/N sum_n N(z; means_n, e^log_vars_n)

    Raises ValueError if the shapes do not fit or N = 0.  Source: Hoffman & Johnson 2016.
    [B, L], [N, L], [N, L] -> [B]
    """
    require_rank(2, z=z, means=means)
    require_same_shape(means=means, log_vars=log_vars)
    components, width = means.shape
    require(components > 0, f"means has shape {list(means.shape)}; a mixture needs at least 1 component")
    require(z.shape[1] == width, f"z has shape {list(z.shape)}; it must have as many columns as means, {width}")

    def at(point):
        return logsumexp(gaussian_log_likelihood(jnp.broadcast_to(point, means.shape), means, log_vars), b=1 / components)

    return jax.vmap(at)(z)


def masked_bernoulli_log_likelihood(x, logits, mask):
    r"""log p of the visible pixels (mask = 1), in nats: the hidden ones are marginalized out. A hidden x may be NaN.

    sum over mask_d = 1 of [ x log sigma(logits) + (1 - x) log sigma(-logits) ]

    Raises ValueError if the shapes differ, a visible x leaves [0, 1], or the mask has values other than 0 and 1.
    Source: Rezende et al. 2014, appendix F.
    [B, D], [B, D], [B, D] -> [B]
    """
    require_rank(2, x=x)
    require_same_shape(x=x, logits=logits, mask=mask)
    require_values("mask", mask, lambda mask: (mask == 0) | (mask == 1), "0 or 1")
    # A hidden x is replaced, not multiplied by 0: NaN * 0 is NaN, in the value and in the gradient.
    visible = mask == 1
    x = jnp.where(visible, x, 0)
    # Checked here, because inside the vmap there are no values to check.
    require_values("x", x, lambda x: (x >= 0) & (x <= 1), "within [0, 1] where the mask is 1")
    one_pixel = jax.vmap(lambda x, logits: bernoulli_log_likelihood(x[:, None], logits[:, None]), in_axes=1, out_axes=1)
    return jnp.sum(one_pixel(x, logits), axis=1, where=visible)


def _share(t, angle, chord_squared):
    """sin(t w) / sin w, which is t 2F1(1 - t, 1 + t; 3/2; sin^2(w/2)): for small angles the series is summed.

    The plain quotient is accurate there, but its derivative is of size w and comes out as a difference of terms of size 1/w.
    """
    near = jnp.maximum(t**2, 1) * chord_squared < 0.25
    z = jnp.where(near, chord_squared, 0) / 4
    term = total = jnp.ones_like(z)
    for k in range(1, 13):  # each term is below 1/16 of the one before
        term = term * z * (k**2 - t**2) / (k * (k + 0.5))
        total = total + term
    wide = jnp.where(near, 1, angle)
    return jnp.where(near, t * total, jnp.sin(t * wide) / jnp.sin(wide))


def _require_path(start, end, fractions):
    require_rank(2, start=start)
    require_same_shape(start=start, end=end)
    require_rank(1, fractions=fractions)


derivation = Derivation(
    title="Inference with a trained VAE: estimates, paths and holes",
    lectures=(21,),
    sources=(
        "Burda, Grosse & Salakhutdinov 2016, Importance weighted autoencoders",
        "Rezende, Mohamed & Wierstra 2014, Stochastic backpropagation: likelihoods and missing pixels",
        "White 2016, Sampling generative networks: spherical interpolation",
        "Larsen et al. 2016, Autoencoding beyond pixels: attribute vectors",
        "Hoffman & Johnson 2016, ELBO surgery",
    ),
)

_random = np.random.default_rng(21)
# A latent with 4 states, and the 64 outcomes of drawing it 3 times.
_log_likelihood = jnp.log(jnp.array([0.9, 0.05, 0.3, 0.6]))
_log_prior = jnp.log(jnp.array([0.1, 0.4, 0.3, 0.2]))
_log_q = jnp.log(jnp.array([0.35, 0.15, 0.3, 0.2]))
_log_marginal = logsumexp(_log_likelihood + _log_prior)
_log_posterior = _log_likelihood + _log_prior - _log_marginal
_draws = np.indices((4, 4, 4)).reshape(3, -1).T
_start, _end = (jnp.array(_random.normal(size=(4, 6))) for _ in range(2))
_unit_start, _unit_end = (a / jnp.linalg.norm(a, axis=1, keepdims=True) for a in (_start, _end))
_cosine = jnp.sum(_unit_start * _unit_end, axis=1)


def _estimates(log_q):
    """Of every outcome of three draws from q: its probability, and the logarithm of the estimate of p(x) that it gives."""
    chosen = (a[_draws] for a in (_log_likelihood, _log_prior, log_q))
    return jnp.exp(log_q[_draws].sum(axis=1)), importance_weighted_log_likelihood(*chosen)


@derivation.exact(
    r"\mathbb{E}_{z_1, \dots, z_S \sim q}\left[\frac1S\sum_s \frac{p(x|z_s)\,p(z_s)}{q(z_s|x)}\right] = p(x)",
    because="Each weight has expectation sum_z q(z) p(x, z) / q(z) = p(x): the q that draws cancels the q that divides. So a "
    "trained VAE, which is trained on a bound, can still be asked for the likelihood itself.",
)
def the_estimate_is_unbiased():
    probability, log_estimate = _estimates(_log_q)
    return probability @ jnp.exp(log_estimate), jnp.exp(_log_marginal)


@derivation.exact(
    r"\mathrm{Var}[\hat p] = \frac{p(x)^2}{S}\,\chi^2\big(p(z|x)\,\|\,q(z|x)\big),"
    r" \quad\text{which is } 0 \text{ for } q = p(z|x) \text{ and positive for every other } q",
    because="The weight is p(x) p(z|x) / q(z|x), constant exactly when q is the posterior. The better the encoder, the fewer "
    "draws: what counts is chi-squared, which punishes an encoder that is too narrow far more than one that is too wide.",
)
def the_posterior_has_no_variance():
    def variance(log_q):
        probability, log_estimate = _estimates(log_q)
        return probability @ jnp.exp(2 * log_estimate) - jnp.exp(2 * _log_marginal)

    def chi_squared(log_q):
        return jnp.sum(jnp.exp(2 * _log_posterior - log_q)) - 1

    measured = jnp.array([variance(_log_q), variance(_log_posterior)])
    return measured, jnp.exp(2 * _log_marginal) / 3 * jnp.array([chi_squared(_log_q), 0.0])


@derivation.bound(
    r"\mathbb{E}\log\hat p(x) \le \log p(x)",
    because="Jensen's inequality: the logarithm of an unbiased estimate is biased downward. A reported test likelihood from S "
    "draws is a lower bound in expectation, never a flattery; tight when the weights do not vary.",
)
def the_logarithm_is_biased_downward():
    probability, log_estimate = _estimates(_log_q)
    exact_probability, exact_estimate = _estimates(_log_posterior)
    return probability @ log_estimate, _log_marginal, (exact_probability @ exact_estimate, _log_marginal)


@derivation.exact(
    r"q(z) = \tfrac1K,\ z_s = s \text{ for } s = 1 \dots K:\quad \log\hat p(x) = \log p(x)",
    because="With every state visited once, the average of p(x, z) / (1/K) over K states is the sum over z itself: the "
    "estimate is then ordinary quadrature.",
)
def visiting_every_state_once_is_exact():
    uniform = jnp.full((1, 4), -jnp.log(4.0))
    return importance_weighted_log_likelihood(_log_likelihood[None], _log_prior[None], uniform)[0], _log_marginal


@derivation.numeric(
    r"\|a\| = \|b\| = 1:\quad \left\|\tfrac{a + b}{2}\right\| = \sqrt{\tfrac{1 + \cos\omega}{2}} < 1,"
    r" \qquad \|\mathrm{slerp}(a, b, t)\| = 1",
    because="A Gaussian in many dimensions keeps its mass in a thin shell of radius sqrt(L). Two draws are nearly orthogonal, "
    "so the straight midpoint has radius sqrt(L/2), where the decoder has seen next to nothing. The arc stays in the shell.",
)
def straight_paths_leave_the_shell():
    half, several = jnp.array([0.5]), jnp.array([0.1, 0.5, 0.8])
    straight = jnp.linalg.norm(linear_interpolation(_unit_start, _unit_end, half), axis=-1)
    arc = jnp.linalg.norm(spherical_interpolation(_unit_start, _unit_end, several), axis=-1)
    expected = jnp.concatenate([jnp.sqrt((1 + _cosine[:, None]) / 2), jnp.ones((4, 3))], axis=1)
    return jnp.concatenate([straight, arc], axis=1), expected


@derivation.numeric(
    r"\angle\big(\mathrm{slerp}(t_i),\ \mathrm{slerp}(t_{i+1})\big) = \omega\,(t_{i+1} - t_i)",
    because="In the plane of a and b the arc is a rotation of a by t omega: sin((1 - t) omega) and sin(t omega), over sin "
    "omega, are the coordinates of that rotation in the basis (a, b). Equal steps of t turn by equal angles.",
)
def the_arc_has_constant_speed():
    path = spherical_interpolation(_unit_start, _unit_end, jnp.linspace(0.0, 1.0, 9))
    turned = jnp.arccos(jnp.sum(path[:, 1:] * path[:, :-1], axis=-1))
    return turned, jnp.broadcast_to(jnp.arccos(_cosine)[:, None] / 8, (4, 8))


@derivation.autodiff(
    r"\nabla_z \log\frac{\mathcal{N}(z; \mu_1, I)}{\mathcal{N}(z; \mu_0, I)} = \mu_1 - \mu_0",
    because="The squares of z cancel in the log odds, which are linear in z. So if the two classes are Gaussians of equal "
    "covariance I, adding a multiple of the attribute vector is the steepest way to raise the odds of the attribute, wherever "
    "it starts. (With a common covariance C the steepest way is C^-1 times that vector.)",
)
def the_attribute_vector_raises_the_odds():
    latents, labels = jnp.array(_random.normal(size=(9, 3))), jnp.array([1, 0, 0, 1, 1, 0, 1, 0, 0])
    has, lacks = latents[labels == 1].mean(axis=0), latents[labels == 0].mean(axis=0)

    def log_odds(z):
        unit = jnp.zeros((1, 3))
        return (gaussian_log_likelihood(z[None], has[None], unit) - gaussian_log_likelihood(z[None], lacks[None], unit))[0]

    anywhere = jnp.array([[0.3, -2.0, 1.0], [5.0, 0.1, -0.4]])
    return jax.vmap(jax.grad(log_odds))(anywhere), jnp.tile(attribute_vector(latents, labels), (2, 1))


@derivation.numeric(
    r"\mathrm{KL}\Big(\tfrac1N\sum_n q(z|x_n)\,\Big\|\,p(z)\Big)"
    r" = \tfrac1N\sum_n \mathrm{KL}(q(z|x_n)\,\|\,p(z)) - I_q(n; z)",
    because="Write log(q_n / p) = log(q_n / q) + log(q / p), q the average posterior, and take expectations: the KL of the "
    "ELBO pays for the information that z has about which x it came from, and for the mismatch of the aggregate. Only the "
    "second must vanish for samples from the prior to be good ones; where it does not, the prior has holes that no x maps to.",
)
def the_kl_is_information_plus_mismatch():
    means, log_vars = jnp.array([[-1.6], [0.2], [0.9], [2.1]]), jnp.array([[-1.2], [-2.0], [-0.4], [-1.6]])
    grid = jnp.linspace(-14.0, 14.0, 4001)[:, None]
    log_aggregate = aggregate_posterior_log_density(grid, means, log_vars)
    log_prior = gaussian_log_likelihood(grid, jnp.zeros_like(grid), jnp.zeros_like(grid))

    def information(mean, log_var):
        log_q = gaussian_log_likelihood(grid, jnp.full_like(grid, mean[0]), jnp.full_like(grid, log_var[0]))
        return jnp.trapezoid(jnp.exp(log_q) * (log_q - log_aggregate), grid[:, 0])

    mismatch = jnp.trapezoid(jnp.exp(log_aggregate) * (log_aggregate - log_prior), grid[:, 0])
    return mismatch, kl_to_standard_normal(means, log_vars).mean() - jax.vmap(information)(means, log_vars).mean()


@derivation.exact(
    r"\log\sum_{x_{\mathrm{hidden}}} p(x|z) = \sum_{d\ \mathrm{visible}} \log p(x_d|z)",
    because="Given z the pixels are independent, so the sum over a hidden pixel factors out and is 1. Dropping terms is exact "
    "marginalization: to fill in an image, find the z that explains what is visible, and decode it.",
)
def dropping_pixels_is_marginalizing():
    logits = jnp.array(_random.normal(size=(1, 5)))
    completions = jnp.array([[1.0, a, 0.0, b, 1.0] for a in (0.0, 1.0) for b in (0.0, 1.0)])
    total = logsumexp(bernoulli_log_likelihood(completions, jnp.tile(logits, (4, 1))))
    mask = jnp.array([[1, 0, 1, 0, 1]])
    return total, masked_bernoulli_log_likelihood(jnp.where(mask == 1, completions[:1], jnp.nan), logits, mask)[0]


if __name__ == "__main__":
    derivation.main()
