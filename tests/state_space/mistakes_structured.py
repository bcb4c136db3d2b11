"""Wrong forms of S4's resolvents and kernels that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.state_space import structured as right
from practice_torch.state_space.convolution import convolution_kernel
from practice_torch.state_space.discretization import bilinear, forward_euler, zero_order_hold
from tests.support.mistakes import Mistake


def _resolvent(nodes, eigenvalues, low_rank, b, c, *, sign=1.0, conjugate=True, kept=True):
    right.low_rank_resolvent(nodes, eigenvalues, low_rank, b, c)  # for its checks
    product = lambda u, v: right.cauchy_product(nodes, eigenvalues, u * v)  # noqa: E731
    row, p = c.conj() if conjugate else c, low_rank.conj()
    correction = product(row, low_rank) * product(p, b) / (1 + sign * product(p, low_rank))
    return product(row, b) - (sign * correction if kept else 0 * correction)


def _dense_resolvent(nodes, eigenvalues, low_rank, b, c):
    system = torch.diag_embed(nodes[:, None] - eigenvalues) + torch.outer(low_rank, low_rank.conj())
    states = torch.linalg.solve(system, b.expand(len(nodes), -1)[..., None])[..., 0]
    return states @ c.conj()


def _unrolled(eigenvalues, low_rank, b, c, *, step_size, length, rule=bilinear, sign=1.0):
    """By the powers of the dense matrix."""
    a = eigenvalues.diag() - sign * torch.outer(low_rank, low_rank.conj())
    if rule is zero_order_hold:
        moving = torch.linalg.matrix_exp(step_size * a)
        driving = torch.linalg.solve(a, (moving - torch.eye(len(b)).to(a)) @ b[:, None])
    else:
        moving, driving = rule(a, b[:, None], step_size=step_size)
    return convolution_kernel(moving, driving[:, 0], c.conj(), length=length).real


def _by_transform(eigenvalues, low_rank, b, c, *, step_size, length, cut=True, turned=False, limit=True):
    """As the paper has it: the transform at g = 2/step (1 - w)/(1 + w), and its limit where w is -1."""
    right.structured_kernel(eigenvalues, low_rank, b, c, step_size=step_size, length=length)  # for its checks
    a = eigenvalues.diag() - torch.outer(low_rank, low_rank.conj())
    moving, _ = bilinear(a, b[:, None], step_size=step_size)
    power = torch.linalg.matrix_power(moving, length)
    row = c.conj() - c.conj() @ (power.mT if turned else power) if cut else c.conj()
    w = torch.polar(torch.ones(length).double(), -2 * torch.pi * torch.arange(length).double() / length)
    edge = 2 * torch.arange(length) == length
    w = torch.where(edge, 1.0, w).to(eigenvalues)
    nodes = 2 / step_size * (1 - w) / (1 + w)
    transform = 2 / (1 + w) * right.low_rank_resolvent(nodes, eigenvalues, low_rank, b, row.conj())
    return torch.fft.ifft(torch.where(edge, step_size / 2 * (row @ b) if limit else 0, transform)).real


MISTAKES = (
    Mistake("low_rank_vector", "LegS's B", lambda *, order: right.low_rank_vector(order=order) * 2**0.5),
    Mistake("low_rank_vector", "any order", lambda *, order: right.low_rank_vector(order=max(order, 1)), only_checks=True),
    Mistake("normal_part", "p p^T subtracted", lambda *, order: (
        right.normal_part(order=order) - 2 * torch.outer(*2 * [right.low_rank_vector(order=order)]))),
    Mistake("normal_part", "transposed", lambda *, order: right.normal_part(order=order).T.clone()),
    Mistake("normal_part", "without the diagonal", lambda *, order: right.normal_part(order=order).triu(1)
            + right.normal_part(order=order).tril(-1)),
    Mistake("cauchy_product", "the sign", lambda nodes, poles, weights: -right.cauchy_product(nodes, poles, weights)),
    Mistake("cauchy_product", "the sum of node and pole", lambda nodes, poles, weights: (
        (1 / (nodes[:, None] + poles)) @ weights)),
    Mistake("cauchy_product", "the weights' conjugate", lambda nodes, poles, weights: (
        right.cauchy_product(nodes, poles, weights.conj()))),
    Mistake("cauchy_product", "infinite at a pole", lambda nodes, poles, weights: (
        (1 / (nodes[:, None] - poles)) @ weights), only_checks=True),
    Mistake("low_rank_resolvent", "p p* with the other sign", lambda **given: _resolvent(**given, sign=-1.0)),
    Mistake("low_rank_resolvent", "c not conjugate", lambda **given: _resolvent(**given, conjugate=False)),
    Mistake("low_rank_resolvent", "without the low rank", lambda **given: _resolvent(**given, kept=False)),
    Mistake("structured_kernel", "p p* with the other sign", lambda **given: _unrolled(**given, sign=-1.0)),
    Mistake("structured_kernel", "the end not cut off", lambda **given: _by_transform(**given, cut=False)),
    Mistake("structured_kernel", "the power transposed", lambda **given: _by_transform(**given, turned=True)),
    Mistake("structured_kernel", "nothing at the node -1", lambda **given: _by_transform(**given, limit=False)),
    Mistake("structured_kernel", "c not conjugate", lambda eigenvalues, low_rank, b, c, *, step_size, length: (
        right.structured_kernel(eigenvalues, low_rank, b, c.conj(), step_size=step_size, length=length))),
    Mistake("structured_kernel", "the exact hold", lambda **given: _unrolled(**given, rule=zero_order_hold)),
    Mistake("structured_kernel", "forward Euler", lambda **given: _unrolled(**given, rule=forward_euler)),
)  # fmt: skip

EQUIVALENT = (
    Mistake("low_rank_resolvent", "by a dense solve", _dense_resolvent, core_alone=True),
    Mistake("structured_kernel", "by the powers of the matrix", _unrolled, core_alone=True),
    Mistake("structured_kernel", "by the resolvent and a limit", _by_transform),
)
