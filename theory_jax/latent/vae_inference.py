"""Inference with a trained VAE (lecture 21): the likelihood of an image, interpolation between latents, and inpainting."""

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp

from theory_jax.arguments import require, require_binary, require_rank, require_same_shape, require_values
from theory_jax.latent.elbo import importance_weighted_bound
from theory_jax.latent.vae import bernoulli_log_likelihood, gaussian_log_likelihood


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


def spherical_path(start, end, fractions):
    r"""Points on the arc from start (fraction 0) to end (fraction 1), and beyond; for equal norms at constant angular speed.

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
    require_binary(labels=labels)
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
    require_binary(mask=mask)
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
