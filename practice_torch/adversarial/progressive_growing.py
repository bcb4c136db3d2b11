"""Progressive growing: fading in a resolution, normalizing pixels, scaling weights where they are used, and the schedule."""

from practice_torch.arguments import (
    as_int64,
    require,
    require_integers,
    require_positive,
    require_rank,
    require_shape,
    require_share,
    require_values,
)


def fade_in(low, high, *, alpha):
    r"""(1 - alpha) U l + alpha h, where U repeats each pixel of low in a block of 2 x 2: at alpha = 0 the old output, enlarged.

    Raises ValueError unless high is low with both sides doubled and alpha is in [0, 1].
    Source: Karras et al. 2018, section 2 and figure 2.
    [B, C, H, W], [B, C, 2*H, 2*W] -> [B, C, 2*H, 2*W]
    """
    require_rank(4, low=low)
    batch, channels, height, width = low.shape
    require_shape((batch, channels, 2 * height, 2 * width), high=high)
    require_share(alpha=alpha)
    repeated = low[:, :, :, None, :, None].expand(-1, -1, -1, 2, -1, 2).reshape(high.shape)
    return alpha * high + (1 - alpha) * repeated


def pixel_normalize(x, *, epsilon=1e-8):
    r"""x / sqrt(mean of x^2 over the channels + epsilon), at every pixel: features of length sqrt(C), or a little less.

    Raises ValueError if x does not have four axes or no channel, or epsilon <= 0.  Source: Karras et al. 2018, section 4.2.
    [B, C, H, W] -> [B, C, H, W]
    """
    require_rank(4, x=x)
    require(x.shape[1] > 0, f"x has shape {list(x.shape)}; it must have at least one channel")
    require_positive(epsilon=epsilon)
    return x * (x.square().mean(dim=1, keepdim=True) + epsilon).rsqrt()


def equalized_weight(weight, *, gain=2.0**0.5):
    r"""weight gain / sqrt(fan-in), with fan-in = the number of entries of each weight[o]: the weight that a layer applies.

    The optimizer moves `weight`, which begins as N(0, 1) in every layer.

    Raises ValueError if weight has fewer than two axes or no inputs, or gain <= 0.
    Source: Karras et al. 2018, section 4.1; gain: He et al. 2015, eq. 10.
    [O, I, ...] -> [O, I, ...]
    """
    require(weight.ndim >= 2, f"weight has shape {list(weight.shape)}; its axes must be outputs, inputs and places")
    fan_in = weight.shape[1:].numel()
    require(fan_in > 0, f"weight has shape {list(weight.shape)}; it must have at least one input")
    require_positive(gain=gain)
    return weight * (gain * fan_in**-0.5)


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
    step = as_int64(step)
    stage = step.div(stage_steps, rounding_mode="floor")
    begun = (step - stage * stage_steps).clamp(max=fade_steps) / fade_steps
    return stage, begun.masked_fill(stage == 0, 1.0)
