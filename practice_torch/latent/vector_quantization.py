"""Vector quantization: the nearest code, gradients through it, the loss that trains it, and codes as moving averages."""

import torch

from practice_torch.arguments import (
    as_int64,
    require,
    require_at_least,
    require_integers,
    require_one_each,
    require_positive,
    require_rank,
    require_same_shape,
    require_share,
    require_values,
)
from practice_torch.foundations.maximum_likelihood import empirical_distribution, entropy


def nearest_code(z, codebook):
    r"""argmin_k ||z - e_k||^2, the index of the nearest row of the codebook; the lowest of several.

    Raises ValueError if the shape of codebook does not fit z, or it has no code.
    Source: van den Oord et al. 2017, eq. 1.
    [B, D], [K, D] -> [B]
    """
    _require_codebook(z, codebook)
    # the largest z.e - |e|^2/2, one matrix product; around the codes' mean, or its digits would be those of their distance from 0
    center = codebook.mean(0)
    codes = codebook - center
    return torch.addmm(codes.square().sum(1) / -2, z - center, codes.mT).argmax(1)


def vector_quantize(z, codebook):
    r"""e_k with k the nearest code of z. Its gradient goes to the codebook; that in z is zero.

    Raises ValueError if the shape of codebook does not fit z, or it has no code.
    Source: van den Oord et al. 2017, eq. 2.
    [B, D], [K, D] -> [B, D]
    """
    return torch.nn.functional.embedding(nearest_code(z, codebook), codebook)


def straight_through(z, quantized):
    r"""The value of quantized, with the gradient of z: the derivative is 1 in z, and 0 in quantized.

    Raises ValueError if the shapes of z and quantized differ.
    Source: Bengio, Leonard & Courville 2013; van den Oord et al. 2017, section 3.2.
    [B, D], [B, D] -> [B, D]
    """
    require_rank(2, z=z)
    require_same_shape(z=z, quantized=quantized)
    return quantized.detach() + (z - z.detach())  # z + (quantized - z) would be rounded


def vector_quantization_loss(z, quantized, *, commitment=0.25):
    r"""||sg(z) - e||^2 + commitment ||z - sg(e)||^2, summed over D; sg stops the gradient, e is quantized.

    The first term moves the code to the encoder's output, the second the output to its code.

    Raises ValueError if the shapes of z and quantized differ, or commitment is negative.
    Source: van den Oord et al. 2017, eq. 3.
    [B, D], [B, D] -> [B]
    """
    require_rank(2, z=z)
    require_same_shape(z=z, quantized=quantized)
    require_at_least(0, commitment=commitment)
    of_code = (z.detach() - quantized).square().sum(1)
    return of_code + commitment * (z - quantized.detach()).square().sum(1)


def ema_codebook_update(z, indices, counts, sums, *, decay, epsilon=1e-5):
    r"""Moving averages of a code's count, N, and of the sum of its encodings, m; and the codes m / N~.

    N <- decay N + (1 - decay) n, m <- decay m + (1 - decay) sum z, with the n vectors of the batch that have the code's index;
    N~ = (N + epsilon) / (sum N + K epsilon) sum N. Returns (counts, sums, codebook).

    Raises ValueError if the shapes of indices, counts or sums do not fit, an entry of indices is no integer in 0..K-1, counts
    has a negative entry or is zero throughout after the update, decay is outside [0, 1], or epsilon is not positive.
    Source: van den Oord et al. 2017, appendix A.1.
    [B, D], [B], [K], [K, D] -> [K], [K, D], [K, D]
    """
    _require_averages(z, indices, counts, sums)
    require_share(decay=decay)
    require_positive(epsilon=epsilon)
    # added row by row: no matrix of B times K zeros and ones
    indices, share = as_int64(indices), 1 - decay
    counts = (decay * counts).index_add(0, indices, counts.new_full(indices.shape, share))
    sums = (decay * sums).index_add(0, indices, z, alpha=share)
    total = counts.sum()
    require_values("counts", total, lambda total: total > 0, "positive in sum after the update (shown)")
    smoothed = (counts + epsilon) / (total + len(counts) * epsilon) * total
    return counts, sums, sums / smoothed.unsqueeze(1)


def codebook_perplexity(indices, *, num_codes):
    r"""e^H of the fractions u_k with which the codes are used, H = -sum_k u_k log u_k: 1 if one is, num_codes if all are alike.

    Raises ValueError if indices is empty, or has an entry that is no integer in 0..num_codes-1.
    Source: van den Oord et al. 2017, section 4.
    [B] -> []
    """
    require_rank(1, indices=indices)
    _require_indices(indices, num_codes)
    require(len(indices) > 0, "indices has shape [0]; it must hold at least one index")
    return entropy(empirical_distribution(indices, num_categories=num_codes).log().unsqueeze(0)).exp().squeeze(0)


def _require_codebook(z, codebook):
    require_rank(2, z=z, codebook=codebook)
    size = z.shape[1]
    fits = codebook.shape[1] == size and codebook.shape[0] > 0
    require(fits, f"codebook has shape {list(codebook.shape)}; it must have rows of {size} entries, as z, and at least one")


def _require_indices(indices, num_codes):
    require_integers(indices=indices)
    require_values("indices", indices, lambda k: (k >= 0) & (k < num_codes), f"in 0..{num_codes - 1}")


def _require_averages(z, indices, counts, sums):
    require_rank(2, z=z, sums=sums)
    require_one_each(z, indices=indices)
    require_rank(1, counts=counts)
    wanted = [len(counts), z.shape[1]]
    require(list(sums.shape) == wanted, f"sums has shape {list(sums.shape)}; it must be {wanted}, a row for each of counts")
    _require_indices(indices, len(counts))
    require_values("counts", counts, lambda n: n >= 0, "at least 0")
