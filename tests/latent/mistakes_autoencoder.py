"""Wrong autoencoders that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.latent import autoencoder as right
from tests.support.mistakes import Mistake


def _linear(x, encoder, decoder, mean, *, center=True, restore=True):
    right.linear_autoencoder(x, encoder, decoder, mean)  # its checks
    return (x - mean * center) @ encoder.mT @ decoder.mT + mean * restore


def _projected(x, *, rank, center=True, restore=True, smallest=False, whiten=False):
    right.principal_subspace_error(x, rank=rank)
    mean = x.mean(0) * center
    values, vectors = torch.linalg.eigh((x - mean).mT @ (x - mean) / len(x))
    kept = vectors[:, :rank] if smallest else vectors[:, x.shape[1] - rank :]
    codes = (x - mean) @ kept
    if whiten:
        codes = codes / values[x.shape[1] - rank :].sqrt()
    return codes @ kept.mT + mean * restore


def _error(x, *, rank, less=0, center=True, kept=False):
    right.principal_subspace_error(x, rank=rank)
    centered = x - x.mean(0) * center
    values = torch.linalg.eigvalsh(centered.mT @ centered) / (len(x) - less)
    return (values[x.shape[1] - rank :] if kept else values[: x.shape[1] - rank]).sum()


MISTAKES = (
    Mistake("squared_reconstruction_error", "the mean over the coordinates", lambda x, reconstruction: (
        right.squared_reconstruction_error(x, reconstruction) / max(1, x[0].numel()))),
    Mistake("squared_reconstruction_error", "the last axis alone",
            lambda x, reconstruction: (x - reconstruction).square().sum(-1)),
    Mistake("squared_reconstruction_error", "half of it",
            lambda x, reconstruction: right.squared_reconstruction_error(x, reconstruction) / 2),
    Mistake("squared_reconstruction_error", "expanded, which cancels far away", lambda x, reconstruction: (
        right.squared_reconstruction_error(x, reconstruction) * 0
        + (x**2 - 2 * x * reconstruction + reconstruction**2).reshape(len(x), -1).sum(1))),
    Mistake("squared_reconstruction_error", "broadcasts one row", lambda x, reconstruction: (
        (x - reconstruction).square().reshape(len(x), -1).sum(1)), only_checks=True),
    Mistake("linear_autoencoder", "not centered", lambda **given: _linear(**given, center=False)),
    Mistake("linear_autoencoder", "the mean not added again", lambda **given: _linear(**given, restore=False)),
    Mistake("linear_autoencoder", "encoder and decoder exchanged", lambda x, encoder, decoder, mean: (
        right.linear_autoencoder(x, encoder, decoder, mean) * 0 + mean + (x - mean) @ decoder @ encoder)),
    Mistake("linear_autoencoder", "one number for the mean", lambda x, encoder, decoder, mean: (
        mean + (x - mean) @ encoder.mT @ decoder.mT), only_checks=True),
    Mistake("principal_subspace_reconstruction", "not centered", lambda x, *, rank: _projected(x, rank=rank, center=False)),
    Mistake("principal_subspace_reconstruction", "the mean not added again",
            lambda x, *, rank: _projected(x, rank=rank, restore=False)),
    Mistake("principal_subspace_reconstruction", "the directions of the smallest variance",
            lambda x, *, rank: _projected(x, rank=rank, smallest=True)),
    Mistake("principal_subspace_reconstruction", "codes of variance one",
            lambda x, *, rank: _projected(x, rank=rank, whiten=True)),
    Mistake("principal_subspace_reconstruction", "the slope of eigenvectors, infinite where eigenvalues are equal",
            lambda x, *, rank: _projected(x, rank=rank), only_small_batches=True),
    Mistake("principal_subspace_reconstruction", "a fixed subspace has no slope", lambda x, *, rank: (
        x.mean(0) + (x - x.mean(0)) @ right._Projection.apply(
            torch.cov(x.detach().mT, correction=0).reshape(x.shape[1], x.shape[1]), rank))),
    Mistake("principal_subspace_error", "divided by N - 1", lambda x, *, rank: _error(x, rank=rank, less=1)),
    Mistake("principal_subspace_error", "not centered", lambda x, *, rank: _error(x, rank=rank, center=False)),
    Mistake("principal_subspace_error", "the variance that is kept", lambda x, *, rank: _error(x, rank=rank, kept=True)),
    Mistake("principal_subspace_error", "the mean over the coordinates",
            lambda x, *, rank: right.principal_subspace_error(x, rank=rank) / x.shape[1]),
    Mistake("principal_subspace_error", "singular values not squared", lambda x, *, rank: (
        right.principal_subspace_error(x, rank=rank) * 0 + torch.linalg.svdvals(x - x.mean(0))[rank:].sum() / len(x))),
)  # fmt: skip

EQUIVALENT = (
    Mistake("squared_reconstruction_error", "the square of a norm", lambda x, reconstruction: (
        right.squared_reconstruction_error(x, reconstruction) * 0
        + torch.einsum("bi,bi->b", *((x - reconstruction).reshape(len(x), -1),) * 2)), core_alone=True),
    Mistake("linear_autoencoder", "one matrix for both", lambda x, encoder, decoder, mean: (
        right.linear_autoencoder(x, encoder, decoder, mean) * 0 + mean + (x - mean) @ (decoder @ encoder).mT)),
    Mistake("principal_subspace_error", "eigenvalues of the covariance", _error),
)  # fmt: skip
