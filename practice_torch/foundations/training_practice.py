"""The practice of training: the formulas inside every training loop, written out and checked against the libraries' own.

The engine's loop calls torch.optim and torch.nn.utils for these; this is the form that is proven, and the tests hold the
libraries against it.
"""

import math

import torch

from practice_torch.arguments import (
    as_int64,
    require,
    require_positive,
    require_rank,
    require_same_shape,
    require_share,
    require_values,
)


def scale_to_range(x, *, minimum, maximum, low=-1.0, high=1.0):
    r"""The affine map that takes minimum to low and maximum to high; nothing is clipped.

    low + (high - low) (x - minimum) / (maximum - minimum)

    Raises ValueError if x does not hold floating-point numbers, or unless minimum < maximum and low < high.
    [B, ...] -> [B, ...]
    """
    require(x.is_floating_point(), f"x holds {x.dtype}; it must be floating point")
    require(minimum < maximum, f"maximum is {maximum}; it must be greater than minimum, which is {minimum}")
    require(low < high, f"high is {high}; it must be greater than low, which is {low}")
    return (x - minimum).mul((high - low) / (maximum - minimum)).add(low)


def clip_by_global_norm(gradients, *, max_norm):
    r"""The gradients times min(1, max_norm / norm), and norm: the Euclidean norm of all of them as one vector.

    A zero gradient stays as it is. A norm that is not finite is returned, so that the caller can skip the step.

    Raises ValueError if there is no array or max_norm <= 0.  Source: Pascanu et al. 2013, algorithm 1.
    ([...]) -> ([...]), []
    """
    require(len(gradients) > 0, "gradients is empty; it must be a tuple of at least one array")
    require_positive(max_norm=max_norm)
    # In units of the largest entry no square overflows; the unit itself is not differentiated, since the norm does not depend
    # on it. vector_norm has derivative 0 at 0, as a factor of exactly 1 wants it.
    peaks = [gradient.detach().abs().max() for gradient in gradients if gradient.numel()]
    peak = torch.stack(peaks).max() if peaks else gradients[0].new_zeros(())
    unit = torch.where(peak.isfinite() & (peak > 0), peak, torch.ones_like(peak))
    norm = unit * torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(gradient / unit) for gradient in gradients]))
    factor = max_norm / torch.clamp(norm, min=max_norm)
    return tuple(gradient * factor for gradient in gradients), norm


def adam_update(gradient, first_moment, second_moment, *, step, learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-8):
    r"""Adam's update of a parameter at step 1, 2, ..., and its two new moments.

    m <- beta1 m + (1 - beta1) g,  v <- beta2 v + (1 - beta2) g^2,
    update = -learning_rate m_hat / (sqrt(v_hat) + epsilon),  m_hat = m / (1 - beta1^step),  v_hat = v / (1 - beta2^step)

    Raises ValueError if the shapes differ, step < 1, beta1 or beta2 is outside [0, 1), epsilon < 0 or an entry of second_moment
    is negative.  Source: Kingma & Ba 2015, algorithm 1.
    [D], [D], [D] -> [D], [D], [D]
    """
    require_rank(1, gradient=gradient)
    require_same_shape(gradient=gradient, first_moment=first_moment, second_moment=second_moment)
    require(step >= 1, f"step is {step}; steps are counted from 1")
    for name, beta in (("beta1", beta1), ("beta2", beta2)):
        require(0 <= beta < 1, f"{name} is {beta}; it must be in [0, 1)")
    require(epsilon >= 0, f"epsilon is {epsilon}; it must not be negative")
    require_values("second_moment", second_moment, lambda v: v >= 0, "at least 0")
    first_moment = (beta1 * first_moment).add(gradient, alpha=1 - beta1)
    second_moment = (beta2 * second_moment).addcmul(gradient, gradient, value=1 - beta2)
    # Both corrections are folded into the step size and into the root, so that no corrected moment is ever stored.
    correction1, correction2 = (1.0 if beta == 0 else -math.expm1(step * math.log(beta)) for beta in (beta1, beta2))
    # Where nothing has moved yet the root is 0 and its slope infinite: there it is a constant.
    still = second_moment == 0
    root = second_moment.masked_fill(still, 1.0).sqrt().masked_fill(still, 0.0) / math.sqrt(correction2)
    return (-learning_rate / correction1) * first_moment / (root + epsilon), first_moment, second_moment


def ema_update(average, value, *, decay):
    r"""decay average + (1 - decay) value: the exponential moving average, one step on.

    Raises ValueError if the shapes differ or decay is outside [0, 1].  Source: Polyak & Juditsky 1992 (averaged iterates).
    [D], [D] -> [D]
    """
    require_rank(1, average=average)
    require_same_shape(average=average, value=value)
    require_share(decay=decay)
    # Not torch.lerp: in float32 it forms 1 - decay after rounding, which costs 4 digits at a decay of 0.9999.
    return (decay * average).add(value, alpha=1 - decay)


def warmup_cosine_learning_rate(step, *, peak, warmup_steps, total_steps, floor=0.0):
    r"""The learning rate at each step s = 0, 1, ...: a straight line up to the peak, half a cosine down to the floor.

    peak (s + 1) / warmup_steps before warmup_steps, then floor + (peak - floor) (1 + cos(pi r)) / 2 with
    r = (s - warmup_steps) / (total_steps - warmup_steps), at most 1

    Raises ValueError if a step or warmup_steps is negative, total_steps <= warmup_steps, or floor is outside [0, peak].
    Source: Loshchilov & Hutter 2017, eq. 5 without restarts.
    [N] -> [N]
    """
    require_rank(1, step=step)
    require(warmup_steps >= 0, f"warmup_steps is {warmup_steps}; it must not be negative")
    require(total_steps > warmup_steps, f"total_steps is {total_steps}; it must exceed warmup_steps, which is {warmup_steps}")
    require(0 <= floor <= peak, f"floor is {floor}; it must be in [0, peak], and peak is {peak}")
    require_values("step", step, lambda s: s >= 0, "at least 0")
    step = as_int64(step)
    down = ((step - warmup_steps) / (total_steps - warmup_steps)).clamp(0.0, 1.0)
    left = ((total_steps - step) / (total_steps - warmup_steps)).clamp(0.0, 1.0)
    # The lower half of the cosine is written from the floor up: 1 + cos(pi r) loses its digits where it nears 0.
    height = torch.where(down < 0.5, 0.5 + 0.5 * torch.cos(math.pi * down), torch.sin(0.5 * math.pi * left).square())
    warming = ((step + 1) / max(warmup_steps, 1)).clamp(max=1.0)
    return torch.where(step < warmup_steps, peak * warming, floor + (peak - floor) * height)
