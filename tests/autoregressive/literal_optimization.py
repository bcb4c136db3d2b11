"""The formulas of autoregressive/optimization, word for word as in its docstrings, in NumPy."""

import numpy as np
from numpy import sqrt


def _adamw(gradient, parameter, first_moment, second_moment, *, step, learning_rate, beta1=0.9, beta2=0.999,
               epsilon=1e-8, weight_decay=0.0):  # fmt: skip
    m = beta1 * first_moment + (1 - beta1) * gradient
    v = beta2 * second_moment + (1 - beta2) * gradient**2
    m_hat, v_hat = m / (1 - beta1**step), v / (1 - beta2**step)
    return parameter - learning_rate * (m_hat / (sqrt(v_hat) + epsilon) + weight_decay * parameter), m, v


def _accumulated(gradients, counts):
    used = [(n, g) for n, g in zip(counts, gradients, strict=True) if n > 0]  # no influence, also where it is NaN
    return sum(n * g for n, g in used) / sum(n for n, _ in used)


FORMULAS = {
    "adamw_step": _adamw,
    "accumulate_gradients": _accumulated,
    "warmup_inverse_square_root": lambda step, *, width, warmup_steps: (
        width**-0.5 * np.minimum(step**-0.5, step * warmup_steps**-1.5)
    ),
}
