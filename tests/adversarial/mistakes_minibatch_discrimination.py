"""Wrong forms of statistics of a batch that the rows must refuse, and other right forms that they must accept."""

import torch
from torch.nn import functional

from practice_torch.adversarial import minibatch_discrimination as right
from tests.support.mistakes import Mistake, after_checks


def _checked(function, name, wrong):
    """A wrong form behind the right one's checks."""
    return Mistake(function, name, after_checks(right, function, wrong))


def _similarities(order=1.0, own=True, mean=False, kernels_apart=True, other_axis=False):
    def wrong(features, tensor):
        images = torch.einsum("ba,acf->bfc" if other_axis else "ba,afc->bfc", features, tensor)
        apart = images[:, None] - images[None]
        if not kernels_apart:
            apart = apart.flatten(2)[:, :, None].expand(-1, -1, tensor.shape[1], -1)
        if order == 1:
            distances = apart.abs().sum(-1)
        else:
            distances = apart.square().sum(-1)
            if order == 2:
                distances = torch.where(distances > 0, torch.where(distances > 0, distances, 1.0).sqrt(), 0.0)
        found = torch.exp(-distances).sum(1) - (0 if own else 1)
        return found / len(features) if mean else found

    return wrong


def _deviations(strided=True, biased=True, inside=True, root=True, one=False, pixels=True, put=None, tiled=True):
    def wrong(x, *, group_size, epsilon=1e-8):
        g = len(x) if one else group_size
        groups = x.unflatten(0, (g, -1)) if strided else x.unflatten(0, (-1, g)).transpose(0, 1)
        count = g if biased else max(g - 1, 1)
        variance = (groups - groups.mean(0)).square().sum(0) / count
        if not root:
            spread = variance + epsilon
        elif inside:
            spread = (variance + epsilon).sqrt()
        else:
            spread = torch.where(variance > 0, torch.where(variance > 0, variance, 1.0).sqrt(), 0.0) + epsilon
        if not pixels:
            spread = (variance.mean((1, 2, 3)) + epsilon).sqrt()
        statistic = spread.flatten(1).mean(1) if pixels else spread
        statistic = statistic.repeat(g) if strided and tiled else statistic.repeat_interleave(g)
        channel = statistic.view(-1, 1, 1, 1).expand(-1, 1, *x.shape[2:])
        return torch.cat([channel, x] if put == "first" else [x, channel], 1)

    return wrong


def _cosines(own=False, power=2, count=None, normalized=True):
    def wrong(features):
        rows = functional.normalize(features, dim=1) if normalized else features
        products = rows @ rows.mT
        if not own:
            products = products - torch.diag(products.diagonal())
        total = products.pow(power).sum()
        n = len(features)
        return total / (count(n) if count else n * (n - 1))

    return wrong


MINI, DEVIATION, MATCH, PULL = (
    "minibatch_discrimination", "minibatch_standard_deviation", "feature_matching_loss", "pull_away_term"
)  # fmt: skip
MISTAKES = (
    _checked(MINI, "without itself", _similarities(own=False)),
    _checked(MINI, "Euclidean distance", _similarities(order=2)),
    _checked(MINI, "squared distance", _similarities(order=3)),
    _checked(MINI, "mean over the batch", _similarities(mean=True)),
    _checked(MINI, "one kernel for all", _similarities(kernels_apart=False)),
    _checked(MINI, "of the features themselves", lambda features, tensor: torch.exp(
        -(features[:, None] - features).abs().sum(-1)).sum(1, keepdim=True).expand(-1, tensor.shape[1])),
    _checked(MINI, "no exponential", lambda features, tensor: torch.cdist(
        torch.einsum("ba,afc->fbc", features, tensor), torch.einsum("ba,afc->fbc", features, tensor), p=1).sum(-1).T),
    _checked(MINI, "the others detached", lambda features, tensor: torch.exp(-(
        torch.einsum("ba,afc->bfc", features, tensor)[:, None]
        - torch.einsum("ba,afc->bfc", features.detach(), tensor)).abs().sum(-1)).sum(1)),
    Mistake(MINI, "any shapes", _similarities(), only_checks=True),
    _checked(DEVIATION, "contiguous groups", _deviations(strided=False)),
    _checked(DEVIATION, "unbiased", _deviations(biased=False)),
    _checked(DEVIATION, "epsilon outside the root", _deviations(inside=False)),
    _checked(DEVIATION, "the variance", _deviations(root=False)),
    _checked(DEVIATION, "one group", _deviations(one=True)),
    _checked(DEVIATION, "the root of the mean variance", _deviations(pixels=False)),
    _checked(DEVIATION, "the channel first", _deviations(put="first")),
    _checked(DEVIATION, "given back to other groups", _deviations(tiled=False)),
    _checked(DEVIATION, "epsilon ignored", lambda x, *, group_size, epsilon=1e-8: right.minibatch_standard_deviation(
        x, group_size=group_size)),
    _checked(DEVIATION, "no gradient through the channel", lambda x, *, group_size, epsilon=1e-8: torch.cat(
        [x, right.minibatch_standard_deviation(x, group_size=group_size, epsilon=epsilon)[:, x.shape[1]:].detach()], 1)),
    Mistake(DEVIATION, "any epsilon", lambda x, *, group_size, epsilon=1e-8: right.minibatch_standard_deviation(
        x, group_size=group_size, epsilon=epsilon or 1e-8), only_checks=True),
    _checked(MATCH, "mean over the features", lambda features_real, features_fake: (
        features_real.mean(0) - features_fake.mean(0)).square().mean()),
    _checked(MATCH, "the norm", lambda features_real, features_fake: (features_real.mean(0) - features_fake.mean(0)).norm()),
    _checked(MATCH, "absolute differences", lambda features_real, features_fake: (
        features_real.mean(0) - features_fake.mean(0)).abs().sum()),
    _checked(MATCH, "sums for means", lambda features_real, features_fake: (
        features_real.sum(0) - features_fake.sum(0)).square().sum()),
    _checked(MATCH, "pair by pair", lambda features_real, features_fake: (
        features_real[:, None] - features_fake).square().sum(-1).mean()),
    _checked(MATCH, "fakes detached", lambda features_real, features_fake: right.feature_matching_loss(
        features_real, features_fake.detach())),
    Mistake(MATCH, "any shapes", lambda features_real, features_fake: (
        features_real.mean(0) - features_fake.mean(0)).square().sum(), only_checks=True),
    _checked(PULL, "with the diagonal", _cosines(own=True)),
    _checked(PULL, "not squared", _cosines(power=1)),
    _checked(PULL, "over B squared", _cosines(count=lambda n: n * n)),
    _checked(PULL, "pairs counted once", _cosines(count=lambda n: 2 * n * (n - 1))),
    _checked(PULL, "a sum", _cosines(count=lambda n: 1)),
    _checked(PULL, "inner products", _cosines(normalized=False)),
    _checked(PULL, "columns for rows", lambda features: _cosines()(features.mT)),
    Mistake(PULL, "rows of zeros", _cosines(), only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    _checked(MINI, "by einsum", _similarities()),
    _checked(DEVIATION, "by hand", _deviations()),
    _checked(MATCH, "torch's squared error", lambda features_real, features_fake: functional.mse_loss(
        features_real.mean(0), features_fake.mean(0), reduction="sum")),
    _checked(PULL, "torch's cosines", lambda features: (functional.cosine_similarity(features[:, None], features, dim=-1).square()
        * (1 - torch.eye(len(features), dtype=features.dtype))).sum() / (len(features) * (len(features) - 1))),
)  # fmt: skip
