"""Deep convolutional GANs: batch normalization by hand, and where checkerboards come from."""

import torch

from practice_torch.arguments import require, require_at_least, require_rank, require_share, require_values
from practice_torch.networks.dcgan import Discriminator as Discriminator
from practice_torch.networks.dcgan import Generator as Generator


def batch_normalize(x, scale, shift, *, epsilon=1e-5):
    r"""scale (x - mean) / sqrt(var + epsilon) + shift per channel, mean and var (1/N) over the N = B H W values of the batch.

    Raises ValueError if x does not have four axes, scale or shift does not have its channels, or a channel has one value.
    Source: Ioffe & Szegedy 2015, algorithm 1.
    [B, C, H, W], [C], [C] -> [B, C, H, W]
    """
    _require_channels(x, scale=scale, shift=shift)
    _require_values_per_channel(x)
    # centered first: the mean of squares less the square of the mean would cancel
    centered = x - x.mean((0, 2, 3), keepdim=True)
    root = torch.rsqrt(centered.square().mean((0, 2, 3), keepdim=True) + epsilon)
    return torch.addcmul(_per_channel(shift), centered * root, _per_channel(scale))


def batch_normalize_inference(x, running_mean, running_variance, scale, shift, *, epsilon=1e-5):
    r"""scale (x - running_mean) / sqrt(running_variance + epsilon) + shift: the same map for every example of a batch.

    Raises ValueError if x does not have four axes, another argument does not have its channels, or an entry of running_variance
    is negative.  Source: Ioffe & Szegedy 2015, algorithm 2.
    [B, C, H, W], [C], [C], [C], [C] -> [B, C, H, W]
    """
    _require_channels(x, running_mean=running_mean, running_variance=running_variance, scale=scale, shift=shift)
    _require_variance(running_variance)
    gain = scale * torch.rsqrt(running_variance + epsilon)
    return torch.addcmul(_per_channel(shift), x - _per_channel(running_mean), _per_channel(gain))


def update_running_statistics(x, running_mean, running_variance, *, momentum=0.1):
    r"""(1 - momentum) old + momentum new, of the mean and of the variance with 1/(N - 1), over the N = B H W values of a channel.

    Raises ValueError if x does not have four axes, a statistic does not have its channels, a channel has one value, an entry of
    running_variance is negative, or momentum is outside [0, 1].  Source: Ioffe & Szegedy 2015, algorithm 2.
    [B, C, H, W], [C], [C] -> [C], [C]
    """
    _require_channels(x, running_mean=running_mean, running_variance=running_variance)
    _require_values_per_channel(x)
    _require_variance(running_variance)
    require_share(momentum=momentum)
    variance, mean = torch.var_mean(x, (0, 2, 3), correction=1)
    return (1 - momentum) * running_mean + momentum * mean, (1 - momentum) * running_variance + momentum * variance


def leaky_rectifier(x, *, slope=0.2):
    r"""x where x > 0, slope x elsewhere.

    Raises ValueError if x has no axis.  Source: Maas, Hannun & Ng 2013.
    [B, ...] -> [B, ...]
    """
    require(x.ndim >= 1, "x has no axis; it must have at least that of the batch")
    return torch.where(x > 0, x, slope * x)


def kernel_overlap(*, length, kernel, stride):
    r"""Number of the `length` inputs that reach each of the n = (length - 1) stride + kernel outputs of a transposed convolution.

    Input i reaches the outputs i stride, ..., i stride + kernel - 1.

    Raises ValueError if length, kernel or stride is less than 1.  Source: Odena, Dumoulin & Olah 2016.
    -> [n]
    """
    require_at_least(1, length=length, kernel=kernel, stride=stride)
    output = torch.arange((length - 1) * stride + kernel)
    last = torch.clamp(output // stride, max=length - 1)
    first = torch.clamp(-((kernel - 1 - output) // stride), min=0)  # the ceiling of (output - kernel + 1) / stride
    return last - first + 1


def _per_channel(vector):
    return vector[:, None, None]


def _require_channels(x, **vectors):
    require_rank(4, x=x)
    wanted = [x.shape[1]]
    for name, vector in vectors.items():
        given = list(vector.shape)
        require(given == wanted, f"{name} has shape {given}; it must have one value for each channel of x, {wanted}")


def _require_values_per_channel(x):
    count = x.shape[0] * x.shape[2] * x.shape[3]
    require(count > 1, f"x has shape {list(x.shape)}, {count} value per channel; it must have at least 2 for a variance")


def _require_variance(variance):
    require_values("running_variance", variance, lambda v: v >= 0, "at least 0")
