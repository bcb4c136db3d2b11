"""Wrong forms of the factor-VAE that the rows must refuse, and other right forms that they must accept."""

import math

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from practice_torch.latent import factor_vae as right
from tests.support.mistakes import Mistake


def _information(of):
    """The sum over a table's cells of another term, from the shares p of all draws and what independence would give."""

    def wrong(counts):
        right.mutual_information_from_counts(counts)
        p = counts / counts.sum((1, 2), keepdim=True)
        return of(p, p.sum(2, keepdim=True) * p.sum(1, keepdim=True)).sum((1, 2))

    return wrong


def _empty_cells_alone(counts):
    """The sum of an empty row counts 1; that of an empty column is 0, and the logarithm of the ratio infinite."""
    right.mutual_information_from_counts(counts)
    counts = counts if counts.is_floating_point() else counts.double()
    total, empty = counts.sum((1, 2), keepdim=True), counts == 0
    of_row = counts.masked_fill(empty, 1.0) / counts.sum(2, keepdim=True).masked_fill(empty, 1.0)
    return (counts / total * (of_row * total / counts.sum(1, keepdim=True)).log()).sum((1, 2))


def _gap(of):
    def wrong(mutual_information, factor_entropy):
        right.mutual_information_gap(mutual_information, factor_entropy)
        return of(mutual_information, factor_entropy)

    return wrong


def _difference(pair):
    return pair[0] - pair[1]


def _cross_entropies(logits_joint, logits_permuted):
    right.factor_discriminator_loss(logits_joint, logits_permuted)
    ones = torch.ones_like(logits_joint)
    pair = [
        binary_cross_entropy_with_logits(logits, label, reduction="none")
        for logits, label in ((logits_joint, ones), (logits_permuted, 0 * ones))
    ]
    return sum(pair) / 2


MISTAKES = (
    Mistake("permute_latents", "one order for all", lambda z, permutations: (
        right.permute_latents(z, permutations[:1].expand(z.shape[1], -1)))),
    Mistake("permute_latents", "the inverse orders", lambda z, permutations: (
        right.permute_latents(z, permutations.argsort(1)))),
    Mistake("permute_latents", "an index twice accepted", lambda z, permutations: (
        z.gather(0, permutations.long().mT)), only_checks=True),
    Mistake("permute_latents", "no gradient", lambda z, permutations: right.permute_latents(z.detach(), permutations) + 0 * z),
    Mistake("factor_discriminator_loss", "the logits exchanged", lambda logits_joint, logits_permuted: (
        right.factor_discriminator_loss(logits_permuted, logits_joint))),
    Mistake("factor_discriminator_loss", "not halved", lambda logits_joint, logits_permuted: (
        2 * right.factor_discriminator_loss(logits_joint, logits_permuted))),
    Mistake("factor_discriminator_loss", "of probabilities, which round to 0 and 1", lambda logits_joint, logits_permuted: (
        (logits_joint.sigmoid().log() + (1 - logits_permuted.sigmoid()).log()) / -2)),
    Mistake("factor_vae_loss", "the sign of the logit", lambda negative_log_likelihood, kl, logits_joint, *, gamma: (
        right.factor_vae_loss(negative_log_likelihood, kl, -logits_joint, gamma=gamma))),
    Mistake("factor_vae_loss", "a penalty that is never negative", lambda negative_log_likelihood, kl, logits_joint, *, gamma: (
        right.factor_vae_loss(negative_log_likelihood, kl, logits_joint.clamp(min=0), gamma=gamma))),
    Mistake("factor_vae_loss", "the rate weighted, too", lambda negative_log_likelihood, kl, logits_joint, *, gamma: (
        right.factor_vae_loss(negative_log_likelihood, gamma * kl, logits_joint, gamma=gamma))),
    Mistake("mutual_information_from_counts", "in bits", _information(
        lambda p, independent: torch.special.xlogy(p, p / independent) / math.log(2))),
    Mistake("mutual_information_from_counts", "the entropy of the cells", _information(
        lambda p, independent: -torch.special.xlogy(p, p))),
    Mistake("mutual_information_from_counts", "turned over", _information(
        lambda p, independent: independent * (independent.log() - p.clamp(min=1e-12).log()))),
    Mistake("mutual_information_from_counts", "an empty cell is not a number", _information(
        lambda p, independent: p * (p / independent).log())),
    Mistake("mutual_information_from_counts", "an empty column is not a number", _empty_cells_alone),
    Mistake("mutual_information_gap", "not normalized", _gap(lambda shared, entropy: _difference(shared.topk(2, dim=0).values))),
    Mistake("mutual_information_gap", "the second largest over the factors", _gap(lambda shared, entropy: (
        _difference(shared.topk(2, dim=1).values.mT)[: len(entropy)] / entropy if len(shared) >= len(entropy) else shared[0]))),
    Mistake("mutual_information_gap", "the largest alone", _gap(lambda shared, entropy: shared.amax(0) / entropy)),
    Mistake("mutual_information_gap", "against the mean of the others", _gap(lambda shared, entropy: (
        (shared.amax(0) - (shared.sum(0) - shared.amax(0)) / (len(shared) - 1)) / entropy))),
)  # fmt: skip

EQUIVALENT = (
    Mistake("factor_discriminator_loss", "binary cross-entropies of torch", _cross_entropies, core_alone=True),
    Mistake(
        "mutual_information_from_counts",
        "by two logarithms",
        _information(lambda p, independent: p * (p.masked_fill(p == 0, 1.0).log() - independent.masked_fill(p == 0, 1.0).log())),
    ),
    Mistake(
        "mutual_information_gap",
        "by sorting",
        _gap(lambda shared, entropy: (shared.sort(0).values[-1] - shared.sort(0).values[-2]) / entropy),
    ),
)
