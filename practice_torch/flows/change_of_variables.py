"""The density of a transformed variable: log p(x) = log p(z) - log |det df/dz|, and the map of Box and Muller."""

import math

import torch

from practice_torch.arguments import require, require_batch, require_positive, require_rank, require_same_shape, require_values


def standard_normal_log_prob(z):
    r"""log N(z; 0, I) = -1/2 sum_d z_d^2 - D/2 log 2 pi over all D entries of each example, in nats.

    Raises ValueError if z has no axis for the batch.  Source: Papamakarios et al. 2021, section 2.1.
    [B, ...] -> [B]
    """
    require_batch(z=z)
    size = math.prod(z.shape[1:])
    entries = z.reshape(len(z), size)
    return torch.linalg.vecdot(entries, entries).mul(-0.5) - size * math.log(2 * math.pi) / 2


def pushforward_log_prob(base_log_prob, forward_log_det):
    r"""log p(x) = log p(z) - log |det df/dz| at x = f(z), in nats. Here forward is the way from noise z to data x.

    Raises ValueError if the shapes differ.  Source: Papamakarios et al. 2021, eq. 3.
    [B], [B] -> [B]
    """
    require_rank(1, base_log_prob=base_log_prob)
    require_same_shape(base_log_prob=base_log_prob, forward_log_det=forward_log_det)
    return base_log_prob - forward_log_det


def log_abs_det_jacobian(x, fn):
    r"""log |det d fn(x)_b / d x_b| of every example b, by its whole Jacobian of D x D entries: O(D^3), for checks.

    fn maps a batch, each example by itself.

    Raises ValueError if x has no axis for the batch, or fn does not keep the shape of x.
    Source: Papamakarios et al. 2021, section 2.1.
    [B, ...] -> [B]
    """
    require_batch(x=x)
    size = math.prod(x.shape[1:])

    def summed(x):
        mapped = fn(x)
        require(mapped.shape == x.shape, f"fn gives shape {list(mapped.shape)}; it must keep that of x, {list(x.shape)}")
        return mapped.reshape(len(x), size).sum(0)  # the examples do not see each other: their derivatives stay apart

    rows = torch.func.jacrev(summed)(x).reshape(size, len(x), size)
    return torch.linalg.slogdet(rows.transpose(0, 1)).logabsdet


def inverse_transform_sample(u, *, rate=1.0):
    r"""-log(1 - u) / rate: an exponential variable of this rate if u is uniform on [0, 1).

    Raises ValueError if u is outside [0, 1) or rate is not positive.  Source: Devroye 1986, section II.2.
    [...] -> [...]
    """
    require_positive(rate=rate)
    require_values("u", u, lambda u: (u >= 0) & (u < 1), "in [0, 1)")
    return torch.log1p(-u) / -rate


def box_muller(u):
    r"""sqrt(-2 log u_1) (cos 2 pi u_2, sin 2 pi u_2): two independent standard normals from two independent uniforms.

    At u_1 = 1 the result is 0 whatever u_2 is, and the gradient is set to 0: the radius has none there.

    Raises ValueError if the rows of u do not have two entries, u_1 is outside (0, 1] or u_2 outside [0, 1].
    Source: Box & Muller 1958.
    [B, 2] -> [B, 2]
    """
    first, second = _uniforms(u)
    radius = first.masked_fill(first == 1, 0.5).log().mul(-2).sqrt().masked_fill(first == 1, 0.0)
    angle = 2 * math.pi * second
    return torch.stack((radius * angle.cos(), radius * angle.sin()), dim=1)


def box_muller_inverse(z):
    r"""u_1 = e^(-|z|^2 / 2) and u_2 = atan2(z_2, z_1) / (2 pi), modulo 1 in [0, 1): the uniforms that box_muller maps to z.

    Raises ValueError if the rows of z do not have two entries.  Source: Box & Muller 1958.
    [B, 2] -> [B, 2]
    """
    _require_pairs(z=z)
    first, second = z.unbind(1)
    at_origin = (z == 0).all(1)  # there the angle is 0 and has no gradient
    turns = torch.atan2(second, first.masked_fill(at_origin, 1.0)) / (2 * math.pi)
    turns = torch.where(turns < 0, turns + 1, turns)
    turns = torch.where(turns >= 1, turns - 1, turns)  # -1e-20 + 1 rounds to 1
    return torch.stack((z.square().sum(1).div(-2).exp(), turns), dim=1)


def box_muller_log_det(u):
    r"""log |det dz/du| = log 2 pi - log u_1 of z = box_muller(u), in nats.

    Raises ValueError if the rows of u do not have two entries, u_1 is outside (0, 1] or u_2 outside [0, 1].
    Source: Box & Muller 1958.
    [B, 2] -> [B]
    """
    return math.log(2 * math.pi) - _uniforms(u)[0].log()


def _uniforms(u):
    """The two columns of u, checked."""
    _require_pairs(u=u)
    first, second = u.unbind(1)
    require_values("u", first, lambda a: (a > 0) & (a <= 1), "in (0, 1] in its first column")
    require_values("u", second, lambda a: (a >= 0) & (a <= 1), "in [0, 1] in its second column")
    return first, second


def _require_pairs(**arrays):
    require_rank(2, **arrays)
    for name, array in arrays.items():
        require(array.shape[1] == 2, f"{name} has shape {list(array.shape)}; its rows must have 2 entries")
