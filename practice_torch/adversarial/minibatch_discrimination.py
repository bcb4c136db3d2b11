"""Statistics of whole batches against mode collapse: similarities, deviations within groups, mean features, squared cosines."""

from functools import partial

import torch
from torch import nn
from torch.nn.functional import leaky_relu

from practice_torch.arguments import require, require_positive, require_rank, require_values
from practice_torch.networks.perceptron import perceptron


def minibatch_discrimination(features, tensor):
    r"""o_if = sum_j exp(-sum_c |M_ifc - M_jfc|) with M_ifc = sum_a features_ia tensor_afc; j = i is included, so 1 <= o_if <= B.

    Raises ValueError if features does not have two axes, or the first of the three axes of tensor differs from their number.
    Source: Salimans et al. 2016, section 3.2.
    [B, A], [A, F, C] -> [B, F]
    """
    require_rank(2, features=features)
    require_rank(3, tensor=tensor)
    count, wanted = features.shape[1], tensor.shape[0]
    require(count == wanted, f"tensor has {wanted} rows; it must have one for each of the {count} features")
    images = torch.tensordot(features, tensor, dims=1)
    # not torch.cdist, whose gradient cannot be differentiated again
    similarities = (images.unsqueeze(1) - images.unsqueeze(0)).abs().sum(dim=-1).neg().exp()
    return similarities.sum(dim=1)


def minibatch_standard_deviation(x, *, group_size, epsilon=1e-8):
    r"""x with one more channel: sqrt(v + epsilon), averaged over channels and pixels, v the biased variance of its group.

    Group n of B/g consists of the samples n, n + B/g, n + 2 B/g, ...; every g = group_size samples share one number.

    Raises ValueError if x does not have four axes, epsilon is not positive, or group_size is not positive or does not divide B.
    Source: Karras et al. 2018, section 3.
    [B, C, H, W] -> [B, C+1, H, W]
    """
    require_rank(4, x=x)
    require_positive(group_size=group_size, epsilon=epsilon)
    batch = x.shape[0]
    require(batch % group_size == 0, f"group_size is {group_size}; it must divide the batch of {batch}")
    require(x[:1].numel() > 0 or batch == 0, f"x has shape {list(x.shape)}; an example must have an entry")
    groups = x.unflatten(0, (group_size, batch // group_size))
    spread = (groups - groups.mean(dim=0)).square().mean(dim=0).add(epsilon).sqrt()  # torch's var warns of an empty batch
    channel = spread.mean(dim=(1, 2, 3)).repeat(group_size).view(-1, 1, 1, 1)
    return torch.cat([x, channel.expand(-1, -1, *x.shape[2:])], dim=1)


def feature_matching_loss(features_real, features_fake):
    r"""|mean features_real - mean features_fake|^2, the means over the examples of each.

    Raises ValueError if features_real or features_fake holds no example, or their rows differ in length.
    Source: Salimans et al. 2016, section 3.1.
    [B, F], [M, F] -> []
    """
    require_rank(2, features_real=features_real, features_fake=features_fake)
    for name, features in (("features_real", features_real), ("features_fake", features_fake)):
        require(features.shape[0] > 0, f"{name} holds no example")
    lengths = features_real.shape[1], features_fake.shape[1]
    require(
        lengths[0] == lengths[1], f"features_fake has rows of {lengths[1]} features; those of features_real have {lengths[0]}"
    )
    return (features_real.mean(dim=0) - features_fake.mean(dim=0)).square().sum()


def pull_away_term(features):
    r"""1/(B (B-1)) sum_{i != j} cos^2(features_i, features_j): 0 for orthogonal rows, 1 for parallel ones.

    Raises ValueError if features has fewer than two rows, or a row of zeros.  Source: Zhao, Mathieu & LeCun 2017, eq. 4.
    [B, D] -> []
    """
    require_rank(2, features=features)
    count = features.shape[0]
    require(count >= 2, f"features has {count} rows; a pair needs 2")
    require_values("features", features, lambda rows: rows.ne(0).any(dim=1, keepdim=True), "nonzero somewhere in its row")
    unit = features / torch.linalg.vector_norm(features, dim=1, keepdim=True)
    return (unit @ unit.mT).fill_diagonal_(0.0).square().sum() / (count * (count - 1))


# ---------------------------------------------------------------------------------------------------- the network


class BatchDiscriminator(nn.Module):
    """Points to logits of being real, by their features and a statistic of the batch: "similarities" of minibatch discrimination
    (with this many kernels, each of the distance of `places` coordinates), the "deviation" of the features, or "none".

    [B, dim] -> [B]
    """

    def __init__(self, *, dim, hidden, statistic, kernels, places):
        super().__init__()
        self.statistic, self.first = statistic, nn.Linear(dim, hidden)
        extra = {"similarities": kernels, "deviation": 1, "none": 0}[statistic]
        if statistic == "similarities":
            self.tensor = nn.Parameter(torch.randn(hidden, kernels, places) * hidden**-0.5)
        self.rest = perceptron(hidden + extra, hidden, 1, activation=partial(nn.LeakyReLU, 0.2))

    def forward(self, points):
        """One logit a point; a batch holds real points alone or fakes alone."""
        features = leaky_relu(self.first(points), 0.2)
        if self.statistic == "similarities":
            features = torch.cat([features, minibatch_discrimination(features, self.tensor)], dim=1)
        elif self.statistic == "deviation":
            features = minibatch_standard_deviation(features[:, :, None, None], group_size=len(features)).flatten(1)
        return self.rest(features)[:, 0]
