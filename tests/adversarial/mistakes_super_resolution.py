"""Wrong forms of the shuffle, of PSNR and SSIM and of the generator's loss that the rows must refuse, and other right ones."""

import math

import torch
from torch.nn import functional

from practice_torch.adversarial import super_resolution as right
from tests.support.mistakes import Mistake, after_checks


def _planted(function, name, wrong, **kind):
    """A form behind the right one's checks."""
    return Mistake(function, name, after_checks(right, function, wrong), **kind)


def _shuffled(order):
    """Channels split into (c, i, j) and permuted together with rows and columns."""

    def wrong(x, *, factor):
        batch, channels, height, width = x.shape
        blocks = x.reshape(batch, channels // factor**2, factor, factor, height, width).permute(0, 1, *order)
        return blocks.reshape(batch, channels // factor**2, factor * height, factor * width)

    return wrong


def _channel_last(x, *, factor):
    batch, channels, height, width = x.shape
    blocks = x.reshape(batch, factor, factor, channels // factor**2, height, width).permute(0, 3, 4, 1, 5, 2)
    return blocks.reshape(batch, channels // factor**2, factor * height, factor * width)


def _unshuffled(order):
    def wrong(x, *, factor):
        batch, channels, height, width = x.shape
        blocks = x.reshape(batch, channels, height // factor, factor, width // factor, factor).permute(0, *order)
        return blocks.reshape(batch, channels * factor**2, height // factor, width // factor)

    return wrong


def _ratio(change):
    """change(x, y, data_range): the mean square over the squared range, or what takes its place; inf where it is 0."""

    def wrong(x, y, *, data_range):
        square = change(x, y, data_range)
        return torch.where(square > 0, -10 * square.masked_fill(square == 0, 1.0).log10(), torch.inf)

    return wrong


def _mean_square(x, y, data_range):
    return ((x - y) / data_range).square().mean((1, 2, 3))


def _similarity(form, weights=None, constants=(0.01, 0.03)):
    """The form of both means and variances, of the covariance and of a and b; by torch's convolution with the weights."""

    def wrong(x, y, *, data_range, window_size=11, sigma=1.5):
        window = (weights or _gaussian)(window_size, sigma).to(x)
        a, b = ((constant * data_range) ** 2 for constant in constants)
        channels = x.shape[1]

        def mean(image):
            return functional.conv2d(image, window.expand(channels, 1, *window.shape), groups=channels)

        middle = x.detach().mean((1, 2, 3), keepdim=True)  # a shift changes no variance, and less cancels
        u, v = x - middle, y - middle
        mean_u, mean_v = mean(u), mean(v)
        of_u, of_v, of_both = mean(u * u) - mean_u**2, mean(v * v) - mean_v**2, mean(u * v) - mean_u * mean_v
        return form(mean_u + middle, mean_v + middle, of_u, of_v, of_both, a, b, window_size).mean((1, 2, 3))

    return wrong


def _gaussian(size, sigma):
    away = torch.arange(size) - size // 2
    weights = torch.exp(-(away[:, None].square() + away.square()) / (2 * sigma**2))
    return weights / weights.sum()


def _right_form(mean_x, mean_y, of_x, of_y, of_both, a, b, size):
    luminance = (2 * mean_x * mean_y + a) / (mean_x**2 + mean_y**2 + a)
    return luminance * (2 * of_both + b) / (of_x + of_y + b)


def _unbiased(mean_x, mean_y, of_x, of_y, of_both, a, b, size):
    more = size**2 / max(size**2 - 1, 1)
    return _right_form(mean_x, mean_y, more * of_x, more * of_y, more * of_both, a, b, size)


def _unbiased_variances(mean_x, mean_y, of_x, of_y, of_both, a, b, size):
    more = size**2 / max(size**2 - 1, 1)
    return _right_form(mean_x, mean_y, more * of_x, more * of_y, of_both, a, b, size)


def _of_deviations(mean_x, mean_y, of_x, of_y, of_both, a, b, size):
    both = (of_x.clamp(min=1e-12) * of_y.clamp(min=1e-12)).sqrt()
    return _right_form(mean_x, mean_y, of_x, of_y, both, a, b, size)


def _luminance(mean_x, mean_y, of_x, of_y, of_both, a, b, size):
    return (2 * mean_x * mean_y + a) / (mean_x**2 + mean_y**2 + a)


def _contrast(mean_x, mean_y, of_x, of_y, of_both, a, b, size):
    return (2 * of_both + b) / (of_x + of_y + b)


def _padded(x, y, *, data_range, window_size=11, sigma=1.5):
    around = 4 * (window_size // 2,)
    x, y = (functional.pad(image, around) for image in (x, y))
    return right.structural_similarity(x, y, data_range=data_range, window_size=window_size, sigma=sigma)


def _loss(change):
    """change(mean squared difference of an example, logits, weight)."""

    def wrong(features, features_target, logits_fake, *, adversarial_weight=1e-3):
        squares = (features - features_target).square().reshape(len(features), math.prod(features.shape[1:]))
        return change(squares, logits_fake, adversarial_weight)

    return wrong


SHUFFLE, UNSHUFFLE, RATIO = "pixel_shuffle", "pixel_unshuffle", "peak_signal_to_noise_ratio"
SIMILAR, LOSS = "structural_similarity", "perceptual_generator_loss"
MISTAKES = (
    *(_planted(SHUFFLE, name, wrong) for name, wrong in {
        "rows and columns of a block exchanged": _shuffled((4, 3, 5, 2)),
        "tiles of the whole image": _shuffled((2, 4, 3, 5)),
        "the channel last": _channel_last,
        "blocks turned over": lambda x, *, factor: right.pixel_shuffle(x.flip(1), factor=factor).flip(1),
        "detached": lambda x, *, factor: right.pixel_shuffle(x, factor=factor).detach(),
    }.items()),
    Mistake(SHUFFLE, "any channels", lambda x, *, factor: right.pixel_shuffle(
        x[:, : x.shape[1] // max(factor, 1) ** 2 * max(factor, 1) ** 2], factor=max(factor, 1)), only_checks=True),
    *(_planted(UNSHUFFLE, name, wrong) for name, wrong in {
        "rows and columns of a block exchanged": _unshuffled((1, 5, 3, 2, 4)),
        "the channel last": _unshuffled((3, 5, 1, 2, 4)),
        "quarters of the image": lambda x, *, factor: torch.stack(
            [part for rows in x.chunk(factor, 2) for part in rows.chunk(factor, 3)], 2).flatten(1, 2),
    }.items()),
    Mistake(UNSHUFFLE, "any sides", lambda x, *, factor: right.pixel_unshuffle(
        x[:, :, : x.shape[2] // max(factor, 1) * max(factor, 1), : x.shape[3] // max(factor, 1) * max(factor, 1)],
        factor=max(factor, 1)), only_checks=True),
    *(_planted(RATIO, name, _ratio(change)) for name, change in {
        "20 log10 of the squares": lambda x, y, data_range: _mean_square(x, y, data_range).square(),
        "natural logarithm": lambda x, y, data_range: _mean_square(x, y, data_range) ** math.log(10),
        "sum of squares": lambda x, y, data_range: ((x - y) / data_range).square().sum((1, 2, 3)),
        "absolute errors": lambda x, y, data_range: ((x - y) / data_range).abs().mean((1, 2, 3)),
        "the range left out": lambda x, y, data_range: _mean_square(x, y, 1.0),
        "the range not squared": lambda x, y, data_range: _mean_square(x, y, 1.0) / data_range,
        "the largest pixel for the range": lambda x, y, data_range: _mean_square(x, y, 1.0) / y.amax((1, 2, 3)).square(),
        "something added to the squares": lambda x, y, data_range: _mean_square(x, y, data_range) + 1e-8,
        "over the whole batch": lambda x, y, data_range: _mean_square(x, y, data_range).mean() + 0 * _mean_square(x, y, 1.0),
    }.items()),
    _planted(RATIO, "sign", lambda x, y, *, data_range: -right.peak_signal_to_noise_ratio(x, y, data_range=data_range)),
    _planted(RATIO, "the logarithm of 0", lambda x, y, *, data_range: -10 * _mean_square(x, y, data_range).log10()),
    _planted(RATIO, "squares before the range",
             _ratio(lambda x, y, data_range: (x - y).square().mean((1, 2, 3)) / data_range**2)),
    Mistake(RATIO, "any range", _ratio(_mean_square), only_checks=True),
    *(_planted(SIMILAR, name, _similarity(form)) for name, form in {
        "unbiased variances and covariance": _unbiased,
        "unbiased variances, a biased covariance": _unbiased_variances,
        "the product of the deviations for the covariance": _of_deviations,
        "the luminance alone": _luminance,
        "contrast and structure alone": _contrast,
        "averaged over the batch": lambda *moments: _right_form(*moments).mean(0, keepdim=True).expand_as(moments[0]),
    }.items()),
    _planted(SIMILAR, "a uniform window", _similarity(_right_form, lambda size, sigma: torch.full((size, size), size**-2.0))),
    _planted(SIMILAR, "sigma for its square", _similarity(_right_form, lambda size, sigma: _gaussian(size, sigma**0.5))),
    _planted(SIMILAR, "the default sigma", _similarity(_right_form, lambda size, sigma: _gaussian(size, 1.5))),
    _planted(SIMILAR, "a window of sum 1.01", _similarity(_right_form, lambda size, sigma: 1.01 * _gaussian(size, sigma))),
    _planted(SIMILAR, "constants exchanged", _similarity(_right_form, constants=(0.03, 0.01))),
    _planted(SIMILAR, "the image padded", _padded),
    _planted(SIMILAR, "the range left out", lambda x, y, *, data_range, window_size=11, sigma=1.5: right.structural_similarity(
        x, y, data_range=1.0, window_size=window_size, sigma=sigma)),
    Mistake(SIMILAR, "any range, any sigma", lambda x, y, *, data_range, window_size=11, sigma=1.5: right.structural_similarity(
        x, y, data_range=abs(data_range) or 1.0, window_size=window_size, sigma=sigma or 1.5), only_checks=True),
    *(_planted(LOSS, name, _loss(change)) for name, change in {
        "the weight on the content": lambda squares, logits, weight: weight * squares.mean(1) - functional.logsigmoid(logits),
        "the weight ignored": lambda squares, logits, weight: squares.mean(1) - functional.logsigmoid(logits),
        "the default weight": lambda squares, logits, weight: squares.mean(1) - 1e-3 * functional.logsigmoid(logits),
        "the sum of squares": lambda squares, logits, weight: squares.sum(1) - weight * functional.logsigmoid(logits),
        "half the squares": lambda squares, logits, weight: squares.mean(1) / 2 - weight * functional.logsigmoid(logits),
        "the length of the difference": lambda squares, logits, weight: (squares.sum(1) + 1e-20).sqrt()
        - weight * functional.logsigmoid(logits),
        "the sign of the logit": lambda squares, logits, weight: squares.mean(1) - weight * functional.logsigmoid(-logits),
        "the minimax loss": lambda squares, logits, weight: squares.mean(1) + weight * functional.logsigmoid(-logits),
        "log of a sigmoid": lambda squares, logits, weight: squares.mean(1) - weight * logits.sigmoid().log(),
        "softplus that becomes the identity": lambda squares, logits, weight: squares.mean(1)
        + weight * functional.softplus(-logits),
        "averaged over the batch": lambda squares, logits, weight: squares.mean() - weight * functional.logsigmoid(logits),
    }.items()),
    Mistake(LOSS, "any weight", lambda features, features_target, logits_fake, *, adversarial_weight=1e-3:
            right.perceptual_generator_loss(features, features_target, logits_fake, adversarial_weight=0.0)
            - adversarial_weight * functional.logsigmoid(logits_fake), only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake(SHUFFLE, "torch's", lambda x, *, factor: functional.pixel_shuffle(x, factor), core_alone=True),
    Mistake(UNSHUFFLE, "torch's", lambda x, *, factor: functional.pixel_unshuffle(x, factor), core_alone=True),
    _planted(RATIO, "20 log10 of the root", _ratio(lambda x, y, data_range: (
        ((x - y) / data_range).flatten(1).norm(dim=1) / math.prod(x.shape[1:]) ** 0.5).square())),
    _planted(SIMILAR, "by the mean of squares less the square of the mean", _similarity(_right_form), core_alone=True),
    _planted(LOSS, "torch's losses", _loss(lambda squares, logits, weight: squares.mean(1)
             + weight * functional.binary_cross_entropy_with_logits(logits, torch.ones_like(logits), reduction="none"))),
)  # fmt: skip
