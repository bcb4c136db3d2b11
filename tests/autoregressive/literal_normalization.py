"""The formulas of autoregressive/normalization, word for word as in its docstrings, in NumPy."""

from numpy import sqrt


def _slopes_of_layer_norm(x, weight, upstream, *, epsilon):
    g, r = weight * upstream, (x.var(-1, keepdims=True) + epsilon) ** -0.5
    h = r * (x - x.mean(-1, keepdims=True))
    axes = tuple(range(x.ndim - 1))
    dx = r * (g - g.mean(-1, keepdims=True) - h * (g * h).mean(-1, keepdims=True))
    return dx, (upstream * h).sum(axes), upstream.sum(axes)


def _slopes_of_rms_norm(x, weight, upstream, *, epsilon):
    g, r = weight * upstream, ((x**2).mean(-1, keepdims=True) + epsilon) ** -0.5
    h = r * x
    return r * (g - h * (g * h).mean(-1, keepdims=True)), (upstream * h).sum(tuple(range(x.ndim - 1)))


FORMULAS = {
    "layer_norm": lambda x, weight, bias, *, epsilon: (
        (x - x.mean(-1, keepdims=True)) / sqrt(x.var(-1, keepdims=True) + epsilon) * weight + bias
    ),
    "rms_norm": lambda x, weight, *, epsilon: x / sqrt((x**2).mean(-1, keepdims=True) + epsilon) * weight,
    "layer_norm_backward": _slopes_of_layer_norm,
    "rms_norm_backward": _slopes_of_rms_norm,
    "pre_norm_residual": lambda x, weight, bias, branch_fn, *, epsilon: (
        x + branch_fn(FORMULAS["layer_norm"](x, weight, bias, epsilon=epsilon))
    ),
    "post_norm_residual": lambda x, weight, bias, branch_fn, *, epsilon, residual_scale=1.0: FORMULAS["layer_norm"](
        residual_scale * x + branch_fn(x), weight, bias, epsilon=epsilon
    ),
}
