"""The formulas of diffusion/classifier_free_guidance, word for word as in its docstrings, in NumPy."""

import numpy as np


def _dropped(condition, null_condition, uniforms, *, probability):
    dropped = (uniforms < probability).reshape(-1, *([1] * (np.ndim(condition) - 1)))
    return np.where(dropped, null_condition, condition)


def _rescaled(guided, conditional, *, mix=0.7):
    axes = tuple(range(1, np.ndim(guided)))
    std_g, std_c = (x.std(axes, keepdims=True) for x in (guided, conditional))
    return guided * (mix * std_c / std_g + 1 - mix)


FORMULAS = {
    "guide": lambda conditional, unconditional, *, scale: unconditional + scale * (conditional - unconditional),
    "drop_condition": _dropped,
    "rescale": _rescaled,
    "interval_scale": lambda t, *, scale, low, high: np.where((low < t) & (t <= high), scale, 1.0),
    "compose": lambda conditionals, unconditional, scales: (
        unconditional + sum(s * (c - unconditional) for s, c in zip(scales, conditionals, strict=True))
    ),
}
