"""Progressive growing: a new resolution is faded in, features are normalized per pixel, weights are scaled at run time.

Local names: l and h are images of a low and of twice that resolution, U is upsampling to the nearest pixel.
"""

import itertools
import math

import jax
import jax.numpy as jnp
from flax import nnx

from theory_jax.adversarial._images import flat
from theory_jax.adversarial.dcgan import leaky_rectifier
from theory_jax.adversarial.minibatch_discrimination import minibatch_standard_deviation
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


# ---------------------------------------------------------------------------------------------------- the networks


class GrowingGenerator(nnx.Module):
    """Latents [B, latent] -> images of a level, [B, C, H, W]: each level doubles the sides of the one before."""

    def __init__(self, *, latent, shape, doublings, width, most_channels, rngs: nnx.Rngs):
        channels, *sides = shape
        self.coarse, widths = [side // 2**doublings for side in sides], _widths(doublings, width, most_channels)
        self.project = _Equalized((widths[0] * math.prod(self.coarse), latent), rngs)
        self.refine = _Equalized((widths[0], widths[0], 3, 3), rngs)
        pairs = [((fine, coarse, 3, 3), (fine, fine, 3, 3)) for coarse, fine in itertools.pairwise(widths)]
        self.blocks = nnx.List([nnx.List([_Equalized(shape, rngs) for shape in pair]) for pair in pairs])
        self.to_images = nnx.List([_Equalized((channels, count, 1, 1), rngs, gain=1.0) for count in widths])

    def __call__(self, z, level, alpha):
        x = self.project(flat(pixel_normalize(z[:, :, None, None]))).reshape(len(z), -1, *self.coarse)
        features = [_normalized(self.refine(_normalized(x)))]
        for block in self.blocks[:level]:
            first, second = block
            doubled = jnp.kron(features[-1], jnp.ones((2, 2), x.dtype))
            features.append(_normalized(second(_normalized(first(doubled)))))
        images = self.to_images[level](features[level])
        return fade_in(self.to_images[level - 1](features[level - 1]), images, alpha=alpha) if level else images


class GrowingCritic(nnx.Module):
    """Images of a level, [B, C, H, W] -> scores [B]: each level halves the sides, until the coarsest is left."""

    def __init__(self, *, shape, doublings, width, most_channels, rngs: nnx.Rngs):
        channels, *sides = shape
        widths = _widths(doublings, width, most_channels)
        pixels = math.prod(side // 2**doublings for side in sides)
        self.from_images = nnx.List([_Equalized((count, channels, 1, 1), rngs) for count in widths])
        pairs = [((fine, fine, 3, 3), (coarse, fine, 3, 3)) for coarse, fine in itertools.pairwise(widths)]
        self.blocks = nnx.List([nnx.List([_Equalized(shape, rngs) for shape in pair]) for pair in pairs])
        self.last = _Equalized((widths[0], widths[0] + 1, 3, 3), rngs)
        self.hidden, self.score = _Equalized((widths[0], widths[0] * pixels), rngs), _Equalized((1, widths[0]), rngs, gain=1.0)

    def __call__(self, images, level, alpha):
        x = leaky_rectifier(self.from_images[level](images))
        if level:
            old = leaky_rectifier(self.from_images[level - 1](_pooled(images)))
            x = alpha * self._halved(x, level) + (1 - alpha) * old
        for lower in range(level - 1, 0, -1):
            x = self._halved(x, lower)
        group = math.gcd(len(x), 4)
        x = leaky_rectifier(self.last(minibatch_standard_deviation(x, group_size=group)))
        return self.score(leaky_rectifier(self.hidden(flat(x))))[:, 0]

    def _halved(self, x, level):
        first, second = self.blocks[level - 1]
        return _pooled(leaky_rectifier(second(leaky_rectifier(first(x)))))


class _Equalized(nnx.Module):
    """A layer with weights [O, I] or [O, I, k, k], from N(0, 1) and scaled where they are used, and a bias of 0."""

    def __init__(self, shape, rngs, gain=2.0**0.5):
        self.gain = gain
        self.weight = nnx.Param(jax.random.normal(rngs.params(), shape, dtype=float))
        self.bias = nnx.Param(jnp.zeros(shape[0], dtype=float))

    def __call__(self, x):
        weight, bias = equalized_weight(self.weight[...], gain=self.gain), self.bias[...]
        if x.ndim == 2:
            return x @ weight.T + bias
        return jax.lax.conv(x, weight, (1, 1), "SAME") + bias[:, None, None]


def _widths(doublings, width, most_channels):
    """Channels from coarse to fine."""
    return [min(width * 2**halvings, most_channels) for halvings in range(doublings, -1, -1)]


def _pooled(x):
    """The mean of every block of 2 x 2 pixels."""
    batch, channels, height, width = x.shape
    return jnp.mean(x.reshape(batch, channels, height // 2, 2, width // 2, 2), axis=(3, 5))


def _normalized(x):
    return pixel_normalize(leaky_rectifier(x))
