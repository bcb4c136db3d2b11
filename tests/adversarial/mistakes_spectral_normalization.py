"""Wrong forms of spectral normalization that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.adversarial import spectral_normalization as right
from tests.support.mistakes import Mistake


def _iterate(weight, u, *, iterations=1, normalized=True, transposed=False, ahead=False):
    right.power_iteration(weight, u, iterations=iterations)  # for its checks
    unit = (lambda x: x / x.norm()) if normalized else (lambda x: x)
    back = weight if transposed else weight.mT
    for _ in range(iterations):
        v = unit(back @ u)
        u = unit(back.mT @ v)
    return u, unit(weight.mT @ u) if ahead else v


def _square(weight):
    return weight.shape[0] == weight.shape[1]


def _by_detached_estimate(weight, u, v):
    return weight / right.spectral_norm_estimate(weight, u, v).detach()


def _by_moving_vectors(weight, u, v):
    right.spectral_normalize(weight, u, v)  # for its checks
    return weight / right.spectral_norm_estimate(weight, u, v)


def _product(weights, norm):
    right.lipschitz_bound(weights)  # for its checks
    return torch.stack([norm(weight) for weight in weights]).prod()


MISTAKES = (
    Mistake("power_iteration", "not normalized",
            lambda weight, u, *, iterations=1: _iterate(weight, u, iterations=iterations, normalized=False)),
    Mistake("power_iteration", "one iteration, however many are requested",
            lambda weight, u, *, iterations=1: right.power_iteration(weight, u)),
    Mistake("power_iteration", "v of the new u",
            lambda weight, u, *, iterations=1: _iterate(weight, u, iterations=iterations, ahead=True)),
    Mistake("power_iteration", "W for its transpose", lambda weight, u, *, iterations=1: _iterate(
        weight, u, iterations=iterations, transposed=_square(weight))),
    Mistake("power_iteration", "v before u", lambda weight, u, *, iterations=1: right.power_iteration(
        weight, u, iterations=iterations)[::-1]),
    Mistake("power_iteration", "constants", lambda weight, u, *, iterations=1: tuple(
        part.detach() + 0 * weight.sum() for part in right.power_iteration(weight, u, iterations=iterations))),
    Mistake("power_iteration", "a zero start passes", lambda weight, u, *, iterations=1: _iterate(
        weight, u, iterations=iterations) if (weight.mT @ u).any() else (u, weight[0]), only_checks=True),
    Mistake("spectral_norm_estimate", "transposed", lambda weight, u, v: right.spectral_norm_estimate(
        weight.mT if _square(weight) else weight, u, v)),
    Mistake("spectral_norm_estimate", "the length of W v", lambda weight, u, v: (
        right.spectral_norm_estimate(weight, u, v) * 0 + (weight @ v).norm())),
    Mistake("spectral_norm", "Frobenius", lambda weight: right.spectral_norm(weight) * 0 + weight.norm()),
    Mistake("spectral_norm", "not rooted", lambda weight: right.spectral_norm(weight) ** 2),
    Mistake("spectral_norm", "the smallest", lambda weight: (
        right.spectral_norm(weight) * 0 + torch.linalg.svdvals(weight)[-1])),
    Mistake("spectral_norm", "the largest sum of a row", lambda weight: (
        right.spectral_norm(weight) * 0 + weight.abs().sum(1).amax())),
    Mistake("spectral_norm", "a constant", lambda weight: right.spectral_norm(weight).detach() + 0 * weight.sum()),
    Mistake("spectral_normalize", "the norm a constant", _by_detached_estimate),
    Mistake("spectral_normalize", "the vectors move", _by_moving_vectors),
    Mistake("spectral_normalize", "by the Frobenius norm",
            lambda weight, u, v: right.spectral_normalize(weight, u, v) * 0 + weight / weight.norm()),
    Mistake("spectral_normalize", "by the exact norm",
            lambda weight, u, v: right.spectral_normalize(weight, u, v) * 0 + weight / right.spectral_norm(weight)),
    Mistake("spectral_normalize", "a negative estimate passes", (
        lambda weight, u, v: weight / right.spectral_norm_estimate(weight, u.detach(), v.detach())), only_checks=True),
    Mistake("lipschitz_bound", "the sum", lambda weights: sum(map(right.spectral_norm, weights)) * (
        right.lipschitz_bound(weights).detach() * 0 + 1)),
    Mistake("lipschitz_bound", "Frobenius", lambda weights: _product(weights, torch.linalg.matrix_norm)),
    Mistake("lipschitz_bound", "the last layer alone", lambda weights: right.lipschitz_bound(weights) * 0 + right.spectral_norm(
        weights[-1])),
    Mistake("lipschitz_bound", "any order passes",
            lambda weights: torch.stack([right.spectral_norm(weight) for weight in weights]).prod(), only_checks=True),
)  # fmt: skip


def _by_matrix_of_squares(weight, u, *, iterations=1):
    """Powers of W^T W, normalized at the end."""
    right.power_iteration(weight, u, iterations=iterations)  # for its checks
    v = weight.mT @ u
    for _ in range(iterations - 1):
        v = weight.mT @ (weight @ (v / v.norm()))
    v = v / v.norm()
    return torch.nn.functional.normalize(weight @ v, dim=0), v


EQUIVALENT = (
    Mistake("power_iteration", "by W^T W", _by_matrix_of_squares),
    Mistake("spectral_norm", "torch's singular values", lambda weight: torch.linalg.svdvals(weight)[0], core_alone=True),
    Mistake(
        "spectral_normalize",
        "by the matrix of u v^T",
        lambda weight, u, v: weight / (weight * torch.outer(u, v).detach()).sum(),
        core_alone=True,
    ),
)
