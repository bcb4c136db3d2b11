"""Vector quantization (lecture 23): an autoencoder with a list of integers as code, and its training.

z is what the encoder gives, a code e is a row of the codebook.
"""

import jax
import jax.numpy as jnp

from theory_jax.arguments import (
    require,
    require_at_least,
    require_integers,
    require_one_each,
    require_positive,
    require_rank,
    require_same_shape,
    require_share,
    require_values,
    widened,
)
from theory_jax.foundations.maximum_likelihood import empirical_distribution, entropy


def nearest_code(z, codebook):
    r"""argmin_k ||z - e_k||^2, the index of the nearest row of the codebook; the lowest of several.

    Raises ValueError if the shape of codebook does not fit z, or it has no code.
    Source: van den Oord et al. 2017, eq. 1.
    [B, D], [K, D] -> [B]
    """
    _require_codebook(z, codebook)
    return jnp.argmin(jnp.sum((z[:, None] - codebook) ** 2, axis=2), axis=1).astype(int)


def vector_quantize(z, codebook):
    r"""e_k with k the nearest code of z. Its gradient goes to the codebook; that in z is zero.

    Raises ValueError if the shape of codebook does not fit z, or it has no code.
    Source: van den Oord et al. 2017, eq. 2.
    [B, D], [K, D] -> [B, D]
    """
    return codebook[nearest_code(z, codebook)]


def straight_through(z, quantized):
    r"""The value of quantized, with the gradient of z: the derivative is 1 in z, and 0 in quantized.

    Raises ValueError if the shapes of z and quantized differ.
    Source: Bengio, Leonard & Courville 2013; van den Oord et al. 2017, section 3.2.
    [B, D], [B, D] -> [B, D]
    """
    require_rank(2, z=z)
    require_same_shape(z=z, quantized=quantized)
    return jax.lax.stop_gradient(quantized) + (z - jax.lax.stop_gradient(z))


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
    of_code = jnp.sum((jax.lax.stop_gradient(z) - quantized) ** 2, axis=1)
    of_encoder = jnp.sum((z - jax.lax.stop_gradient(quantized)) ** 2, axis=1)
    return of_code + commitment * of_encoder


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
    codes = len(counts)
    chosen = (widened(indices)[:, None] == jnp.arange(codes)).astype(z.dtype)
    counts = decay * counts + (1 - decay) * jnp.sum(chosen, axis=0)
    sums = decay * sums + (1 - decay) * chosen.T @ z
    total = jnp.sum(counts)
    require_values("counts", total, lambda total: total > 0, "positive in sum after the update (shown)")
    smoothed = (counts + epsilon) / (total + codes * epsilon) * total
    return counts, sums, sums / smoothed[:, None]


def codebook_perplexity(indices, *, num_codes):
    r"""e^H of the fractions u_k with which the codes are used, H = -sum_k u_k log u_k: 1 if one is, num_codes if all are alike.

    Raises ValueError if indices is empty, or has an entry that is no integer in 0..num_codes-1.
    Source: van den Oord et al. 2017, section 4.
    [B] -> []
    """
    require_rank(1, indices=indices)
    _require_indices(indices, num_codes)
    require(len(indices) > 0, "indices has shape [0]; it must hold at least one index")
    return jnp.exp(entropy(jnp.log(empirical_distribution(indices, num_categories=num_codes))[None])[0])


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
