"""PixelCNN: masked convolutions, the stacks without a blind spot, and a network that draws pixel by pixel."""

import torch
from torch import nn
from torch.nn import functional

from practice_torch.arguments import as_int64, require, require_at_least, require_binary, require_rank, require_shape
from practice_torch.networks.wavenet import draw


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
    half = kernel_size // 2
    mask = torch.zeros(out_channels, in_channels, kernel_size, kernel_size, dtype=torch.bool)
    mask[:, :, :half] = True
    mask[:, :, half, :half] = True
    # equal groups: a channel's color is how many of them are before it
    outs, ins = (torch.arange(colors).repeat_interleave(count // colors) for count in (out_channels, in_channels))
    mask[:, :, half, half] = (torch.ge if own else torch.gt)(outs.unsqueeze(1), ins)
    return mask


def masked_convolution(x, weight, bias, mask):
    r"""y_o(p) = b_o + sum_i sum_d M_oi(d) w_oi(d) x_i(p + d), a cross-correlation with zeros outside of the image.

    The offsets d reach from -(K - 1)/2 to (K - 1)/2 in both directions: the result has the size of x.

    Raises ValueError if the shapes of x, weight, bias and mask do not fit, the kernel of weight is not square with an odd side,
    or mask holds anything but 0 and 1.  Source: van den Oord et al. 2016a, section 3.4.
    [B, I, H, W], [O, I, K, K], [O], [O, I, K, K] -> [B, O, H, W]
    """
    _require_convolution(x, weight, bias)
    height, width = weight.shape[2:]
    _require_odd(weight=width)
    require(height == width, f"weight has kernels of {height} x {width}; they must be square")
    require_shape(weight.shape, mask=mask)
    require_binary(mask=mask)
    return functional.conv2d(x, weight * mask, bias, padding=width // 2)


def gated_activation(x):
    r"""tanh(a) sigma(b), where a is the first half of the channels of x and b the second.

    Raises ValueError if x has an odd number of channels.  Source: van den Oord et al. 2016b, eq. 2.
    [B, C+C, H, W] -> [B, C, H, W]
    """
    require_rank(4, x=x)
    require(x.shape[1] % 2 == 0, f"x has {x.shape[1]} channels; it must have an even number, as half of them are gates")
    content, gate = x.chunk(2, dim=1)
    return content.tanh() * gate.sigmoid()


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
    # shifted down by a row more than "B" is, "A" never reads the last one: a padding of -1 cuts it off
    return functional.conv2d(functional.pad(x, (0, 0, rows - own, own - 1)), weight, bias, padding=(0, columns // 2))


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
    return functional.conv2d(functional.pad(x, (columns - own, own - 1)), weight, bias)


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
    device = masks[0].device if len(masks) else None
    paths = torch.zeros(height, width, dtype=torch.long, device=device)
    paths[row, column] = 1
    for mask in reversed(masks):
        half = mask.shape[0] // 2
        # in integers, for which there is no convolution: the windows, weighted by the turned mask and added up
        windows = functional.pad(paths, [half] * 4).unfold(0, 2 * half + 1, 1).unfold(1, 2 * half + 1, 1)
        paths = (windows * mask.ne(0).flip(0, 1)).sum((2, 3))
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


class GatedStacks(nn.Module):
    """Features of an image at every pixel that depend on earlier pixels in raster order, and on a class.

    A stack of vertical convolutions sees the rows above, and feeds a stack of horizontal ones, which sees the pixels before in
    the same row. Subclasses define the input of a pixel (`_read`), and draw one from earlier ones (`_draw`).
    """

    def __init__(self, *, inputs, width, layers, kernel_size=3, classes=0, dropout=0.0):
        super().__init__()
        self.rows = kernel_size // 2 + 1
        self.above = nn.Conv2d(inputs, width, (self.rows, kernel_size))
        self.before = nn.Conv2d(inputs, width, (1, self.rows))
        self.layers = nn.ModuleList(_Layer(width, kernel_size, classes, dropout) for _ in range(layers))

    def seen(self, codes, label=None):
        """[B, C, H, W], [B] -> [B, width, H, W]"""
        x = self._read(codes)
        above = vertical_convolution(x, self.above.weight, self.above.bias, mask_type="A")
        before = horizontal_convolution(x, self.before.weight, self.before.bias, mask_type="A")
        for layer in self.layers:
            above, before = layer(above, before, label)
        return before

    def generate(self, uniforms, label=None, given=None):
        """Codes [B, C, H, W], each pixel from its uniforms [B, C, H, W, U]; `given` [B, C, h, W], the first rows, are kept.

        Nothing is computed twice: every layer keeps its last rows and, within a row, its last columns, so that a pixel costs one
        application of each layer, however large the image is.
        """
        batch, _, height, width, _ = uniforms.shape
        first = 0 if given is None else given.shape[2]
        with torch.inference_mode():
            codes = torch.zeros(uniforms.shape[:4], dtype=torch.long, device=uniforms.device)
            if first:
                codes[:, :, :first] = given
            channels, inputs = self.above.weight.shape[:2]
            x = self.above.weight.new_zeros(batch, inputs, height + self.rows, width + self.rows)  # zeros above and before
            kept_above = [x.new_zeros(batch, channels, self.rows - 1, width) for _ in self.layers]
            conditions = [layer.conditioned(label) for layer in self.layers]
            for i in range(height):
                above = self._of_rows(self.above, x[:, :, i : i + self.rows, self.rows :])
                links = []
                for number, layer in enumerate(self.layers):
                    seen = torch.cat([kept_above[number], above], 2)
                    kept_above[number] = seen[:, :, 1:]
                    pre = self._of_rows(layer.vertical, seen)
                    links.append(layer.link(pre))
                    above = layer.gated(pre, conditions[number], 0)
                kept_before = [x.new_zeros(batch, channels, 1, self.rows - 1) for _ in self.layers]
                for j in range(width):
                    if i >= first:
                        before = self.before(x[:, :, self.rows + i : self.rows + i + 1, j : j + self.rows])
                        for number, layer in enumerate(self.layers):
                            seen = torch.cat([kept_before[number], before], 3)
                            kept_before[number] = seen[..., 1:]
                            pre = layer.horizontal(seen) + links[number][..., j : j + 1]
                            before = before + layer.out(layer.gated(pre, conditions[number], 1))
                        codes[:, :, i, j] = self._draw(before, uniforms[:, :, i, j])
                    read = self._read(codes[:, :, i : i + 1, j : j + 1])
                    x[:, :, self.rows + i, self.rows + j] = read[:, :, 0, 0]
        return codes.clone()

    def _of_rows(self, convolution, rows):
        return functional.conv2d(rows, convolution.weight, convolution.bias, padding=(0, convolution.weight.shape[3] // 2))


class GatedPixelCNN(GatedStacks):
    """p(x_p | x_<p) over `num_levels` codes at every pixel p in raster order, as logits; with classes, given a class as well.

    The colors of a pixel follow each other: their mutual dependence is added at the end, by kernels of 1 x 1.
    """

    uniforms = 1  # that a draw of one code takes

    def __init__(self, *, num_levels, colors, width, layers, kernel_size=3, classes=0, dropout=0.0):
        super().__init__(inputs=width, width=width, layers=layers, kernel_size=kernel_size, classes=classes, dropout=dropout)
        self.levels, self.colors = num_levels, colors
        self.embedding = nn.Embedding(colors * num_levels, width)
        self.hidden = nn.Conv2d(width, colors * width, 1)
        self.earlier = nn.Embedding(colors * num_levels, colors * width) if colors > 1 else None
        self.logits = nn.Conv2d(colors * width, colors * num_levels, 1)
        within = dict(kernel_size=1, colors=colors)
        own = pixel_mask(out_channels=colors * num_levels, in_channels=colors * width, mask_type="B", **within)
        later = pixel_mask(out_channels=colors * width, in_channels=colors * num_levels, mask_type="A", **within)
        self.register_buffer("own", own, persistent=False)
        self.register_buffer("later", later[:, :, 0, 0].T, persistent=False)

    def forward(self, codes, label=None):
        """[B, C, H, W], [B] -> [B, C, H, W, V]: logits[:, c, i, j] scores codes[:, c, i, j]."""
        return self._head(self.seen(codes, label), codes)

    def log_prob(self, codes, label=None):
        """log p of every image in nats: [B, C, H, W], [B] -> [B]"""
        logits = self(codes, label).movedim(-1, 1)
        return -functional.cross_entropy(logits, as_int64(codes), reduction="none").flatten(1).sum(1)

    def _read(self, codes):
        return self.embedding(self._placed(codes)).sum(-2).movedim(-1, 1)

    def _draw(self, before, uniforms):
        """One pixel by inverse CDF, color by color: [B, width, 1, 1], [B, C, 1] -> [B, C]"""
        codes = torch.zeros_like(uniforms, dtype=torch.long).unsqueeze(3)
        for color in range(self.colors):  # the logits of a color do not depend on those that are not drawn yet
            codes[:, color, 0, 0] = draw(self._head(before, codes)[:, color, 0, 0], uniforms[:, color, 0])
        return codes[:, :, 0, 0]

    def _placed(self, codes):
        """The rows of the embeddings: [B, C, H, W] -> [B, H, W, C]."""
        shift = self.levels * torch.arange(self.colors, device=codes.device)
        return as_int64(codes).movedim(1, -1) + shift

    def _head(self, before, codes):
        """Logits [B, C, H, W, V] from features of earlier pixels, and from the earlier colors of this one."""
        h = self.hidden(before.relu())
        if self.earlier is not None:
            h = h + functional.embedding(self._placed(codes), self.earlier.weight * self.later).sum(-2).movedim(-1, 1)
        logits = functional.conv2d(h.relu(), self.logits.weight * self.own, self.logits.bias)
        return logits.unflatten(1, (self.colors, self.levels)).movedim(2, -1)


class _Layer(nn.Module):
    """Both stacks one layer on: the vertical one feeds the horizontal one, and never the other way."""

    def __init__(self, width, kernel_size, classes, dropout):
        super().__init__()
        rows = kernel_size // 2 + 1
        self.vertical, self.horizontal = nn.Conv2d(width, 2 * width, (rows, kernel_size)), nn.Conv2d(width, 2 * width, (1, rows))
        self.link, self.out = nn.Conv2d(2 * width, 2 * width, 1), nn.Conv2d(width, width, 1)
        self.condition = nn.Embedding(classes, 4 * width) if classes else None
        if classes:
            nn.init.zeros_(self.condition.weight)
        self.dropout = nn.Dropout(dropout)

    def conditioned(self, label):
        """Biases of the gates of both stacks by class, [B, 2 C, 1, 1] each; None if there are no classes."""
        if label is None and self.condition is not None:
            raise ValueError(f"label is missing; it must be a class, 0..{self.condition.num_embeddings - 1}, for every image")
        if label is not None and self.condition is None:
            raise ValueError("label is given; the network has no classes")
        return None if label is None else self.condition(as_int64(label))[:, :, None, None].chunk(2, dim=1)

    def gated(self, x, condition, stack):
        """The gated activation of a stack (0: vertical, 1: horizontal), given the class."""
        return self.dropout(gated_activation(x if condition is None else x + condition[stack]))

    def forward(self, above, before, label):
        """[B, C, H, W], [B, C, H, W], [B] -> [B, C, H, W], [B, C, H, W]"""
        condition = self.conditioned(label)
        seen_above = vertical_convolution(above, self.vertical.weight, self.vertical.bias, mask_type="B")
        seen = horizontal_convolution(before, self.horizontal.weight, self.horizontal.bias, mask_type="B")
        seen = seen + self.link(seen_above)
        return self.gated(seen_above, condition, 0), before + self.out(self.gated(seen, condition, 1))
