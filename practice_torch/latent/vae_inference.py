"""Inference with a trained VAE: likelihoods, paths between latents, attributes, the aggregate posterior, missing pixels."""

import math

import torch

from practice_torch.arguments import require, require_binary, require_rank, require_same_shape, require_values
from practice_torch.latent.elbo import importance_weighted_bound
from practice_torch.latent.vae import bernoulli_log_likelihood, gaussian_log_likelihood

# Two directions this close (in 1 - cos of their angle) are one; this close to opposite, they have no one path between them.
_SAME_DIRECTION = 1e-6


def importance_weighted_log_likelihood(log_likelihood, log_prior, log_posterior):
    r"""log of the importance-sampling estimate of p(x), from S draws z_s ~ q(z | x), in nats.

    log 1/S sum_s p(x | z_s) p(z_s) / q(z_s | x)

    Raises ValueError if the shapes differ or S = 0.  Source: Rezende et al. 2014, appendix; Burda et al. 2016, eq. 8.
    [B, S], [B, S], [B, S] -> [B]
    """
    require_rank(2, log_likelihood=log_likelihood)
    require_same_shape(log_likelihood=log_likelihood, log_prior=log_prior, log_posterior=log_posterior)
    require(log_likelihood.shape[1] > 0, f"log_likelihood has shape {list(log_likelihood.shape)}; it must hold at least 1 draw")
    return importance_weighted_bound(log_likelihood + log_prior, log_posterior)


def linear_interpolation(start, end, fractions):
    r"""Points on the straight line from start (fraction 0) to end (fraction 1), and beyond.

    (1 - t) start + t end

    Raises ValueError if the shapes do not fit.  Source: White 2016.
    [B, L], [B, L], [T] -> [B, T, L]
    """
    _require_path(start, end, fractions)
    return torch.lerp(start[:, None], end[:, None], fractions[:, None])


def spherical_path(start, end, fractions):
    r"""Points on the arc from start (fraction 0) to end (fraction 1), and beyond; for equal norms at constant angular speed.

    [ sin((1 - t) w) start + sin(t w) end ] / sin w, with w the angle between them; linear where cos w > 1 - 1e-6

    Raises ValueError if the shapes do not fit, a vector of start or end is zero, or the two are opposite (cos w < -1 + 1e-6):
    every great circle through one then leads to the other.  Source: White 2016.
    [B, L], [B, L], [T] -> [B, T, L]
    """
    _require_path(start, end, fractions)
    start_norm, end_norm = (torch.linalg.vector_norm(a, dim=-1, keepdim=True) for a in (start, end))
    require_values("start", start_norm, lambda norm: norm > 0, "a row of positive norm (shown): 0 has no direction")
    require_values("end", end_norm, lambda norm: norm > 0, "a row of positive norm (shown): 0 has no direction")
    u, v = start / start_norm, end / end_norm
    cosine = (u * v).sum(dim=-1, keepdim=True)
    require_values(
        "end",
        cosine,
        lambda cosine: cosine >= _SAME_DIRECTION - 1,
        "not opposite to start (shown is the cosine): every great circle would do",
    )
    # 1 - cos w = |u - v|^2 / 2, without the cancellation. Rows that go straight then get a harmless angle, or 0/0 would make
    # their gradient NaN.
    straight = (u - v).square().sum(dim=-1, keepdim=True) < 2 * _SAME_DIRECTION
    # v minus its projection on u has length sin w. acos of the cosine would lose half of the digits near 0 and near pi.
    sine = torch.linalg.vector_norm(torch.where(straight, 1.0, v - cosine * u), dim=-1, keepdim=True)
    angle = torch.atan2(sine, torch.where(straight, 0.0, cosine))
    from_start = torch.where(straight, 1 - fractions, _sine_ratio(1 - fractions, angle))
    from_end = torch.where(straight, fractions, _sine_ratio(fractions, angle))
    return from_start[..., None] * start[:, None] + from_end[..., None] * end[:, None]


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
    has = (labels == 1).to(latents.dtype)
    lacks = 1 - has
    for label, members in ((0, lacks), (1, has)):
        require_values("labels", members.sum(), lambda count: count > 0, f"a class with members (shown is the size of {label})")
    return (has / has.sum() - lacks / lacks.sum()) @ latents


def aggregate_posterior_log_density(z, means, log_vars):
    r"""log density of the mixture of all posteriors q(z | x_n), in nats.

    log 1/N sum_n N(z; means_n, e^log_vars_n)

    Raises ValueError if the shapes do not fit or N = 0.  Source: Hoffman & Johnson 2016.
    [B, L], [N, L], [N, L] -> [B]
    """
    require_rank(2, z=z, means=means)
    require_same_shape(means=means, log_vars=log_vars)
    require(means.shape[0] > 0, f"means has shape {list(means.shape)}; a mixture needs at least 1 component")
    require(z.shape[1] == means.shape[1], f"z has shape {list(z.shape)}; it must have as many columns as means, {means.shape[1]}")
    batch, components, width = z.shape[0], means.shape[0], z.shape[1]
    pairs = (batch, components, width)
    rows = [a.expand(pairs).reshape(-1, width) for a in (z[:, None], means, log_vars)]
    log_densities = gaussian_log_likelihood(*rows).reshape(batch, components)
    return torch.logsumexp(log_densities, dim=1) - math.log(components)


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
    visible = mask == 1
    # Selected before the formula and again after it: NaN * 0 is NaN, in the value and in the gradient.
    shown = torch.where(visible, x, 0.0)
    per_pixel = bernoulli_log_likelihood(shown.reshape(-1, 1), logits.reshape(-1, 1)).reshape(x.shape)
    return torch.where(visible, per_pixel, 0.0).sum(dim=-1)


def _sine_ratio(t, angle):
    """sin(t w) / sin w, exactly 0 and 1 at t = 0 and t = 1.

    Of small angles, as a quotient of the series of sin(a)/a in a^2: the derivative of the plain quotient subtracts two terms of
    size 1/w to find one of size w.
    """
    small = angle.square() * t.square().clamp(min=1) < 0.25
    square = torch.where(small, angle, 0.0).square()
    numerator, denominator = torch.ones_like(square), torch.ones_like(square)
    for k in range(7, 0, -1):  # 0.25^8 / 17! is 4e-20
        numerator = 1 - numerator * t.square() * square / (2 * k * (2 * k + 1))
        denominator = 1 - denominator * square / (2 * k * (2 * k + 1))
    large = torch.where(small, 1.0, angle)
    return torch.where(small, t * (numerator / denominator), torch.sin(t * large) / torch.sin(large))


def _require_path(start, end, fractions):
    require_rank(2, start=start)
    require_same_shape(start=start, end=end)
    require_rank(1, fractions=fractions)
