"""Wrong forms of style transfer's functions that the rows must refuse, and other right forms that they must accept."""

import torch
from torch.nn import functional

from practice_torch.adversarial import style_transfer as right
from tests.support.mistakes import Mistake, after_checks


def _form(function, name, change):
    """Another form, behind the right one's checks."""
    return Mistake(function, name, after_checks(right, function, change))


def _rows(features):
    return features.flatten(2)


def _size(features):
    return features[0].numel() if len(features) else 1


def _gram(features):
    return torch.einsum("bcn,bdn->bcd", _rows(features), _rows(features)) / _size(features)


def _centered(features):
    return _gram(features - features.mean((2, 3), keepdim=True))


def _by_covariance(features):
    rows = _rows(features)
    mean = rows.mean(2)
    spread = rows - mean[:, :, None]
    return (spread @ spread.mT / rows.shape[2] + mean[:, :, None] * mean[:, None]) / rows.shape[1]


def _as_image(features):
    """Channels and positions exchanged, and C numbers of the result where there are more."""
    rows = _rows(features)
    return (rows.mT @ rows / _size(features)).mean((1, 2))[:, None, None].expand(-1, rows.shape[1], rows.shape[1])


def _kernel_sums(x, y):
    def mean(a, b):
        return (a @ b.mT).square().mean((1, 2))

    return mean(x, x) + mean(y, y) - 2 * mean(x, y)


def _unbiased(x, y):
    def within(a):
        kernel = (a @ a.mT).square()
        return (kernel.sum((1, 2)) - kernel.diagonal(dim1=1, dim2=2).sum(1)) / max(1, a.shape[1] * (a.shape[1] - 1))

    return within(x) + within(y) - 2 * (x @ y.mT).square().mean((1, 2))


def _moments(x, y, *, centered=False):
    if centered:
        x, y = x - x.mean(1, keepdim=True), y - y.mean(1, keepdim=True)
    return x.mT @ x / x.shape[1] - y.mT @ y / y.shape[1]


def _differences(x):
    return x.diff(dim=2), x.diff(dim=3)


def _circular(x):
    return sum((x - x.roll(1, axis)).abs().sum((1, 2, 3)) for axis in (2, 3))


def _isotropic(x):
    down, across = _differences(x)
    squares = functional.pad(down.square(), (0, 0, 0, 1)) + functional.pad(across.square(), (0, 1))
    return torch.where(squares > 0, squares, 1.0).sqrt().mul(squares > 0).sum((1, 2, 3))


GRAM, CONTENT, STYLE, VARIATION = "gram_matrix", "content_loss", "style_loss", "total_variation"
MMD = "quadratic_kernel_discrepancy"
MISTAKES = (
    _form(GRAM, "not divided", lambda features: _size(features) * _gram(features)),
    _form(GRAM, "divided by the positions alone", lambda features: features.shape[1] * _gram(features)),
    _form(GRAM, "divided by the channels alone", lambda features: _size(features) / features.shape[1] * _gram(features)),
    _form(GRAM, "centered", _centered),
    _form(GRAM, "positions for channels", _as_image),
    _form(GRAM, "the diagonal alone", lambda features: torch.diag_embed(_gram(features).diagonal(dim1=1, dim2=2))),
    _form(GRAM, "a constant", lambda features: _gram(features).detach() + 0 * features.sum()),
    _form(GRAM, "one side detached", lambda features: _rows(features) @ _rows(features).detach().mT / _size(features)),
    _form(GRAM, "averaged over the batch", lambda features: _gram(features).mean(0).expand(len(features), -1, -1)),
    Mistake(GRAM, "a map without positions", lambda features: _gram(features), only_checks=True),
    _form(CONTENT, "the sum", lambda features, target: (features - target).square().sum((1, 2, 3))),
    _form(CONTENT, "half of the sum", lambda features, target: (features - target).square().sum((1, 2, 3)) / 2),
    _form(CONTENT, "half of the mean", lambda features, target: right.content_loss(features, target) / 2),
    _form(CONTENT, "absolute values", lambda features, target: (features - target).abs().mean((1, 2, 3))),
    _form(CONTENT, "of means over the positions", lambda features, target: (
        (features - target).mean((2, 3)).square().mean(1))),
    _form(CONTENT, "averaged over the batch", lambda features, target: (
        (features - target).square().mean().expand(len(features)))),
    Mistake(CONTENT, "one target for all", lambda features, target: (
        right.content_loss(features, target.expand_as(features))), only_checks=True),
    _form(STYLE, "the mean", lambda features, target_gram: (_gram(features) - target_gram).square().mean((1, 2))),
    _form(STYLE, "a quarter, as in Gatys' paper", lambda features, target_gram: right.style_loss(features, target_gram) / 4),
    _form(STYLE, "G not divided", lambda features, target_gram: (
        (_size(features) * _gram(features) - target_gram).square().sum((1, 2)))),
    _form(STYLE, "centered", lambda features, target_gram: (_centered(features) - target_gram).square().sum((1, 2))),
    _form(STYLE, "the root", lambda features, target_gram: torch.linalg.matrix_norm(_gram(features) - target_gram)),
    _form(STYLE, "entries above the diagonal left out", lambda features, target_gram: (
        (_gram(features) - target_gram).tril().square().sum((1, 2)))),
    _form(STYLE, "features detached on one side", lambda features, target_gram: (
        (_rows(features) @ _rows(features).detach().mT / _size(features) - target_gram).square().sum((1, 2)))),
    _form(STYLE, "averaged over the batch", lambda features, target_gram: (
        right.style_loss(features, target_gram).mean().expand(len(features)))),
    Mistake(STYLE, "one Gram matrix for all", lambda features, target_gram: (
        (right.gram_matrix(features) - target_gram).square().sum((1, 2))), only_checks=True),
    _form(VARIATION, "squares", lambda x: sum(d.square().sum((1, 2, 3)) for d in _differences(x))),
    _form(VARIATION, "the mean", lambda x: sum(d.abs().sum((1, 2, 3)) for d in _differences(x)) / max(1, x[0].numel())
           if len(x) else x.sum((1, 2, 3))),
    _form(VARIATION, "around the border", _circular),
    _form(VARIATION, "isotropic", _isotropic),
    _form(VARIATION, "down alone", lambda x: _differences(x)[0].abs().sum((1, 2, 3))),
    _form(VARIATION, "across alone", lambda x: _differences(x)[1].abs().sum((1, 2, 3))),
    _form(VARIATION, "without absolute values", lambda x: sum(d.sum((1, 2, 3)).abs() for d in _differences(x))),
    _form(VARIATION, "averaged over the batch", lambda x: right.total_variation(x).mean().expand(len(x))),
    Mistake(VARIATION, "an image without channels", lambda x: right.total_variation(x if x.ndim == 4 else x[:, None]),
            only_checks=True),
    _form(MMD, "without a point's pair with itself", _unbiased),
    _form(MMD, "of centered points", lambda x, y: _moments(x, y, centered=True).square().sum((1, 2))),
    _form(MMD, "the linear kernel", lambda x, y: (x.mean(1) - y.mean(1)).square().sum(1)),
    _form(MMD, "the mean over pairs of channels", lambda x, y: _moments(x, y).square().mean((1, 2))),
    _form(MMD, "sums", lambda x, y: (x.mT @ x - y.mT @ y).square().sum((1, 2))),
    _form(MMD, "the root", lambda x, y: torch.linalg.matrix_norm(_moments(x, y))),
    _form(MMD, "the second sample detached", lambda x, y: right.quadratic_kernel_discrepancy(x, y.detach()) + 0 * y.sum()),
    Mistake(MMD, "one sample for all", lambda x, y: right.quadratic_kernel_discrepancy(
        x, y.expand(len(x), -1, -1) if y.ndim == x.ndim == 3 and len(y) == 3 and len(x) == 2 else y), only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    _form(GRAM, "the covariance and the means", _by_covariance),
    _form(GRAM, "one product for all pairs", lambda features: _gram(features)),
    _form(
        CONTENT,
        "torch's mse_loss",
        lambda features, target: functional.mse_loss(features, target, reduction="none").mean((1, 2, 3)),
    ),
    _form(
        STYLE,
        "the norm of a matrix, squared",
        lambda features, target_gram: (_gram(features) - target_gram).flatten(1).square().sum(1),
    ),
    _form(VARIATION, "torch's diff", lambda x: sum(d.abs().sum((1, 2, 3)) for d in _differences(x))),
    _form(MMD, "by the kernels", _kernel_sums),
)
