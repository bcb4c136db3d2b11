"""The formulas of foundations/training_practice, word for word as in its docstrings, in NumPy."""

import numpy as np
from numpy import cos, pi, sqrt


def _clipped(gradients, *, max_norm):
    norm = sqrt(sum((g**2).sum() for g in gradients))
    return tuple(g * np.minimum(1, max_norm / norm) for g in gradients), norm


def _adam(gradient, first_moment, second_moment, *, step, learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-8):
    m = beta1 * first_moment + (1 - beta1) * gradient
    v = beta2 * second_moment + (1 - beta2) * gradient**2
    m_hat, v_hat = m / (1 - beta1**step), v / (1 - beta2**step)
    return -learning_rate * m_hat / (sqrt(v_hat) + epsilon), m, v


def _warmed_up(step, *, peak, warmup_steps, total_steps, floor=0.0):
    r = np.minimum((step - warmup_steps) / (total_steps - warmup_steps), 1)
    line = peak * (step + 1) / max(warmup_steps, 1)  # no step is before warmup_steps = 0
    return np.where(step < warmup_steps, line, floor + (peak - floor) * (1 + cos(pi * r)) / 2)


FORMULAS = {
    "scale_to_range": lambda x, *, minimum, maximum, low=-1.0, high=1.0: low + (high - low) * (x - minimum) / (maximum - minimum),
    "clip_by_global_norm": _clipped,
    "adam_update": _adam,
    "ema_update": lambda average, value, *, decay: decay * average + (1 - decay) * value,
    "warmup_cosine_learning_rate": _warmed_up,
}
