"""The factor-VAE (lecture 22): a penalty on the dependence of a code's coordinates alone, and a score that tells how well they
follow the factors of the data.
"""

import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import (
    require,
    require_at_least,
    require_integers,
    require_rank,
    require_same_shape,
    require_shape,
    require_values,
    widened,
)


def permute_latents(z, permutations):
    r"""z[permutations[l, b], l] in row b and column l: every latent is permuted over the batch independently.

    Raises ValueError if z has not 2 axes, or permutations has not a row for each latent with each of 0..B-1 once.
    Source: Kim & Mnih 2018, algorithm 1.
    [B, L], [L, B] -> [B, L]
    """
    require_rank(2, z=z)
    require_shape(z.shape[::-1], permutations=permutations)
    require_integers(permutations=permutations)
    rows = f"in an order of 0..{len(z) - 1}, each once in its row"
    require_values("permutations", permutations, lambda p: np.sort(p, axis=1) == np.arange(len(z)), rows)
    return jnp.take_along_axis(jnp.asarray(z), widened(permutations).T, axis=0)


def factor_discriminator_loss(logits_joint, logits_permuted):
    r"""-1/2 (log sigma(logits_joint) + log sigma(-logits_permuted)), in nats: log 2 for a coin.

    Positive logits say that a code was drawn with its coordinates together, and not permuted.

    Raises ValueError if logits_joint is not [B] or logits_permuted has another shape.  Source: Kim & Mnih 2018, algorithm 1.
    [B], [B] -> [B]
    """
    require_rank(1, logits_joint=logits_joint)
    require_same_shape(logits_joint=logits_joint, logits_permuted=logits_permuted)
    return (jnp.logaddexp(0.0, -logits_joint) + jnp.logaddexp(0.0, logits_permuted)) / 2


def factor_vae_loss(negative_log_likelihood, kl, logits_joint, *, gamma):
    r"""negative_log_likelihood + kl + gamma logits_joint, in nats: the logit estimates log q(z) / prod_l q(z_l).

    Raises ValueError if negative_log_likelihood is not [B], kl or logits_joint has another shape, or gamma is negative.
    Source: Kim & Mnih 2018, eq. 2.
    [B], [B], [B] -> [B]
    """
    require_rank(1, negative_log_likelihood=negative_log_likelihood)
    require_same_shape(negative_log_likelihood=negative_log_likelihood, kl=kl, logits_joint=logits_joint)
    require_at_least(0, gamma=gamma)
    return jnp.add(negative_log_likelihood, kl) + jnp.multiply(gamma, logits_joint)


def mutual_information_from_counts(counts):
    r"""sum_rc p_rc log(p_rc / (p_r p_c)) with p = counts / N, N their sum, in nats; an empty cell adds nothing.

    Raises ValueError if counts has not 3 axes, an entry is negative, or a table is empty.  Source: Cover & Thomas, eq. 2.28.
    [B, R, C] -> [B]
    """
    require_rank(3, counts=counts)
    require_values("counts", counts, lambda n: n >= 0, "at least 0")
    counts = jnp.asarray(widened(counts), jnp.result_type(counts, float) if jnp.issubdtype(counts.dtype, jnp.floating) else float)
    rows, columns = jnp.sum(counts, axis=2, keepdims=True), jnp.sum(counts, axis=1, keepdims=True)
    total = jnp.sum(rows, axis=1, keepdims=True)
    require_values("the total of counts", total[:, 0, 0], lambda n: n > 0, "positive")
    # One logarithm of a ratio, which is exactly 1 where coordinates are independent. An empty cell counts 1
    # in it, for it may be all of its row or column.
    seen = counts > 0
    counts_, rows, columns = (jnp.where(seen, n, 1.0) for n in (counts, rows, columns))
    ratio = counts_ / rows * (total / columns)
    return jnp.sum(counts / total * jnp.log(ratio), axis=(1, 2))


def mutual_information_gap(mutual_information, factor_entropy):
    r"""(the largest entry of each column - the second largest) / entropy of the column's factor: between 0 and 1.

    Row l, column f: the information of latent l about factor f. It is 1 where one latent tells the factor and no other does.

    Raises ValueError if mutual_information has not 2 axes or fewer than 2 rows, factor_entropy has not one positive entry for
    each column.  Source: Chen et al. 2018, eq. 6.
    [L, F], [F] -> [F]
    """
    require_rank(2, mutual_information=mutual_information)
    latents, factors = mutual_information.shape
    require(latents >= 2, f"mutual_information has {latents} rows; it must have at least 2, to compare latents")
    require_shape((factors,), factor_entropy=factor_entropy)
    require_values("factor_entropy", factor_entropy, lambda h: h > 0, "positive: a constant factor has no information")
    ordered = jnp.sort(jnp.asarray(mutual_information), axis=0)
    return (ordered[-1] - ordered[-2]) / factor_entropy
