"""The factor-VAE: coordinates of a code shuffled apart, the losses of its two players, and the gap of mutual informations."""

import torch
from torch.nn.functional import logsigmoid

from practice_torch.arguments import (
    as_int64,
    require,
    require_at_least,
    require_integers,
    require_rank,
    require_same_shape,
    require_shape,
    require_values,
)


def permute_latents(z, permutations):
    r"""z[permutations[l, b], l] in row b and column l: every latent is permuted over the batch independently.

    Raises ValueError if z has not 2 axes, or permutations has not a row for each latent with each of 0..B-1 once.
    Source: Kim & Mnih 2018, algorithm 1.
    [B, L], [L, B] -> [B, L]
    """
    require_rank(2, z=z)
    count, latents = z.shape
    require_shape((latents, count), permutations=permutations)
    require_integers(permutations=permutations)
    order = torch.arange(count, device=z.device)
    rows = f"in an order of 0..{count - 1}, each once in its row"
    require_values("permutations", permutations, lambda p: p.sort(1).values == order, rows)
    return z.gather(0, as_int64(permutations).mT)


def factor_discriminator_loss(logits_joint, logits_permuted):
    r"""-1/2 (log sigma(logits_joint) + log sigma(-logits_permuted)), in nats: log 2 for a coin.

    Positive logits say that a code was drawn with its coordinates together, and not permuted.

    Raises ValueError if logits_joint is not [B] or logits_permuted has another shape.  Source: Kim & Mnih 2018, algorithm 1.
    [B], [B] -> [B]
    """
    require_rank(1, logits_joint=logits_joint)
    require_same_shape(logits_joint=logits_joint, logits_permuted=logits_permuted)
    return (logsigmoid(logits_joint) + logsigmoid(-logits_permuted)) / -2


def factor_vae_loss(negative_log_likelihood, kl, logits_joint, *, gamma):
    r"""negative_log_likelihood + kl + gamma logits_joint, in nats: the logit estimates log q(z) / prod_l q(z_l).

    Raises ValueError if negative_log_likelihood is not [B], kl or logits_joint has another shape, or gamma is negative.
    Source: Kim & Mnih 2018, eq. 2.
    [B], [B], [B] -> [B]
    """
    require_rank(1, negative_log_likelihood=negative_log_likelihood)
    require_same_shape(negative_log_likelihood=negative_log_likelihood, kl=kl, logits_joint=logits_joint)
    require_at_least(0, gamma=gamma)
    return (negative_log_likelihood + kl).add(logits_joint, alpha=gamma)


def mutual_information_from_counts(counts):
    r"""sum_rc p_rc log(p_rc / (p_r p_c)) with p = counts / N, N their sum, in nats; an empty cell adds nothing.

    Raises ValueError if counts has not 3 axes, an entry is negative, or a table is empty.  Source: Cover & Thomas, eq. 2.28.
    [B, R, C] -> [B]
    """
    require_rank(3, counts=counts)
    require_values("counts", counts, lambda n: n >= 0, "at least 0")
    counts = counts if counts.is_floating_point() else counts.to(torch.get_default_dtype())
    total = counts.sum((1, 2), keepdim=True)
    require_values("the total of counts", total.flatten(), lambda n: n > 0, "positive")
    # of a ratio, which is exactly 1 in a table of independent values, and is not 0 in an empty cell
    empty = counts == 0
    of_row = counts.masked_fill(empty, 1.0) / counts.sum(2, keepdim=True).masked_fill(empty, 1.0)
    of_all = counts.sum(1, keepdim=True).masked_fill(empty, 1.0) / total
    return (counts / total * (of_row / of_all).log()).sum((1, 2))


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
    first, second = mutual_information.topk(2, dim=0).values
    return (first - second) / factor_entropy
