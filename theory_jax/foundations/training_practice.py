"""The practice of training: the few formulas inside every training loop, and why each has the form it has."""

import math

import jax
import jax.numpy as jnp

from theory_jax.arguments import (
    require,
    require_positive,
    require_rank,
    require_same_shape,
    require_share,
    require_values,
    widened,
)


def scale_to_range(x, *, minimum, maximum, low=-1.0, high=1.0):
    r"""The affine map that takes minimum to low and maximum to high; nothing is clipped.

    low + (high - low) (x - minimum) / (maximum - minimum)

    Raises ValueError if x does not hold floating-point numbers, or unless minimum < maximum and low < high.
    [B, ...] -> [B, ...]
    """
    require(jnp.issubdtype(jnp.result_type(x), jnp.floating), f"x holds {jnp.result_type(x)}; it must be floating point")
    require(maximum > minimum, f"maximum is {maximum}; it must be greater than minimum, which is {minimum}")
    require(high > low, f"high is {high}; it must be greater than low, which is {low}")
    return low + (x - minimum) * ((high - low) / (maximum - minimum))


def clip_by_global_norm(gradients, *, max_norm):
    r"""The gradients times min(1, max_norm / norm), and norm: the Euclidean norm of all of them as one vector.

    A zero gradient stays as it is. A norm that is not finite is returned, so that the caller can skip the step.

    Raises ValueError if there is no array or max_norm <= 0.  Source: Pascanu et al. 2013, algorithm 1.
    ([...]) -> ([...]), []
    """
    require(len(gradients) > 0, "gradients is empty; it must be a tuple of at least one array")
    require_positive(max_norm=max_norm)
    norm = _euclidean_norm(jnp.concatenate([jnp.ravel(gradient) for gradient in gradients]))
    # The divisor is replaced where it is not used: at norm 0 its derivative would be infinite.
    exceeds = norm > max_norm
    factor = jnp.where(exceeds, max_norm / jnp.where(exceeds, norm, 1.0), 1.0)
    return tuple(gradient * factor.astype(gradient.dtype) for gradient in gradients), norm


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
    if not isinstance(step, jax.core.Tracer):  # inside lax.scan the step is counted by the loop
        require(step >= 1, f"step is {step}; steps are counted from 1")
    for name, beta in (("beta1", beta1), ("beta2", beta2)):
        require(0 <= beta < 1, f"{name} is {beta}; it must be in [0, 1)")
    require(epsilon >= 0, f"epsilon is {epsilon}; it must not be negative")
    require_values("second_moment", second_moment, lambda v: v >= 0, "at least 0")
    first_moment = beta1 * first_moment + (1 - beta1) * gradient
    second_moment = beta2 * second_moment + (1 - beta2) * gradient**2
    mean = first_moment / _one_minus_power(beta1, step)
    square = second_moment / _one_minus_power(beta2, step)
    # |g| has a kink at 0 but g / (|g| + epsilon) has none: the root's infinite slope there must not become inf * 0.
    moved = square > 0
    root = jnp.where(moved, jnp.sqrt(jnp.where(moved, square, 1.0)), 0.0)
    return -learning_rate * mean / (root + epsilon), first_moment, second_moment


def ema_update(average, value, *, decay):
    r"""decay average + (1 - decay) value: the exponential moving average, one step on.

    Raises ValueError if the shapes differ or decay is outside [0, 1].  Source: Polyak & Juditsky 1992 (averaged iterates).
    [D], [D] -> [D]
    """
    require_rank(1, average=average)
    require_same_shape(average=average, value=value)
    require_share(decay=decay)
    return decay * average + (1 - decay) * value


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
    step = widened(step)
    rising = peak * jnp.minimum((step + 1) / max(warmup_steps, 1), 1.0)
    # (1 + cos(pi r)) / 2 = sin^2(pi (1 - r) / 2), which is exactly 1 at r = 0 and exactly 0 at r = 1.
    remaining = jnp.clip((total_steps - step) / (total_steps - warmup_steps), 0.0, 1.0)
    falling = floor + (peak - floor) * jnp.sin(0.5 * math.pi * remaining) ** 2
    return jnp.where(step < warmup_steps, rising, falling)


def _euclidean_norm(vector):
    """sqrt(sum v^2) that neither overflows nor underflows, with derivative 0 at 0."""
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(vector), initial=0.0))
    scale = jnp.where(jnp.isfinite(largest) & (largest > 0), largest, 1.0)
    total = jnp.sum((vector / scale) ** 2)
    zero = total == 0
    return jnp.where(zero, 0.0, scale * jnp.sqrt(jnp.where(zero, 1.0, total)))


def _one_minus_power(beta, step):
    """1 - beta^step, without subtracting two nearly equal numbers. (-expm1 of a logarithm, and log 0 is -inf.)"""
    return -jnp.expm1(step * (math.log(beta) if beta > 0 else -math.inf))
