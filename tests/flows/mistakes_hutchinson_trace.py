"""Wrong forms of Hutchinson's estimator that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.flows import hutchinson_trace as right
from tests.support.mistakes import Mistake


def _jacobians(x, fn):
    """The Jacobian of every example, flattened: [B, D, D]."""
    size = x.shape[1:].numel()
    if len(x) == 0:
        return x.new_zeros(0, size, size)
    whole = torch.autograd.functional.jacobian(fn, x, create_graph=True)
    return torch.stack([whole[n].reshape(size, *x.shape)[:, n].reshape(size, size) for n in range(len(x))])


def _divergence(of_matrix):
    def wrong(x, fn):
        right.exact_divergence(x, fn)  # for its checks
        return of_matrix(_jacobians(x, fn))

    return wrong


def _estimate(of_products, reduce=lambda values: values.mean(0)):
    """of_products(p, J p) of every probe, [P, B, D] each -> [P, B]."""

    def wrong(x, probes, fn):
        right.hutchinson_divergence(x, probes, fn)  # for its checks
        rows = probes.reshape(len(probes), len(x), -1)
        return reduce(of_products(rows, torch.einsum("bij,pbj->pbi", _jacobians(x, fn), rows)))

    return wrong


def _of_the_first(x, probes, fn):
    right.hutchinson_divergence(x, probes, fn)  # for its checks
    return right.hutchinson_divergence(x, probes[:, :1].expand_as(probes), fn)


def _forward(x, probes, fn):
    right.hutchinson_divergence(x, probes, fn)  # for its checks
    pushed = [torch.func.jvp(fn, (x,), (probe,))[1] for probe in probes]
    return torch.stack([(p * q).reshape(len(x), -1 if len(x) else 1).sum(1) for p, q in zip(probes, pushed, strict=True)]).mean(0)


def _variance(symmetric, gaussian=lambda s: 2 * s.square().sum((1, 2)), signs=None):
    def wrong(jacobian, *, kind):
        right.hutchinson_variance(jacobian, kind=kind)  # for its checks
        s = symmetric(jacobian)
        diagonal = s.diagonal(dim1=1, dim2=2).square().sum(1)
        return gaussian(s) if kind == "gaussian" else gaussian(s) - 2 * diagonal if signs is None else signs(s)

    return wrong


def _half(jacobian):
    return (jacobian + jacobian.mT) / 2


def _entries(x):
    return max(1, x.shape[1:].numel())


MISTAKES = (
    Mistake("exact_divergence", "all entries", _divergence(lambda jacobian: jacobian.sum((1, 2)))),
    Mistake("exact_divergence", "the mean of the diagonal", lambda x, fn: right.exact_divergence(x, fn) / _entries(x)),
    Mistake("exact_divergence", "no gradient", lambda x, fn: right.exact_divergence(x, fn).detach() + 0 * x.sum()),
    Mistake("hutchinson_divergence", "the sum over probes",
            lambda x, probes, fn: right.hutchinson_divergence(x, probes, fn) * len(probes)),
    Mistake("hutchinson_divergence", "the squared length", _estimate(lambda p, q: (q * q).sum(2))),
    Mistake("hutchinson_divergence", "the first probe alone", _estimate(lambda p, q: (p * q).sum(2), lambda values: values[0])),
    Mistake("hutchinson_divergence", "normalized", _estimate(lambda p, q: (p * q).mean(2) * 3)),
    Mistake("hutchinson_divergence", "the first example's probes for all", _of_the_first),
    Mistake("hutchinson_divergence", "no gradient through the probes",
            lambda x, probes, fn: right.hutchinson_divergence(x, probes.detach(), fn)),
    Mistake("rademacher_from_uniforms", "turned over", lambda u: -right.rademacher_from_uniforms(u)),
    Mistake("rademacher_from_uniforms", "uniform on [-1, 1]", lambda u: 2 * u - 1 + 0 * right.rademacher_from_uniforms(u)),
    Mistake("rademacher_from_uniforms", "the middle is -1",
            lambda u: torch.where(u <= 0.5, -right.rademacher_from_uniforms(u).abs(), 1.0)),
    Mistake("rademacher_from_uniforms", "the sign about 1/2, which may be 0",
            lambda u: torch.sign(u - 0.5) + 0 * right.rademacher_from_uniforms(u)),
    Mistake("hutchinson_variance", "not symmetrized", _variance(lambda jacobian: jacobian)),
    Mistake("hutchinson_variance", "without the 2", _variance(_half, lambda s: s.square().sum((1, 2)))),
    Mistake("hutchinson_variance", "signs as normal numbers", _variance(_half, signs=lambda s: 2 * s.square().sum((1, 2)))),
    Mistake("hutchinson_variance", "the square of the trace left out", _variance(
        _half, signs=lambda s: 2 * s.square().sum((1, 2)) - 2 / s.shape[1] * s.diagonal(dim1=1, dim2=2).sum(1).square())),
)  # fmt: skip

EQUIVALENT = (
    Mistake(
        "exact_divergence", "from the whole Jacobian", _divergence(lambda jacobian: jacobian.diagonal(dim1=1, dim2=2).sum(1))
    ),
    Mistake("hutchinson_divergence", "forward products", _forward),
    Mistake("rademacher_from_uniforms", "by rounding", lambda u: 2 * (right.rademacher_from_uniforms(u) > 0).to(u.dtype) - 1),
    Mistake(
        "hutchinson_variance",
        "by its parts",
        _variance(_half, lambda s: 2 * torch.einsum("bij,bji->b", s, s), lambda s: 4 * s.tril(-1).square().sum((1, 2))),
    ),
)
