"""PixelCNN: images as sequences of pixels in raster order, and masked convolutions that give every conditional in one pass."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from theory_jax.arguments import require, require_at_least, require_binary, require_rank, require_shape, widened


def pixel_mask(*, out_channels, in_channels, kernel_size, mask_type, colors):
    r"""True where a weight survives: in the rows above the middle, left of it in its row, and in it for some colors.

    In the middle a weight survives if color(out) > color(in) (mask_type "A") or color(out) >= color(in) ("B"). The channels are
    divided into contiguous groups: color(c) = floor(c colors / channels).

    Raises ValueError if kernel_size is even, mask_type is neither "A" nor "B", colors < 1, or out_channels or in_channels is not
    a positive multiple of colors.  Source: van den Oord et al. 2016a, section 3.4.
    -> [O, I, K, K]
    """
    require_at_least(1, kernel_size=kernel_size, colors=colors)
    _require_odd(kernel_size=kernel_size)
    own = _own(mask_type)
    for name, count in (("out_channels", out_channels), ("in_channels", in_channels)):
        allowed = count >= 1 and count % colors == 0
        require(allowed, f"{name} is {count}; it must be a positive multiple of colors, {colors}")
    color_out, color_in = (np.arange(count) * colors // count for count in (out_channels, in_channels))
    place, middle = np.arange(kernel_size**2).reshape(kernel_size, kernel_size), kernel_size**2 // 2
    seen = np.broadcast_to(place < middle, (out_channels, in_channels, kernel_size, kernel_size)).copy()
    half = kernel_size // 2
    seen[:, :, half, half] = color_out[:, None] + own > color_in
    return jnp.asarray(seen)


def masked_convolution(x, weight, bias, mask):
    r"""y_o(p) = b_o + sum_i sum_d M_oi(d) w_oi(d) x_i(p + d), a cross-correlation with zeros outside of the image.

    The offsets d reach from -(K - 1)/2 to (K - 1)/2 in both directions: the result has the size of x.

    Raises ValueError if the shapes of x, weight, bias and mask do not fit, the kernel of weight is not square with an odd side,
    or mask holds anything but 0 and 1.  Source: van den Oord et al. 2016a, section 3.4.
    [B, I, H, W], [O, I, K, K], [O], [O, I, K, K] -> [B, O, H, W]
    """
    _require_convolution(x, weight, bias)
    side = weight.shape[3]
    _require_odd(weight=side)
    require(weight.shape[2] == side, f"weight has kernels of shape {list(weight.shape[2:])}; they must be square")
    require_shape(weight.shape, mask=mask)
    require_binary(mask=mask)
    half = side // 2
    return _correlate(x, weight * mask, bias, ((half, half), (half, half)))


def gated_activation(x):
    r"""tanh(a) sigma(b), where a is the first half of the channels of x and b the second.

    Raises ValueError if x has an odd number of channels.  Source: van den Oord et al. 2016b, eq. 2.
    [B, C+C, H, W] -> [B, C, H, W]
    """
    require_rank(4, x=x)
    require(x.shape[1] % 2 == 0, f"x has {x.shape[1]} channels; it must have an even number, as half of them are gates")
    content, gate = jnp.split(x, 2, axis=1)
    return jnp.tanh(content) * jax.nn.sigmoid(gate)


def vertical_convolution(x, weight, bias, *, mask_type):
    r"""y(i, j) = b + sum_{r, c} w(r, c) x(i - R + own + r, j - (K - 1)/2 + c), own = 0 for mask_type "A" and 1 for "B".

    "A" sees the R rows above, "B" the row itself and R - 1 above it; both see columns on either side, and zeros outside.

    Raises ValueError if the shapes of x, weight and bias do not fit, weight has no row or an even number of columns, or mask_type
    is neither "A" nor "B".  Source: van den Oord et al. 2016b, section 2.2.
    [B, I, H, W], [O, I, R, K], [O] -> [B, O, H, W]
    """
    own = _own(mask_type)
    _require_convolution(x, weight, bias)
    rows, columns = weight.shape[2:]
    require_at_least(1, weight=rows)
    _require_odd(weight=columns)
    half = columns // 2
    return _correlate(x, weight, bias, ((rows - own, own - 1), (half, half)))  # padded by -1 below: "A" never reads the last row


def horizontal_convolution(x, weight, bias, *, mask_type):
    r"""y(i, j) = b + sum_r w(r) x(i, j - R + own + r), own = 0 for mask_type "A" and 1 for "B".

    "A" sees the R pixels to the left, "B" the pixel itself and R - 1 to its left; zeros outside.

    Raises ValueError if the shapes of x, weight and bias do not fit, the kernel of weight is not one row of at least one column,
    or mask_type is neither "A" nor "B".  Source: van den Oord et al. 2016b, section 2.2.
    [B, I, H, W], [O, I, 1, R], [O] -> [B, O, H, W]
    """
    own = _own(mask_type)
    _require_convolution(x, weight, bias)
    rows, columns = weight.shape[2:]
    require(rows == 1, f"weight has {rows} rows; it must have 1")
    require_at_least(1, weight=columns)
    return _correlate(x, weight, bias, ((0, 0), (columns - own, own - 1)))


def dependency_map(masks, *, height, width, row, column):
    r"""The number of paths from each pixel of the input to the pixel (row, column) of the output, by offsets where masks hold 1.

    The first of masks is that of the first layer. Counts are exact below 2^63; without a layer the pixel depends on itself.

    Raises ValueError if one of masks is not square with an odd side or holds anything but 0 and 1, height or width is less than
    1, or row or column is outside of the image.  Source: van den Oord et al. 2016b, section 2.2 and figure 1.
    ([...]) -> [H, W]
    """
    require_at_least(1, height=height, width=width)
    require(0 <= row < height, f"row is {row}; it must be in 0..{height - 1}")
    require(0 <= column < width, f"column is {column}; it must be in 0..{width - 1}")
    for i, mask in enumerate(masks):
        name = f"masks[{i}]"
        require_rank(2, **{name: mask})
        require(mask.shape[0] == mask.shape[1], f"{name} has shape {list(mask.shape)}; it must be square")
        _require_odd(**{name: mask.shape[0]})
        require_binary(**{name: mask})
    paths = jnp.zeros((height, width), int).at[row, column].set(1)
    for mask in reversed(masks):  # from the output towards the input
        side, half = mask.shape[0], mask.shape[0] // 2
        kept, around = (jnp.asarray(mask) != 0).astype(int), jnp.pad(paths, half)
        # what an output at p reads at p + d, an input at q passes on to q - d
        paths = sum(
            kept[r, c] * around[side - 1 - r : side - 1 - r + height, side - 1 - c : side - 1 - c + width]
            for r, c in itertools.product(range(side), repeat=2)
        )
    return paths


def _own(mask_type):
    """1 if a layer sees the pixel itself, 0 if not."""
    require(mask_type in ("A", "B"), f'mask_type is {mask_type!r}; it must be "A" or "B"')
    return int(mask_type == "B")


def _require_odd(**sides):
    ((name, side),) = sides.items()
    what = name if name == "kernel_size" else f"the side of {name}"
    require(side % 2 == 1, f"{what} is {side}; it must be odd, so that there is a middle")


def _require_convolution(x, weight, bias):
    require_rank(4, x=x, weight=weight)
    inputs = x.shape[1]
    require(weight.shape[1] == inputs, f"weight has {weight.shape[1]} inputs (its second axis); it must have {inputs}, as x has")
    require_shape(weight.shape[:1], bias=bias)


def _correlate(x, weight, bias, padding):
    return jax.lax.conv_general_dilated(x, weight, (1, 1), padding) + bias[:, None, None]


# ---------------------------------------------------------------------------------------------------- the network


class GatedPixelCNN(nnx.Module):
    """Codes [B, C, H, W], classes [B] -> logits [B, C, H, W, V] of every code, given earlier pixels and earlier colors."""

    def __init__(self, *, num_levels, colors, width, layers, kernel_size=3, classes=0, rngs: nnx.Rngs):
        common = dict(param_dtype=jnp.result_type(float), rngs=rngs)
        rows = kernel_size // 2 + 1
        self.levels, self.colors = num_levels, colors
        self.embedding = nnx.Embed(colors * num_levels, width, **common)
        self.above, self.before = _Weights(width, width, (rows, kernel_size), rngs), _Weights(width, width, (1, rows), rngs)
        self.layers = nnx.List(_Layer(width, kernel_size, classes, common) for _ in range(layers))
        self.hidden = _Weights(width, colors * width, (1, 1), rngs)
        self.earlier = nnx.Embed(colors * num_levels, colors * width, **common) if colors > 1 else nnx.data(None)
        self.logits = _Weights(colors * width, colors * num_levels, (1, 1), rngs)

    def __call__(self, codes, label=None):
        colors, num_levels = self.colors, self.levels
        placed = widened(codes) + num_levels * jnp.arange(colors)[:, None, None]
        chosen = jnp.sum(
            jax.nn.one_hot(placed, colors * num_levels, dtype=self.embedding.embedding.dtype), axis=1
        )  # [B, H, W, C V]
        x = jnp.moveaxis(chosen @ self.embedding.embedding[...], -1, 1)
        above = vertical_convolution(x, *self.above(), mask_type="A")
        before = horizontal_convolution(x, *self.before(), mask_type="A")
        for layer in self.layers:
            above, before = layer(above, before, label)
        h = _pointwise(jax.nn.relu(before), *self.hidden())
        if colors > 1:
            table = self.earlier.embedding[...].T[:, :, None, None]
            mask = pixel_mask(
                out_channels=len(table), in_channels=colors * num_levels, kernel_size=1, mask_type="A", colors=colors
            )
            h += masked_convolution(jnp.moveaxis(chosen, -1, 1), table, jnp.zeros(len(table)), mask)
        weight, bias = self.logits()
        outputs, inputs = weight.shape[:2]
        mask = pixel_mask(out_channels=outputs, in_channels=inputs, kernel_size=1, mask_type="B", colors=colors)
        logits = masked_convolution(jax.nn.relu(h), weight, bias, mask)
        return jnp.moveaxis(logits.reshape(len(codes), colors, num_levels, *codes.shape[2:]), 2, -1)


class _Layer(nnx.Module):
    """Both stacks one layer on: the pixels above feed the pixels before, and never the other way."""

    def __init__(self, width, kernel_size, classes, common):
        rows, rngs = kernel_size // 2 + 1, common["rngs"]
        self.vertical, self.horizontal = (_Weights(width, 2 * width, size, rngs) for size in ((rows, kernel_size), (1, rows)))
        self.link, self.out = _Weights(2 * width, 2 * width, (1, 1), rngs), _Weights(width, width, (1, 1), rngs)
        self.condition = nnx.Embed(classes, 4 * width, **common) if classes else nnx.data(None)

    def __call__(self, above, before, label):
        seen_above = vertical_convolution(above, *self.vertical(), mask_type="B")
        seen = horizontal_convolution(before, *self.horizontal(), mask_type="B") + _pointwise(seen_above, *self.link())
        if self.condition is not None:
            of_class = jnp.split(self.condition(widened(label))[:, :, None, None], 2, axis=1)
            seen_above, seen = seen_above + of_class[0], seen + of_class[1]
        return gated_activation(seen_above), before + _pointwise(gated_activation(seen), *self.out())


class _Weights(nnx.Module):
    """A kernel in flax's layout, and a bias."""

    def __init__(self, inputs, outputs, size, rngs):
        self.kernel = nnx.Param(jax.random.normal(rngs.params(), (*size, inputs, outputs), dtype=float))
        self.bias = nnx.Param(jnp.zeros(outputs, dtype=float))

    def __call__(self):
        return jnp.moveaxis(self.kernel[...], (3, 2), (0, 1)), self.bias[...]


def _pointwise(x, weight, bias):
    return _correlate(x, weight, bias, ((0, 0), (0, 0)))
