"""Kernel distances: squared maximum mean discrepancies of two samples, with and without bias, and the kernel Inception distance.

x and y are samples of features, [N, D] and [M, D]; a kernel matrix holds k of every pair of their rows.
"""

import torch

from practice_torch.arguments import (
    as_int64,
    require,
    require_at_least,
    require_integers,
    require_positive,
    require_rank,
    require_same_shape,
    require_shape,
    require_values,
    values_are_free,
)
from practice_torch.mathematics.pairs import distances

_ROWS = 1024  # of a kernel matrix at a time: the usual subset in one product, which is faster than several narrow ones


def polynomial_kernel(x, y, *, degree=3, coefficient=1.0):
    r"""k(x, y) = (x^T y / D + coefficient)^degree for every row of x and every row of y.

    Raises ValueError if the rows of x and y differ in length or hold no feature, degree < 1, or coefficient is negative.
    Source: Binkowski et al. 2018, section 4.
    [N, D], [M, D] -> [N, M]
    """
    _require_features(x=x, y=y)
    require_at_least(1, degree=degree)
    require_at_least(0, coefficient=coefficient)
    return (x @ y.mT / x.shape[1] + coefficient) ** degree


def gaussian_kernel(x, y, *, bandwidth):
    r"""k(x, y) = exp(-|x - y|^2 / (2 bandwidth^2)) for every row of x and every row of y.

    Raises ValueError if the rows of x and y differ in length or hold no feature, or bandwidth is not positive.
    Source: Gretton et al. 2012, section 3.
    [N, D], [M, D] -> [N, M]
    """
    _require_features(x=x, y=y)
    require_positive(bandwidth=bandwidth)
    return (-(distances(x, y) / bandwidth).square() / 2).exp()


def biased_discrepancy(kernel_xx, kernel_yy, kernel_xy):
    r"""mean k(x, x') + mean k(y, y') - 2 mean k(x, y) over all pairs: |mean phi(x) - mean phi(y)|^2, never negative.

    Raises ValueError if the shapes of kernel_xx, kernel_yy and kernel_xy do not fit, or there is no x or no y.
    Source: Gretton et al. 2012, eq. 5.
    [P, P], [Q, Q], [P, Q] -> []
    """
    _require_kernels(kernel_xx, kernel_yy, kernel_xy, lowest=1)
    return kernel_xx.mean() + kernel_yy.mean() - 2 * kernel_xy.mean()


def unbiased_discrepancy(kernel_xx, kernel_yy, kernel_xy):
    r"""The same without the pairs of a point with itself: divided by P(P-1) and Q(Q-1). Its expectation is MMD^2.

    It can be negative.

    Raises ValueError if the shapes of kernel_xx, kernel_yy and kernel_xy do not fit, or there are fewer than two x or two y.
    Source: Gretton et al. 2012, eq. 3.
    [P, P], [Q, Q], [P, Q] -> []
    """
    _require_kernels(kernel_xx, kernel_yy, kernel_xy, lowest=2)
    return _mean_of_others(kernel_xx) + _mean_of_others(kernel_yy) - 2 * kernel_xy.mean()


def kernel_inception_distance(features_x, features_y, subsets_x, subsets_y):
    r"""unbiased_discrepancy with the cubic kernel (x^T y / D + 1)^3, of each pair of subsets; their mean is reported.

    A row of subsets_x holds the indices of n rows of features_x.

    Raises ValueError if the rows of features_x and features_y differ in length or are empty, subsets_x and subsets_y differ in
    shape, one of them has fewer than two columns, or holds anything but indices of its features.
    Source: Binkowski et al. 2018, section 4.
    [P, D], [Q, D], [S, K], [S, K] -> [S]
    """
    _require_features(features_x=features_x, features_y=features_y)
    require_rank(2, subsets_x=subsets_x)
    require_same_shape(subsets_x=subsets_x, subsets_y=subsets_y)
    require_integers(subsets_x=subsets_x, subsets_y=subsets_y)
    require(subsets_x.shape[1] > 1, f"subsets_x has shape {list(subsets_x.shape)}; a subset must hold at least two indices")
    for name, subsets, features in (("subsets_x", subsets_x, features_x), ("subsets_y", subsets_y, features_y)):
        count = len(features)
        require_values(name, subsets, lambda i, n=count: (i >= 0) & (i < n), f"the index of a row of features, 0..{count - 1}")
    scores, size = [features_x.new_empty(0)], (subsets_x.shape[1], features_x.shape[1])
    # all pairs of subsets in the same memory: freed and taken again, the heap would grow to several times as much
    kept = _plain(features_x, features_y)
    rooms = [part.new_empty(size) if kept else None for part in (features_x, features_y)]
    for of_x, of_y in zip(as_int64(subsets_x), as_int64(subsets_y), strict=True):
        x = torch.index_select(features_x, 0, of_x, out=rooms[0])
        y = torch.index_select(features_y, 0, of_y, out=rooms[1])
        scores.append(_cubic_discrepancy(x, y).reshape(1))
    return torch.cat(scores)


def _cubic_discrepancy(x, y):
    """unbiased_discrepancy with the cubic kernel."""
    between = sum(_cubic_kernel(some, y).sum() for some in x.split(_ROWS)) / (len(x) * len(y))
    return _mean_cubic_of_others(x) + _mean_cubic_of_others(y) - 2 * between


def _mean_cubic_of_others(x):
    """The mean of the cubic kernel over pairs of different rows of x, from the half of its matrix that is below the diagonal."""
    pairs = len(x) * (len(x) - 1) / 2
    parts = x.split(_ROWS)
    themselves = sum(_cubic_kernel(part, part).tril(-1).sum() for part in parts)  # NumPy computes one triangle of part part^T
    before = sum(_cubic_kernel(part, x[: place * _ROWS]).sum() for place, part in enumerate(parts) if place)
    return (themselves + before) / pairs


def _cubic_kernel(x, y):
    """polynomial_kernel; of numbers on a CPU in one piece of memory, by NumPy's OpenBLAS, which is faster than MKL on AMD's."""
    if not _plain(x, y):
        return polynomial_kernel(x, y)
    kernel = torch.from_numpy(x.numpy() @ y.numpy().T)
    return kernel.div_(x.shape[1]).add_(1).pow_(3)


def _plain(x, y):
    """Whether both are numbers on a CPU, without gradients."""
    return not (x.requires_grad or y.requires_grad) and values_are_free(x) and values_are_free(y)


def _mean_of_others(kernel):
    itself = torch.eye(len(kernel), dtype=torch.bool, device=kernel.device)
    return kernel.masked_fill(itself, 0.0).sum() / (len(kernel) * (len(kernel) - 1))


def _require_features(**features):
    require_rank(2, **features)
    (first, x), (second, y) = features.items()
    require(x.shape[1] > 0, f"{first} has shape {list(x.shape)}; its rows must hold at least one feature")
    width = x.shape[1]
    require(y.shape[1] == width, f"{second} has rows of {y.shape[1]}; they must have {width} entries, as those of {first}")


def _require_kernels(kernel_xx, kernel_yy, kernel_xy, lowest):
    require_rank(2, kernel_xy=kernel_xy)
    rows, columns = kernel_xy.shape
    require(min(rows, columns) >= lowest, f"kernel_xy has shape {[rows, columns]}; it must be at least {lowest} by {lowest}")
    require_shape((rows, rows), kernel_xx=kernel_xx)
    require_shape((columns, columns), kernel_yy=kernel_yy)
