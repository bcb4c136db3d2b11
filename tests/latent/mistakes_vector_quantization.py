"""Wrong forms of vector quantization that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.latent import vector_quantization as right
from tests.support.mistakes import Mistake


def _last(z, codebook):
    """The last of several nearest codes."""
    right.nearest_code(z, codebook)  # its checks
    return len(codebook) - 1 - torch.cdist(z, codebook.flip(0), compute_mode="donot_use_mm_for_euclid_dist").argmin(1)


def _update(z, indices, counts, sums, *, decay, epsilon=1e-5, smoothed=None, weights=None, mean=False):
    """The update with other smoothed counts, other weights of old and new, or means in place of sums."""
    right.ema_codebook_update(z, indices, counts, sums, decay=decay, epsilon=epsilon)
    chosen = torch.nn.functional.one_hot(indices.long(), len(counts)).to(z.dtype)
    used = chosen.sum(0)
    added = chosen.mT @ z
    added = added / used.clamp(min=1)[:, None] if mean else added
    old, new = (decay, 1 - decay) if weights is None else weights(decay)
    counts, sums = old * counts + new * used, old * sums + new * added
    usual = (counts + epsilon) / (counts.sum() + len(counts) * epsilon) * counts.sum()
    return counts, sums, sums / (usual if smoothed is None else smoothed(counts, epsilon))[:, None]


def _with_own_gradient(z, codebook):
    """vector_quantize with the straight-through gradient already in it."""
    return right.vector_quantize(z, codebook) + z - z.detach()


def _narrow(indices, *, num_codes):
    """The codes compared in the type of the indices: in uint8, 256 is 0."""
    right.codebook_perplexity(indices, num_codes=num_codes)
    codes = torch.arange(num_codes).to(indices.dtype)
    used = (indices[:, None] == codes).double().mean(0).to(torch.get_default_dtype())
    return torch.special.entr(used).sum().exp()


MISTAKES = (
    Mistake("nearest_code", "the last of several", _last),
    Mistake("nearest_code", "the farthest", lambda z, codebook: torch.cdist(z, codebook).argmax(1)),
    Mistake("nearest_code", "the largest inner product", lambda z, codebook: (
        right.nearest_code(z, codebook) * 0 + (z @ codebook.mT).argmax(1))),
    Mistake("vector_quantize", "z comes through", _with_own_gradient),
    Mistake("vector_quantize", "codes detached from the gradient",
            lambda z, codebook: right.vector_quantize(z, codebook.detach()) + 0 * codebook[:1]),
    Mistake("vector_quantize", "the last of several", lambda z, codebook: codebook[_last(z, codebook)]),
    Mistake("straight_through", "z - e for e - z", lambda z, quantized: z + (z - quantized).detach()),
    Mistake("straight_through", "the gradient of the code as well", lambda z, quantized: quantized + (z - z.detach())),
    Mistake("straight_through", "no gradient", lambda z, quantized: quantized.detach() + 0 * z),
    Mistake("straight_through", "rounded by the sum", lambda z, quantized: (
        right.straight_through(z, quantized) * 0 + z + (quantized - z).detach())),
    Mistake("vector_quantization_loss", "gradients stopped the other way", lambda z, quantized, *, commitment=0.25: (
        right.vector_quantization_loss(quantized, z, commitment=commitment))),
    Mistake("vector_quantization_loss", "nothing stopped", lambda z, quantized, *, commitment=0.25: (
        (1 + commitment) * (z - quantized).square().sum(1))),
    Mistake("vector_quantization_loss", "the mean over coordinates", lambda z, quantized, *, commitment=0.25: (
        right.vector_quantization_loss(z, quantized, commitment=commitment) / z.shape[1])),
    Mistake("vector_quantization_loss", "the commitment on the code", lambda z, quantized, *, commitment=0.25: (
        right.vector_quantization_loss(z, quantized, commitment=1.0) * 0
        + commitment * (z.detach() - quantized).square().sum(1) + (z - quantized.detach()).square().sum(1))),
    Mistake("vector_quantization_loss", "accepts a negative commitment", lambda z, quantized, *, commitment=0.25: (
        right.vector_quantization_loss(z, quantized, commitment=abs(commitment))), only_checks=True),
    Mistake("ema_codebook_update", "divided by the raw counts", lambda z, indices, counts, sums, *, decay, epsilon=1e-5: (
        _update(z, indices, counts, sums, decay=decay, epsilon=epsilon, smoothed=lambda n, _: n.clamp(min=1e-5)))),
    Mistake("ema_codebook_update", "not rescaled", lambda z, indices, counts, sums, *, decay, epsilon=1e-5: (
        _update(z, indices, counts, sums, decay=decay, epsilon=epsilon, smoothed=lambda n, eps: n + eps))),
    Mistake("ema_codebook_update", "the decay for the batch", lambda z, indices, counts, sums, *, decay, epsilon=1e-5: (
        _update(z, indices, counts, sums, decay=decay, epsilon=epsilon, weights=lambda d: (1 - d, d)))),
    Mistake("ema_codebook_update", "the mean for the sum", lambda z, indices, counts, sums, *, decay, epsilon=1e-5: (
        _update(z, indices, counts, sums, decay=decay, epsilon=epsilon, mean=True))),
    Mistake("codebook_perplexity", "two to the nats",
            lambda indices, *, num_codes: 2 ** right.codebook_perplexity(indices, num_codes=num_codes).log()),
    Mistake("codebook_perplexity", "how many are used", lambda indices, *, num_codes: (
        right.codebook_perplexity(indices, num_codes=num_codes) * 0 + len(indices.unique()))),
    Mistake("codebook_perplexity", "codes compared in uint8", _narrow, narrow=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake(
        "nearest_code",
        "differences",
        lambda z, codebook: right.nearest_code(z, codebook) * 0 + (z.unsqueeze(1) - codebook).square().sum(2).argmin(1),
    ),
    Mistake("ema_codebook_update", "one-hot vectors", _update),
)
