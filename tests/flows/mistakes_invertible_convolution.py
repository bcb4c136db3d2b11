"""Wrong invertible convolutions that the rows must refuse, and other right ones."""

import torch
from torch.nn import functional

from practice_torch.flows import invertible_convolution as right
from tests.support.mistakes import Mistake


def _with_log_det(x, weight, log_det):
    z, found = right.forward(x, weight)
    return z, log_det(found)


def _positions(x):
    return max(1, x[0, 0].numel()) if len(x) else 1


def _unchecked(permutation, lower, upper, log_diagonal, sign):
    """A place twice, and a sign of 0: the matrix is singular."""
    unit = lower.tril(-1) + torch.eye(len(lower), dtype=lower.dtype)
    clamped = log_diagonal.clamp(-700, 700)
    return (unit @ (upper.triu(1) + torch.diag(sign * clamped.exp())))[permutation.long().clamp(0, len(lower) - 1)]


def _turned_around(permutation, lower, upper, log_diagonal, sign):
    return right.assemble(permutation.long().argsort(), lower, upper, log_diagonal, sign)


def _whole_triangles(permutation, lower, upper, log_diagonal, sign):
    """Entries above the diagonal of lower are read."""
    right.assemble(permutation, lower, upper, log_diagonal, sign)
    eye = torch.eye(len(lower), dtype=lower.dtype)
    return ((lower - torch.diag(lower.diagonal()) + eye) @ (upper.triu(1) + torch.diag(sign * log_diagonal.exp())))[
        permutation.long()
    ]


def _diagonal_twice(permutation, lower, upper, log_diagonal, sign):
    return right.assemble(permutation, lower, upper, log_diagonal, sign) + torch.diag(upper.diagonal())[permutation.long()]


def _by_conv2d(x, weight):
    """As images: torch's convolution with a kernel of 1x1."""
    _, log_det = right.forward(x, weight)
    kernel = weight[:, :, None, None]
    return functional.conv2d(x.reshape(len(x), len(weight), -1, 1) if len(x) else x, kernel).reshape(x.shape), log_det


MISTAKES = (
    Mistake("forward", "transposed", lambda x, weight: right.forward(x, weight.T)),
    Mistake("forward", "log-determinant of one position", lambda x, weight: _with_log_det(
        x, weight, lambda found: found / _positions(x))),
    Mistake("forward", "the signed determinant", lambda x, weight: _with_log_det(
        x, weight, lambda found: (torch.linalg.det(weight).log() * _positions(x)).expand(len(x)))),
    Mistake("forward", "a singular matrix is mended", lambda x, weight: right.forward(
        x, weight + 1e-3 * torch.eye(len(weight), dtype=weight.dtype)
        if weight.ndim == 2 and weight.shape[0] == weight.shape[1] and torch.linalg.det(weight) == 0 else weight),
            only_checks=True),
    Mistake("inverse", "the transpose", lambda z, weight: (right.forward(z, weight.T)[0], right.inverse(z, weight)[1])),
    Mistake("inverse", "the transposed inverse", lambda z, weight: right.inverse(z, weight.T)),
    Mistake("inverse", "the log-determinant of forward", lambda z, weight: (
        right.inverse(z, weight)[0], -right.inverse(z, weight)[1])),
    Mistake("decompose", "the permutation turned around", lambda weight: (
        right.decompose(weight)[0].argsort(), *right.decompose(weight)[1:])),
    Mistake("decompose", "the diagonal in upper", lambda weight: (
        *right.decompose(weight)[:2], torch.linalg.lu(weight).U, *right.decompose(weight)[3:])),
    Mistake("decompose", "the diagonal itself", lambda weight: (
        *right.decompose(weight)[:3], right.decompose(weight)[3].exp(), right.decompose(weight)[4])),
    Mistake("assemble", "the permutation turned around", _turned_around),
    Mistake("assemble", "both triangles are read", _whole_triangles),
    Mistake("assemble", "the diagonal of upper added", _diagonal_twice),
    Mistake("assemble", "no sign", lambda permutation, lower, upper, log_diagonal, sign: (
        right.assemble(permutation, lower, upper, log_diagonal, sign.abs()))),
    Mistake("assemble", "checks nothing", _unchecked, only_checks=True),
)  # fmt: skip

EQUIVALENT = (Mistake("forward", "a convolution of torch", _by_conv2d, core_alone=True),)
