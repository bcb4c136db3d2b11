"""The practice of training: the few formulas inside every training loop, and why each has the form it has.

The functions come first; the derivation below them executes the argument on these very functions.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import sympy

from theory_jax.arguments import (
    require,
    require_positive,
    require_rank,
    require_same_shape,
    require_share,
    require_values,
    widened,
)
from theory_jax.derivation import Derivation
from theory_jax.foundations.maximum_likelihood import gaussian_negative_log_likelihood


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
    r"""What Adam adds to a parameter at step 1, 2, ..., and its two new moments.

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


def warmup_cosine_learning_rate(steps, *, peak, warmup_steps, total_steps, floor=0.0):
    r"""The learning rate at each step s = 0, 1, ...: a straight line up to the peak, half a cosine down to the floor.

    peak (s + 1) / warmup_steps before warmup_steps, then floor + (peak - floor) (1 + cos(pi r)) / 2 with
    r = (s - warmup_steps) / (total_steps - warmup_steps), at most 1

    Raises ValueError if a step or warmup_steps is negative, total_steps <= warmup_steps, or floor is outside [0, peak].
    Source: Loshchilov & Hutter 2017, eq. 5 without restarts.
    [N] -> [N]
    """
    require_rank(1, steps=steps)
    require(warmup_steps >= 0, f"warmup_steps is {warmup_steps}; it must not be negative")
    require(total_steps > warmup_steps, f"total_steps is {total_steps}; it must exceed warmup_steps, which is {warmup_steps}")
    require(0 <= floor <= peak, f"floor is {floor}; it must be in [0, peak], and peak is {peak}")
    require_values("steps", steps, lambda s: s >= 0, "at least 0")
    steps = widened(steps)
    rising = peak * jnp.minimum((steps + 1) / max(warmup_steps, 1), 1.0)
    # (1 + cos(pi r)) / 2 = sin^2(pi (1 - r) / 2), which is exactly 1 at r = 0 and exactly 0 at r = 1.
    remaining = jnp.clip((total_steps - steps) / (total_steps - warmup_steps), 0.0, 1.0)
    falling = floor + (peak - floor) * jnp.sin(0.5 * math.pi * remaining) ** 2
    return jnp.where(steps < warmup_steps, rising, falling)


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


derivation = Derivation(
    title="The formulas inside a training loop",
    sources=(
        "Kingma & Ba 2015, Adam, algorithm 1 and section 3",
        "Pascanu, Mikolov & Bengio 2013, On the difficulty of training recurrent neural networks",
        "Loshchilov & Hutter 2017, SGDR",
    ),
)


def _normal(seed, *shape):
    return jnp.array(np.random.default_rng(seed).normal(size=shape))


_gradients = _normal(1, 4, 3), _normal(2, 5), _normal(3, 2, 3, 2)


@derivation.numeric(
    r"s_{[a,b]\to[c,d]}^{-1} = s_{[c,d]\to[a,b]}",
    because="The map is affine with slope (d - c)/(b - a) > 0, so it has an inverse, and the inverse is the same map with the "
    "two ranges exchanged. Samples of a model are shown by going back; clipping instead would not come back.",
)
def scaling_is_undone_by_scaling_back():
    pixels = 100.0 + 80.0 * _normal(4, 6, 3)
    scaled = scale_to_range(pixels, minimum=0.0, maximum=255.0, low=-1.0, high=0.5)
    return scale_to_range(scaled, minimum=-1.0, maximum=0.5, low=0.0, high=255.0), pixels


@derivation.numeric(
    r"\log p_Y(s(x)) = \log p_X(x) - D \log\frac{\text{high}-\text{low}}{\text{max}-\text{min}}",
    because="Change of variables: each of the D dimensions is stretched by the same factor, so the log-density falls by its "
    "logarithm D times. Two likelihoods can be compared only if their data were scaled alike, or this constant is put back.",
)
def densities_change_by_the_log_of_the_slope():
    x, mean, log_var = (_normal(seed, 4, 3) for seed in (5, 6, 7))
    scaling = {"minimum": 0.0, "maximum": 15.0, "low": -1.0, "high": 2.0}
    log_slope = math.log(3.0 / 15.0)
    of_y = -gaussian_negative_log_likelihood(
        scale_to_range(x, **scaling), scale_to_range(mean, **scaling), log_var + 2 * log_slope
    )
    return of_y, -gaussian_negative_log_likelihood(x, mean, log_var) - 3 * log_slope


@derivation.bound(
    r"\|g - \mathrm{clip}(g)\| \le \|g - h\| \quad\text{for every}\quad \|h\| \le c",
    because="The nearest point of a ball lies on the ray to its center: clipping by the global norm is the Euclidean projection "
    "onto the ball of radius c, the least change that bounds the step. A gradient inside the ball is its own projection.",
)
def clipping_is_the_projection_onto_the_ball():
    radius = 1.5
    flat = _flatten(_gradients)
    directions = _normal(8, 500, flat.size)
    lengths = radius * jnp.linspace(0.0, 1.0, 500)[:, None]
    ball = lengths * directions / jnp.linalg.norm(directions, axis=1, keepdims=True)
    clipped, _ = clip_by_global_norm(_gradients, max_norm=radius)
    untouched, _ = clip_by_global_norm(_gradients, max_norm=100.0)
    nearest = jnp.full(500, jnp.linalg.norm(flat - _flatten(clipped)))
    return nearest, jnp.linalg.norm(flat - ball, axis=1), (_flatten(untouched), flat)


@derivation.numeric(
    r"\frac{\mathrm{clip}(g)}{\|\mathrm{clip}(g)\|} = \frac{g}{\|g\|}, \qquad \|\mathrm{clip}(g)\| = c",
    because="One factor multiplies all arrays of the gradient, so its direction is kept and only its length changes. Clipping "
    "each array to its own norm would turn the gradient towards the arrays that were not clipped.",
)
def clipping_keeps_the_direction():
    clipped, norm = clip_by_global_norm(_gradients, max_norm=1.5)
    return _flatten(clipped) / 1.5, _flatten(_gradients) / norm


@derivation.numeric(
    r"g_1 = \dots = g_t = g \ \Rightarrow\ \hat m_t = g,\ \hat v_t = g^2,\quad"
    r" \Delta_t = -\eta\, \frac{g}{|g| + \epsilon}",
    because="m_t = (1 - beta^t) g when the gradient is constant: the average starts at zero and has so far collected a weight of "
    "1 - beta^t. Dividing by just that makes the estimate exact at every t; without it the first steps would be wrong by "
    "(1 - beta1)/sqrt(1 - beta2), a factor of 3 for the usual constants.",
)
def bias_correction_is_exact():
    gradient = jnp.array([0.3, -2.0, 1e-4, 50.0])
    settings = {"learning_rate": 0.1, "epsilon": 1e-3}
    (first_moment, second_moment), updates = _adam_path(jnp.tile(gradient, (29, 1)), **settings)
    corrected = jnp.stack([first_moment / (1 - 0.9**29), second_moment / (1 - 0.999**29)])
    update = -0.1 * gradient / (jnp.abs(gradient) + 1e-3)
    expected = [gradient[None], gradient[None] ** 2, jnp.tile(update, (29, 1))]
    return jnp.concatenate([corrected, updates]), jnp.concatenate(expected)


@derivation.numeric(
    r"\epsilon = 0:\quad \Delta_t(c\,g_1, \dots, c\,g_t) = \Delta_t(g_1, \dots, g_t), \qquad c > 0",
    because="m is of degree one in the gradients and the root of v is too: their ratio has no unit. The size of Adam's step is "
    "the learning rate, not the gradient's, and only epsilon knows the scale of the loss.",
)
def adam_does_not_see_the_scale_of_the_loss():
    gradients = _normal(9, 20, 4)
    settings = {"learning_rate": 0.1, "epsilon": 0.0}
    return _adam_path(37.0 * gradients, **settings)[1], _adam_path(gradients, **settings)[1]


@derivation.symbolic(
    r"(1-d)\,d^k = d^k - d^{k+1} \ \Rightarrow\ \sum_{k<n} (1-d)\,d^k + d^n = 1; \qquad"
    r" v = d^2 v + (1-d)^2 \iff v = \frac{1-d}{1+d}",
    because="The weights telescope: with the start's weight d^n they always sum to one, so an average of weights is a weighted "
    "mean of real weights, and the start fades like d^n. For independent values of variance 1 the stationary variance solves "
    "v = d^2 v + (1 - d)^2: averaging at decay d is worth (1 + d)/(1 - d) independent values.",
)
def the_weights_of_the_average():
    d, k, v = sympy.symbols("d k v", positive=True)
    stationary = sympy.solve(sympy.Eq(v, d**2 * v + (1 - d) ** 2), v)[0]
    return [(1 - d) * d**k, stationary], [d**k - d ** (k + 1), (1 - d) / (1 + d)]


@derivation.numeric(
    r"a_n = d^n a_0 + \sum_{k<n} (1-d)\, d^k\, x_{n-k}",
    because="Unroll a <- d a + (1 - d) x: each step multiplies everything older by d once more.",
)
def the_average_unrolled():
    decay, values = 0.8, _normal(10, 12, 3)
    average = start = jnp.array([5.0, -1.0, 2.0])
    for value in values:
        average = ema_update(average, value, decay=decay)
    weights = (1 - decay) * decay ** jnp.arange(12)
    return average, decay**12 * start + weights @ values[::-1]


@derivation.numeric(
    r"\eta_{w-1} = \eta_w = \text{peak}, \qquad \eta_s = \text{floor}\ \ (s \ge T), \qquad"
    r" \eta_{(w+T)/2} = \tfrac12(\text{peak} + \text{floor})",
    because="The line reaches the peak with the last step of the warm-up and the cosine starts there, so the peak is taken twice "
    "and never exceeded; half a period later the cosine has reached the floor, where it stays.",
)
def the_schedule_meets_its_marks():
    rate = warmup_cosine_learning_rate(jnp.arange(40), peak=0.3, warmup_steps=6, total_steps=30, floor=0.02)
    marks = jnp.concatenate([rate[jnp.array([5, 6, 18])], rate[30:], jnp.max(rate)[None]])
    return marks, jnp.array([0.3, 0.3, 0.16] + [0.02] * 10 + [0.3])


@derivation.bound(
    r"\eta_s - \eta_{s+1} \ \ge\ \frac{\text{peak}-\text{floor}}{(T-w)^2} \ >\ 0, \qquad w \le s < T",
    because="A half cosine is flattest at its ends, where its first drop is sin^2(pi / (2 (T - w))). Jordan's inequality "
    "sin x >= 2x/pi bounds it: the decay is strict, with equality when the whole of it is one step.",
)
def the_decay_is_strict():
    settings = {"peak": 0.3, "warmup_steps": 6, "floor": 0.02}
    drops = -jnp.diff(warmup_cosine_learning_rate(jnp.arange(6, 31), total_steps=30, **settings))
    at_once = warmup_cosine_learning_rate(jnp.arange(6, 8), total_steps=7, **settings)
    return jnp.full(24, 0.28 / 24**2), drops, (at_once[0] - at_once[1], jnp.array(0.28))


def _flatten(arrays):
    return jnp.concatenate([array.ravel() for array in arrays])


def _adam_path(gradients, **settings):
    """The moments after all gradients, and every update on the way."""

    def advance(moments, step_and_gradient):
        step, gradient = step_and_gradient
        update, *moments = adam_update(gradient, *moments, step=step, **settings)
        return tuple(moments), update

    start = (jnp.zeros_like(gradients[0]),) * 2
    return jax.lax.scan(advance, start, (jnp.arange(1, len(gradients) + 1), gradients))


if __name__ == "__main__":
    derivation.main()
