"""Progressive growing: a new resolution is faded in, features are normalized per pixel, weights are scaled at run time.

Local names: l and h are images of a low and of twice that resolution, U is upsampling to the nearest pixel.
"""

import math

import jax.numpy as jnp

from theory_jax.arguments import require, require_integers, require_positive, require_rank, require_share, require_values, widened


def fade_in(low, high, *, alpha):
    r"""(1 - alpha) U l + alpha h, where U repeats each pixel of low in a block of 2 x 2: at alpha = 0 the old output, enlarged.

    Raises ValueError unless high is low with both sides doubled and alpha is in [0, 1].
    Source: Karras et al. 2018, section 2 and figure 2.
    [B, C, H, W], [B, C, 2*H, 2*W] -> [B, C, 2*H, 2*W]
    """
    require_rank(4, low=low)
    *front, height, width = low.shape
    wanted = [*front, 2 * height, 2 * width]
    require(list(high.shape) == wanted, f"high has shape {list(high.shape)}; it must have shape {wanted}, twice the sides of low")
    require_share(alpha=alpha)
    return (1 - alpha) * jnp.repeat(jnp.repeat(low, 2, axis=2), 2, axis=3) + alpha * high


def pixel_normalize(x, *, epsilon=1e-8):
    r"""x / sqrt(mean of x^2 over the channels + epsilon), at every pixel: features of length sqrt(C), or a little less.

    Raises ValueError if x does not have four axes or no channel, or epsilon <= 0.  Source: Karras et al. 2018, section 4.2.
    [B, C, H, W] -> [B, C, H, W]
    """
    require_rank(4, x=x)
    require(x.shape[1] > 0, f"x has shape {list(x.shape)}; it must have at least one channel")
    require_positive(epsilon=epsilon)
    return x / jnp.sqrt(jnp.mean(x**2, axis=1, keepdims=True) + epsilon)


def equalized_weight(weight, *, gain=2.0**0.5):
    r"""weight gain / sqrt(fan-in), with fan-in = the number of entries of each weight[o]: the weight that a layer applies.

    The optimizer moves `weight`, which begins as N(0, 1) in every layer.

    Raises ValueError if weight has fewer than two axes or no inputs, or gain <= 0.
    Source: Karras et al. 2018, section 4.1; gain: He et al. 2015, eq. 10.
    [O, I, ...] -> [O, I, ...]
    """
    require(jnp.ndim(weight) >= 2, f"weight has shape {list(weight.shape)}; its axes must be outputs, inputs and places")
    fan_in = math.prod(weight.shape[1:])
    require(fan_in > 0, f"weight has shape {list(weight.shape)}; it must have at least one input")
    require_positive(gain=gain)
    return weight * (gain / math.sqrt(fan_in))


def growth_schedule(step, *, stage_steps, fade_steps):
    r"""The stage of every step, 0, 1, ..., and alpha = min((step mod stage_steps) / fade_steps, 1); in stage 0 alpha is 1.

    Raises ValueError if step does not hold integers from 0 on, in one axis, or unless 1 <= fade_steps <= stage_steps.
    Source: Karras et al. 2018, section 2 and appendix A, counted in steps.
    [N] -> [N], [N]
    """
    require_integers(step=step)
    require_rank(1, step=step)
    require_values("step", step, lambda n: n >= 0, "at least 0")
    require(1 <= fade_steps <= stage_steps, f"fade_steps is {fade_steps}; it must be in 1..{stage_steps}, the steps of a stage")
    stage, since = jnp.divmod(widened(step), stage_steps)
    return stage, jnp.where(stage == 0, 1.0, jnp.minimum(since / fade_steps, 1.0))
