"""Statistics of a whole batch, by which a discriminator sees samples that are too much alike.

Local names: B samples in a batch, M_i the image of sample i's features, g the size of a group.
"""

import jax
import jax.numpy as jnp
from flax import nnx

from theory_jax.adversarial.dcgan import leaky_rectifier
from theory_jax.arguments import require, require_positive, require_rank, require_values


def minibatch_discrimination(features, tensor):
    r"""o_if = sum_j exp(-sum_c |M_ifc - M_jfc|) with M_ifc = sum_a features_ia tensor_afc; j = i is included, so 1 <= o_if <= B.

    Raises ValueError if features does not have two axes, or the first of the three axes of tensor differs from their number.
    Source: Salimans et al. 2016, section 3.2.
    [B, A], [A, F, C] -> [B, F]
    """
    require_rank(2, features=features)
    require_rank(3, tensor=tensor)
    given, wanted = jnp.shape(tensor)[0], jnp.shape(features)[1]
    require(given == wanted, f"tensor has {given} rows; it must have one for each of the {wanted} features")
    images = jnp.einsum("ba,afc->bfc", features, tensor)
    return jnp.sum(jnp.exp(-jnp.sum(jnp.abs(images[:, None] - images), axis=-1)), axis=1)


def minibatch_standard_deviation(x, *, group_size, epsilon=1e-8):
    r"""x with one more channel: sqrt(v + epsilon), averaged over channels and pixels, v the biased variance of its group.

    Group n of B/g consists of the samples n, n + B/g, n + 2 B/g, ...; every g = group_size samples share one number.

    Raises ValueError if x does not have four axes, epsilon is not positive, or group_size is not positive or does not divide B.
    Source: Karras et al. 2018, section 3.
    [B, C, H, W] -> [B, C+1, H, W]
    """
    require_rank(4, x=x)
    require_positive(group_size=group_size, epsilon=epsilon)
    count, channels, height, width = jnp.shape(x)
    require(count % group_size == 0, f"group_size is {group_size}; it must divide the batch of {count}")
    require(channels * height * width > 0, f"x has shape {list(jnp.shape(x))}; an example must have an entry")
    groups = jnp.reshape(x, (group_size, count // group_size, channels, height, width))
    variance = jnp.mean((groups - jnp.mean(groups, axis=0)) ** 2, axis=0)
    statistic = jnp.tile(jnp.mean(jnp.sqrt(variance + epsilon), axis=(1, 2, 3)), group_size)
    return jnp.concatenate([x, jnp.broadcast_to(statistic[:, None, None, None], (count, 1, height, width))], axis=1)


def feature_matching_loss(features_real, features_fake):
    r"""|mean features_real - mean features_fake|^2, the means over the examples of each.

    Raises ValueError if features_real or features_fake holds no example, or their rows differ in length.
    Source: Salimans et al. 2016, section 3.1.
    [B, F], [M, F] -> []
    """
    require_rank(2, features_real=features_real, features_fake=features_fake)
    for name, features in (("features_real", features_real), ("features_fake", features_fake)):
        require(len(features) > 0, f"{name} holds no example")
    given, wanted = jnp.shape(features_fake)[1], jnp.shape(features_real)[1]
    require(given == wanted, f"features_fake has rows of {given} features; they must have the {wanted} of features_real")
    return jnp.sum((jnp.mean(features_real, axis=0) - jnp.mean(features_fake, axis=0)) ** 2)


def pull_away_term(features):
    r"""1/(B (B-1)) sum_{i != j} cos^2(features_i, features_j): 0 for orthogonal rows, 1 for parallel ones.

    Raises ValueError if features has fewer than two rows, or a row of zeros.  Source: Zhao, Mathieu & LeCun 2017, eq. 4.
    [B, D] -> []
    """
    require_rank(2, features=features)
    count = len(features)
    require(count >= 2, f"features has {count} rows; a pair needs 2")
    require_values("features", features, lambda rows: (rows != 0).any(axis=1, keepdims=True), "nonzero somewhere in its row")
    # by the largest entry first, so that no square overflows or vanishes
    rows = features / jnp.max(jnp.abs(features), axis=1, keepdims=True)
    rows = rows / jnp.sqrt(jnp.sum(rows**2, axis=1, keepdims=True))
    cosines = jnp.where(jnp.eye(count, dtype=bool), 0.0, rows @ rows.T)
    return jnp.sum(cosines**2) / (count * (count - 1))


# ---------------------------------------------------------------------------------------------------- the network


class BatchDiscriminator(nnx.Module):
    """Points [B, dim] -> logits [B] of being real: features, a statistic of the batch behind them, and a layer of both."""

    def __init__(self, *, dim, hidden, statistic, kernels, places, rngs: nnx.Rngs):
        kind = jnp.result_type(float)
        self.statistic = statistic
        self.first = nnx.Linear(dim, hidden, param_dtype=kind, rngs=rngs)
        extra = 0
        if statistic == "similarities":
            drawn = jax.random.normal(rngs.params(), (hidden, kernels, places), kind)
            self.tensor, extra = nnx.Param(drawn / hidden**0.5), kernels
        elif statistic == "deviation":
            extra = 1
        joint, last = (nnx.Linear(*pair, param_dtype=kind, rngs=rngs) for pair in ((hidden + extra, hidden), (hidden, 1)))
        self.rest = nnx.List([joint, leaky_rectifier, last])

    def __call__(self, points):
        features = leaky_rectifier(self.first(points))
        if self.statistic == "similarities":
            features = jnp.concatenate([features, minibatch_discrimination(features, self.tensor[...])], axis=1)
        elif self.statistic == "deviation":
            features = minibatch_standard_deviation(features[:, :, None, None], group_size=len(features))[:, :, 0, 0]
        for part in self.rest:
            features = part(features)
        return features[:, 0]
