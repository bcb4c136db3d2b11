"""Wrong forms of kernel distances that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.evaluation import kernel_distance as right
from tests.support.mistakes import Mistake


def _gaussian_by_products(x, y, *, bandwidth):
    right.gaussian_kernel(x, y, bandwidth=bandwidth)  # its checks
    squares = x.square().sum(1)[:, None] + y.square().sum(1) - 2 * x @ y.mT
    return (-squares / (2 * bandwidth**2)).exp()


def _without_diagonal(kernel):
    return (kernel.sum() - kernel.trace()) / (len(kernel) * (len(kernel) - 1))


def _whole(kernel_xx, kernel_yy, kernel_xy):
    right.unbiased_discrepancy(kernel_xx, kernel_yy, kernel_xy)  # its checks
    return kernel_xx, kernel_yy, kernel_xy


def _distance(features_x, features_y, subsets_x, subsets_y, kernel=right.polynomial_kernel, mean=right.unbiased_discrepancy):
    right.kernel_inception_distance(features_x, features_y, subsets_x, subsets_y)  # its checks
    pairs = [(features_x[i.long()], features_y[j.long()]) for i, j in zip(subsets_x, subsets_y, strict=True)]
    found = [mean(kernel(x, x), kernel(y, y), kernel(x, y)) for x, y in pairs]
    return torch.stack(found) if found else features_x.new_empty(0)


def _without_checks(features_x, features_y, subsets_x, subsets_y):
    """A negative index counts from the end."""
    return _distance(features_x, features_y, subsets_x.long() % len(features_x), subsets_y.long() % len(features_y))


def _gaussian_of_differences(x, y, *, bandwidth):
    right.gaussian_kernel(x, y, bandwidth=bandwidth)
    return (-((x[:, None] - y) / bandwidth).square().sum(2) / 2).exp()


def _unbiased_by_traces(kernel_xx, kernel_yy, kernel_xy):
    _whole(kernel_xx, kernel_yy, kernel_xy)
    return _without_diagonal(kernel_xx) + _without_diagonal(kernel_yy) - 2 * kernel_xy.mean()


MISTAKES = (
    Mistake("polynomial_kernel", "not divided by the dimension", lambda x, y, *, degree=3, coefficient=1.0: (
        right.polynomial_kernel(x * x.shape[1], y, degree=degree, coefficient=coefficient))),
    Mistake("polynomial_kernel", "always cubic", lambda x, y, *, degree=3, coefficient=1.0: (
        right.polynomial_kernel(x, y, coefficient=coefficient) + 0 * degree)),
    Mistake("polynomial_kernel", "always adds one", lambda x, y, *, degree=3, coefficient=1.0: (
        right.polynomial_kernel(x, y, degree=degree) + 0 * coefficient)),
    Mistake("polynomial_kernel", "the coefficient is divided, too", lambda x, y, *, degree=3, coefficient=1.0: (
        ((x @ y.mT + coefficient) / x.shape[1]) ** degree)),
    Mistake("polynomial_kernel", "accepts a negative coefficient", lambda x, y, *, degree=3, coefficient=1.0: (
        right.polynomial_kernel(x, y, degree=degree, coefficient=abs(coefficient))), only_checks=True),
    Mistake("gaussian_kernel", "1/h^2 for 1/2h^2", lambda x, y, *, bandwidth: (
        right.gaussian_kernel(x, y, bandwidth=bandwidth) ** 2)),
    Mistake("gaussian_kernel", "bandwidth not squared", lambda x, y, *, bandwidth: (
        right.gaussian_kernel(x, y, bandwidth=bandwidth**0.5))),
    Mistake("gaussian_kernel", "the distance is not squared", lambda x, y, *, bandwidth: (
        (-torch.cdist(x, y) / (2 * bandwidth**2)).exp())),
    Mistake("gaussian_kernel", "squares less products, which cancel", _gaussian_by_products),
    Mistake("gaussian_kernel", "the slope at equal points is NaN", lambda x, y, *, bandwidth: (
        (-((x[:, None] - y).square().sum(2).sqrt() / bandwidth).square() / 2).exp())),
    Mistake("biased_discrepancy", "the cross term once", lambda kernel_xx, kernel_yy, kernel_xy: (
        kernel_xx.mean() + kernel_yy.mean() - kernel_xy.mean())),
    Mistake("biased_discrepancy", "without the diagonals", lambda kernel_xx, kernel_yy, kernel_xy: (
        right.unbiased_discrepancy(kernel_xx, kernel_yy, kernel_xy))),
    Mistake("biased_discrepancy", "its root", lambda kernel_xx, kernel_yy, kernel_xy: (
        right.biased_discrepancy(kernel_xx, kernel_yy, kernel_xy).clamp(min=0).sqrt())),
    Mistake("unbiased_discrepancy", "with the diagonals", lambda kernel_xx, kernel_yy, kernel_xy: (
        right.biased_discrepancy(*_whole(kernel_xx, kernel_yy, kernel_xy)))),
    Mistake("unbiased_discrepancy", "divided by N^2", lambda kernel_xx, kernel_yy, kernel_xy: (
        sum((k.sum() - k.trace()) / k.numel() for k in _whole(kernel_xx, kernel_yy, kernel_xy)[:2]) - 2 * kernel_xy.mean())),
    Mistake("unbiased_discrepancy", "the cross term divided by N - 1", lambda kernel_xx, kernel_yy, kernel_xy: (
        sum(map(_without_diagonal, _whole(kernel_xx, kernel_yy, kernel_xy)[:2]))
        - 2 * kernel_xy.sum() / (len(kernel_xx) * (len(kernel_yy) - 1)))),
    Mistake("unbiased_discrepancy", "never below 0", lambda kernel_xx, kernel_yy, kernel_xy: (
        right.unbiased_discrepancy(kernel_xx, kernel_yy, kernel_xy).clamp(min=0))),
    Mistake("unbiased_discrepancy", "one point is enough", lambda kernel_xx, kernel_yy, kernel_xy: (
        sum((k.sum() - k.trace()) / max(1, len(k) * (len(k) - 1)) for k in (kernel_xx, kernel_yy)) - 2 * kernel_xy.mean()),
        only_checks=True),
    Mistake("kernel_inception_distance", "with the diagonals", lambda **given: _distance(**given, mean=right.biased_discrepancy)),
    Mistake("kernel_inception_distance", "linear kernel", lambda **given: _distance(
        **given, kernel=lambda x, y: right.polynomial_kernel(x, y, degree=1))),
    Mistake("kernel_inception_distance", "of all features, subsets ignored", lambda **given: _distance(**given | {
        "subsets_x": torch.arange(2).expand(len(given["subsets_x"]), 2),
        "subsets_y": torch.arange(2).expand(len(given["subsets_x"]), 2)})),
    Mistake("kernel_inception_distance", "the subsets' mean", lambda **given: (
        right.kernel_inception_distance(**given).mean().expand(len(given["subsets_x"])))),
    Mistake("kernel_inception_distance", "negative indices count from the end", _without_checks, only_checks=True),
    Mistake("kernel_inception_distance", "narrow indices select as a mask", lambda **given: _distance(**given | {
        name: given[name].bool() if given[name].dtype == torch.uint8 else given[name] for name in ("subsets_x", "subsets_y")}),
        narrow=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake("gaussian_kernel", "from all differences", _gaussian_of_differences),
    Mistake("unbiased_discrepancy", "the diagonals subtracted as traces", _unbiased_by_traces),
    Mistake("kernel_inception_distance", "subset after subset", _distance),
)
