"""Normalization and skip connections: what a norm forgets, what its gradient cannot do, why the skip path should stay clean."""

import jax
import jax.numpy as jnp

from theory_jax.arguments import require, require_shape


def layer_norm(x, weight, bias, *, epsilon):
    r"""(x - mean) / sqrt(var + epsilon) * w + b over the last axis, var with 1/E.

    Raises ValueError if weight or bias does not have the width of x.  Source: Ba, Kiros & Hinton 2016, eq. 4.
    [..., E], [E], [E] -> [..., E]
    """
    _require_width(x, weight=weight, bias=bias)
    return _standardized(x, epsilon)[0] * weight + bias


def rms_norm(x, weight, *, epsilon):
    r"""x / sqrt(mean x^2 + epsilon) * w over the last axis; nothing is subtracted.

    Raises ValueError if weight does not have the width of x.  Source: Zhang & Sennrich 2019, eq. 4.
    [..., E], [E] -> [..., E]
    """
    _require_width(x, weight=weight)
    return x * _inverse_root(x, epsilon) * weight


def layer_norm_backward(x, weight, upstream, *, epsilon):
    r"""Gradients of <upstream, layer_norm> with respect to x, weight and bias, by hand.

    With g = w upstream, r = (var + epsilon)^(-1/2) and h = r (x - mean):  dx = r (g - mean g - h mean(g h)),
    dw = sum upstream h, db = sum upstream, the sums over all axes but the last.

    Raises ValueError if the shapes differ.  Source: Ba, Kiros & Hinton 2016, by differentiation.
    [..., E], [E], [..., E] -> [..., E], [E], [E]
    """
    _require_width(x, weight=weight)
    _require_shape(x, upstream)
    hat, root = _standardized(x, epsilon)
    g = weight * upstream
    dx = root * (g - jnp.mean(g, -1, keepdims=True) - hat * jnp.mean(g * hat, -1, keepdims=True))
    rows = tuple(range(x.ndim - 1))
    return dx, jnp.sum(upstream * hat, axis=rows), jnp.sum(upstream, axis=rows)


def rms_norm_backward(x, weight, upstream, *, epsilon):
    r"""Gradients of <upstream, rms_norm> with respect to x and weight, by hand.

    With g = w upstream, r = (mean x^2 + epsilon)^(-1/2) and h = r x:  dx = r (g - h mean(g h)),  dw = sum upstream h.

    Raises ValueError if the shapes differ.  Source: Zhang & Sennrich 2019, section 3.
    [..., E], [E], [..., E] -> [..., E], [E]
    """
    _require_width(x, weight=weight)
    _require_shape(x, upstream)
    root = _inverse_root(x, epsilon)
    hat, g = x * root, weight * upstream
    dx = root * (g - hat * jnp.mean(g * hat, -1, keepdims=True))
    return dx, jnp.sum(upstream * hat, axis=tuple(range(x.ndim - 1)))


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


def _standardized(x, epsilon):
    """((x - mean) r, r). Two passes: the mean of squares less the square of the mean would cancel."""
    centered = x - jnp.mean(x, axis=-1, keepdims=True)
    root = _inverse_root(centered, epsilon)
    return centered * root, root


def _inverse_root(x, epsilon):
    return jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + epsilon)


def _require_width(x, **parameters):
    require(jnp.ndim(x) >= 1, f"x has shape {list(jnp.shape(x))}; it must have at least one axis")
    require_shape(x.shape[-1:], **parameters)


def _require_shape(x, upstream):
    given, wanted = list(jnp.shape(upstream)), list(x.shape)
    require(given == wanted, f"upstream has shape {given}; it must have the shape of x, {wanted}")
