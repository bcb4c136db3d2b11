"""Wrong forms of Frechet distances that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.evaluation import frechet_distance as right
from tests.support.mistakes import Mistake


def _statistics(features, less=1, center=True):
    right.gaussian_statistics(features)  # its checks
    mean = features.mean(0)
    rows = features - mean if center else features
    return mean, rows.mT @ rows / (len(features) - less)


def _of(mean_x, covariance_x, mean_y, covariance_y, trace):
    right.frechet_distance(mean_x, covariance_x, mean_y, covariance_y)  # its checks
    return (mean_x - mean_y).square().sum() + covariance_x.trace() + covariance_y.trace() - 2 * trace(covariance_x, covariance_y)


def _trace(a, b):
    zero = a.new_zeros(len(a))
    return (a.trace() + b.trace() - right.frechet_distance(zero, a, zero, b)) / 2


def _root(a):
    values, vectors = torch.linalg.eigh((a + a.mT) / 2)
    return vectors * values.clamp(min=0).sqrt() @ vectors.mT


def _by_eigenvectors(a, b):
    """Its slope is NaN where eigenvalues are equal."""
    return torch.linalg.eigvalsh(_root(a) @ b @ _root(a)).clamp(min=0).sqrt().sum()


def _one_triangle(a, b):
    """Reads the lower triangles alone, so the slope has no share in the upper ones."""
    lower = [torch.tril(c) + torch.tril(c, -1).mT for c in (a, b)]
    return _trace(*lower)


def _centered_by_products(features):
    right.gaussian_statistics(features)
    mean = features.mean(0)
    return mean, (features.mT @ features - len(features) * mean[:, None] * mean) / (len(features) - 1)


def _line(sample_sizes, distances, of=lambda n: 1 / n):
    right.extrapolate_to_infinity(sample_sizes, distances)  # its checks
    places = of(sample_sizes.to(distances.dtype))
    design = torch.stack([torch.ones_like(places), places], dim=1)
    return torch.linalg.lstsq(design, distances[:, None]).solution[0, 0]


def _by_normal_equations(sample_sizes, distances):
    right.extrapolate_to_infinity(sample_sizes, distances)
    x = 1 / sample_sizes.to(distances.dtype)
    weights = ((x**2).mean() - x * x.mean()) / (x - x.mean()).square().sum()
    return (weights * distances).sum()


MISTAKES = (
    Mistake("gaussian_statistics", "divided by N", lambda features: _statistics(features, less=0)),
    Mistake("gaussian_statistics", "not centered", lambda features: _statistics(features, center=False)),
    Mistake("gaussian_statistics", "squares less the mean's, which cancel", _centered_by_products),
    Mistake("gaussian_statistics", "the mean is not differentiated", lambda features: (
        _statistics(features)[0].detach(), _statistics(features)[1])),
    Mistake("gaussian_statistics", "one row is enough", lambda features: (
        features.mean(0), (features - features.mean(0)).mT @ (features - features.mean(0)) / max(1, len(features) - 1)),
        only_checks=True),
    Mistake("frechet_distance", "roots of the entries", lambda **given: _of(
        **given, trace=lambda a, b: (a @ b).clamp(min=1e-12).sqrt().trace())),
    Mistake("frechet_distance", "the trace of the root once", lambda **given: _of(
        **given, trace=lambda a, b: _trace(a, b) / 2)),
    Mistake("frechet_distance", "root of A times root of B", lambda **given: _of(
        **given, trace=lambda a, b: (_root(a) @ _root(b)).trace())),
    Mistake("frechet_distance", "diagonals alone", lambda **given: _of(
        **given, trace=lambda a, b: (a.diagonal() * b.diagonal()).clamp(min=0).sqrt().sum())),
    Mistake("frechet_distance", "slopes by eigenvectors", lambda **given: _of(**given, trace=_by_eigenvectors)),
    Mistake("frechet_distance", "one triangle alone", lambda **given: _of(**given, trace=_one_triangle)),
    Mistake("frechet_distance", "its root", lambda **given: right.frechet_distance(**given).clamp(min=1e-12).sqrt()),
    Mistake("frechet_distance", "the means alone", lambda **given: (
        right.frechet_distance(**given) * 0 + (given["mean_x"] - given["mean_y"]).square().sum())),
    Mistake("frechet_distance", "the distance of the means is not squared", lambda **given: (
        right.frechet_distance(**given | {"mean_y": given["mean_x"]}) + (given["mean_x"] - given["mean_y"]).norm())),
    Mistake("frechet_distance", "asymmetric matrices are mended", lambda **given: right.frechet_distance(**given | {
        name: (given[name] + given[name].mT) / 2 if given[name].shape[0] == given[name].shape[-1] else given[name]
        for name in ("covariance_x", "covariance_y")}), only_checks=True),
    Mistake("frechet_feature_distance", "covariances divided by N", lambda features_x, features_y: (
        right.frechet_feature_distance(features_x, features_y) * 0
        + right.frechet_distance(*_statistics(features_x, less=0), *_statistics(features_y, less=0)))),
    Mistake("frechet_feature_distance", "diagonals alone", lambda features_x, features_y: (
        right.frechet_feature_distance(features_x, features_y) * 0
        + right.diagonal_frechet_distance(*(
            part[None] for x in (features_x, features_y) for part in (x.mean(0), x.var(0).log())))[0])),
    Mistake("frechet_feature_distance", "its root", lambda features_x, features_y: (
        right.frechet_feature_distance(features_x, features_y).clamp(min=1e-12).sqrt())),
    Mistake("diagonal_frechet_distance", "variances for deviations", lambda mean_x, log_var_x, mean_y, log_var_y: (
        right.diagonal_frechet_distance(mean_x, 2 * log_var_x, mean_y, 2 * log_var_y))),
    Mistake("diagonal_frechet_distance", "log-deviations for log-variances", lambda mean_x, log_var_x, mean_y, log_var_y: (
        right.diagonal_frechet_distance(mean_x, 2 * log_var_x, mean_y, log_var_y))),
    Mistake("diagonal_frechet_distance", "the mean over the dimensions", lambda mean_x, log_var_x, mean_y, log_var_y: (
        right.diagonal_frechet_distance(mean_x, log_var_x, mean_y, log_var_y) / mean_x.shape[1])),
    Mistake("diagonal_frechet_distance", "the sum over the batch", lambda mean_x, log_var_x, mean_y, log_var_y: (
        right.diagonal_frechet_distance(mean_x, log_var_x, mean_y, log_var_y).sum().expand(len(mean_x)))),
    Mistake("extrapolate_to_infinity", "against N", lambda sample_sizes, distances: _line(sample_sizes, distances, lambda n: n)),
    Mistake("extrapolate_to_infinity", "against the root of 1/N", lambda sample_sizes, distances: (
        _line(sample_sizes, distances, lambda n: n**-0.5))),
    Mistake("extrapolate_to_infinity", "the mean", lambda sample_sizes, distances: (
        right.extrapolate_to_infinity(sample_sizes, distances) * 0 + distances.mean())),
    Mistake("extrapolate_to_infinity", "the largest sample's", lambda sample_sizes, distances: (
        right.extrapolate_to_infinity(sample_sizes, distances) * 0 + distances[sample_sizes.long().argmax()])),
    Mistake("extrapolate_to_infinity", "a size of one passes", lambda sample_sizes, distances: (
        right.extrapolate_to_infinity(torch.where(sample_sizes == 1, 2, sample_sizes), distances)), only_checks=True),
    Mistake("extrapolate_to_infinity", "twice the sizes, in their width", lambda sample_sizes, distances: (
        right.extrapolate_to_infinity((2 * sample_sizes).long(), distances)),
        narrow=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake(
        "gaussian_statistics",
        "by torch.cov",
        lambda features: (right.gaussian_statistics(features)[0], torch.cov(features.mT).reshape(features.shape[1], -1)),
    ),
    Mistake("extrapolate_to_infinity", "as a weighted sum", _by_normal_equations),
)
