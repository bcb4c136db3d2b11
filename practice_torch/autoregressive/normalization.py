"""Layer norm and RMS norm with their backward passes by hand, and the two places where a block can put its norm."""

import torch

from practice_torch.arguments import require, require_shape


def layer_norm(x, weight, bias, *, epsilon):
    r"""(x - mean) / sqrt(var + epsilon) * w + b over the last axis, var with 1/E.

    Raises ValueError if weight or bias does not have the width of x.  Source: Ba, Kiros & Hinton 2016, eq. 4.
    [..., E], [E], [E] -> [..., E]
    """
    _require_width(x, weight=weight, bias=bias)
    normed, _ = _standardize(x, epsilon)
    return torch.addcmul(bias, normed, weight)


def rms_norm(x, weight, *, epsilon):
    r"""x / sqrt(mean x^2 + epsilon) * w over the last axis; nothing is subtracted.

    Raises ValueError if weight does not have the width of x.  Source: Zhang & Sennrich 2019, eq. 4.
    [..., E], [E] -> [..., E]
    """
    _require_width(x, weight=weight)
    return _scale(x, epsilon)[0] * weight


def layer_norm_backward(x, weight, upstream, *, epsilon):
    r"""Gradients of <upstream, layer_norm> with respect to x, weight and bias, by hand.

    With g = w upstream, r = (var + epsilon)^(-1/2) and h = r (x - mean):  dx = r (g - mean g - h mean(g h)),
    dw = sum upstream h, db = sum upstream, the sums over all axes but the last.

    Raises ValueError if the shapes differ.  Source: Ba, Kiros & Hinton 2016, by differentiation.
    [..., E], [E], [..., E] -> [..., E], [E], [E]
    """
    _require_width(x, weight=weight)
    _require_shape(x, upstream)
    normed, root = _standardize(x, epsilon)
    g = upstream * weight
    dx = root * ((g - g.mean(-1, keepdim=True)) - normed * (g * normed).mean(-1, keepdim=True))
    return dx, _over_rows(upstream * normed), _over_rows(upstream)


def rms_norm_backward(x, weight, upstream, *, epsilon):
    r"""Gradients of <upstream, rms_norm> with respect to x and weight, by hand.

    With g = w upstream, r = (mean x^2 + epsilon)^(-1/2) and h = r x:  dx = r (g - h mean(g h)),  dw = sum upstream h.

    Raises ValueError if the shapes differ.  Source: Zhang & Sennrich 2019, section 3.
    [..., E], [E], [..., E] -> [..., E], [E]
    """
    _require_width(x, weight=weight)
    _require_shape(x, upstream)
    normed, root = _scale(x, epsilon)
    g = upstream * weight
    return root * (g - normed * (g * normed).mean(-1, keepdim=True)), _over_rows(upstream * normed)


def pre_norm_residual(x, weight, bias, branch_fn, *, epsilon):
    r"""x + f(LN(x)): the skip path is the identity.

    Raises ValueError as layer_norm does.  Source: Xiong et al. 2020, section 3.
    [..., E], [E], [E] -> [..., E]
    """
    return x + branch_fn(layer_norm(x, weight, bias, epsilon=epsilon))


def post_norm_residual(x, weight, bias, branch_fn, *, epsilon, residual_scale=1.0):
    r"""LN(alpha x + f(x)), alpha the residual_scale: the norm sits on the skip path. alpha > 1 is DeepNorm.

    Raises ValueError as layer_norm does.  Source: Vaswani et al. 2017, section 3.1; Wang et al. 2022.
    [..., E], [E], [E] -> [..., E]
    """
    return layer_norm(residual_scale * x + branch_fn(x), weight, bias, epsilon=epsilon)


def _standardize(x, epsilon):
    """(x - mean) r and r; the variance from the centered values, since E[x^2] - E[x]^2 cancels where the mean is large."""
    return _scale(x - x.mean(-1, keepdim=True), epsilon)


def _scale(x, epsilon):
    root = torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon)
    return x * root, root


def _over_rows(gradients):
    return gradients.reshape(-1, gradients.shape[-1]).sum(0)


def _require_width(x, **parameters):
    require(x.ndim >= 1, f"x has shape {list(x.shape)}; it must have at least one axis")
    require_shape(x.shape[-1:], **parameters)


def _require_shape(x, upstream):
    given = list(upstream.shape)
    require(given == list(x.shape), f"upstream has shape {given}; it must have the shape of x, {list(x.shape)}")
