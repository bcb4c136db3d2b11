"""Layers from a latent vector to an image: convolutions, their transposes, and changes of size without weights."""

from torch.nn import functional

from practice_torch.arguments import require, require_at_least, require_rank, require_shape


def convolution2d(x, weight, bias, *, stride=1, padding=0):
    r"""y_oij = bias_o + sum_cab weight_ocab x_c(s i + a - p)(s j + b - p), s = stride, p = padding: x is 0 outside of its pixels.

    The kernel is not turned over, as networks have it. P = floor((H + 2 p - h) / s) + 1, and Q likewise of W and w.

    Raises ValueError if x or weight has not 4 axes, weight has other channels than x or a kernel larger than the padded image,
    bias is not [O], stride is below 1 or padding below 0.  Source: Dumoulin & Visin 2016, relationship 6.
    [B, C, H, W], [O, C, h, w], [O] -> [B, O, P, Q]
    """
    _require_kernel(x, weight, 0, bias, stride, padding)
    padded = [side + 2 * padding for side in x.shape[2:]]
    fits = all(length <= side for length, side in zip(weight.shape[2:], padded, strict=True))
    require(fits, f"weight has kernels of {list(weight.shape[2:])}; they must fit into the padded image of {padded}")
    return functional.conv2d(x, weight, bias, stride, padding)


def transposed_convolution2d(x, weight, bias, *, stride=1, padding=0):
    r"""y_ouv = bias_o + sum of weight_coab x_cij over all i, j, a, b with s i + a - p = u and s j + b - p = v.

    The gradient of convolution2d by its image, for the same array of weights. P = (H - 1) s - 2 p + h, and Q likewise.

    Raises ValueError if x or weight has not 4 axes, weight has not a first axis of x's channels, bias is not [O], stride is
    below 1, padding below 0, or so large that nothing is left.  Source: Dumoulin & Visin 2016, relationship 14.
    [B, C, H, W], [C, O, h, w], [O] -> [B, O, P, Q]
    """
    _require_kernel(x, weight, 1, bias, stride, padding)
    whole = [(side - 1) * stride + length for side, length in zip(x.shape[2:], weight.shape[2:], strict=True)]
    require(min(whole) > 2 * padding, f"padding is {padding}; it must leave a pixel of the {whole[0]} x {whole[1]} that are made")
    return functional.conv_transpose2d(x, weight, bias, stride, padding)


def nearest_upsample(x, *, factor):
    r"""Every pixel as a block of factor x factor pixels: P = factor H, Q = factor W.

    Raises ValueError unless x has 4 axes and factor is at least 1.  Source: Odena, Dumoulin & Olah 2016.
    [B, C, H, W] -> [B, C, P, Q]
    """
    require_rank(4, x=x)
    require_at_least(1, factor=factor)
    return x[:, :, :, None, :, None].expand(-1, -1, -1, factor, -1, factor).flatten(4).flatten(2, 3)


def average_pool(x, *, window):
    r"""The mean of every block of window x window pixels: P = H / window, Q = W / window.

    Raises ValueError unless x has 4 axes, and window is at least 1 and divides height and width.
    Source: LeCun et al. 1998, section II.
    [B, C, H, W] -> [B, C, P, Q]
    """
    require_rank(4, x=x)
    require_at_least(1, window=window)
    height, width = x.shape[2:]
    fits = height % window == 0 and width % window == 0
    require(fits, f"x is {height} x {width}; its sides must be multiples of the window, {window}")
    return x.unflatten(3, (-1, window)).unflatten(2, (-1, window)).mean(dim=(3, 5))


def _require_kernel(x, weight, outputs_axis, bias, stride, padding):
    require_rank(4, x=x, weight=weight)
    wanted = list(weight.shape)
    wanted[1 - outputs_axis] = x.shape[1]
    require_shape(wanted, weight=weight)
    require_shape(weight.shape[outputs_axis : outputs_axis + 1], bias=bias)
    require_at_least(1, stride=stride)
    require_at_least(0, padding=padding)
