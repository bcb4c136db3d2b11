"""Contracts of the factor-VAE (lecture 22)."""

import numpy as np

from shared_specs.rows import LOG_2, Agree, Anchor, Law, Rejects, given, normal, uniform, zeros

Z = [[0.5, -1.0], [1.5, 2.0], [-0.5, 0.25]]
ORDERS = np.array([[0, 2, 1], [2, 0, 1]])
LOGITS = {"logits_joint": normal(5, scale=3.0), "logits_permuted": normal(5, scale=3.0)}
TERMS = {"negative_log_likelihood": normal(5, mean=80.0, scale=9.0), "kl": uniform(5, high=9.0), "logits_joint": normal(5)}
COUNTS = np.array([[[3, 1], [1, 3]], [[0, 4], [2, 0]]])
# 3/4 log 3/2 + 1/4 log 1/2, and the entropy of 2/3 and 1/3
TOLD = [np.log(1.5) * 0.75 - LOG_2 / 4, np.log(3) - LOG_2 * 2 / 3]
EMPTY_CELL = "not differentiable at an empty cell"
GAPS = {"mutual_information": [[0.6, 0.5], [0.1, 0.2], [0.3, 0.1]], "factor_entropy": [1.0, 0.5]}


def softplus(x):
    return np.log1p(np.exp(x))


SPEC = (
    # Shuffled latents.
    Agree("permute_latents", "regular", given(z=normal(4, 3), permutations=np.array([[0, 3, 2, 1], [0, 1, 2, 3], [0, 2, 3, 1]]))),
    Agree("permute_latents", "256 rows", given(z=normal(256, 2), permutations=np.stack([np.arange(256)[::-1], np.roll(
        np.arange(256), 1)]))),
    Anchor("permute_latents", "by hand", given(z=Z, permutations=ORDERS), gives=[[0.5, 0.25], [-0.5, -1.0], [1.5, 2.0]],
           source="by hand: row b, column l holds row permutations[l, b] of that column",
           near_misses={"one order for all": [[0.5, -1.0], [-0.5, 0.25], [1.5, 2.0]],
                        "the inverse orders": [[0.5, 2.0], [-0.5, 0.25], [1.5, -1.0]], "nothing": Z}),
    Law.equal("each latent keeps its values", given(z=normal(4, 3), permutations=np.array([[1, 3, 2, 0], [3, 1, 0, 2], [
        0, 2, 3, 1]])), left=lambda f, z, p: np.sort(f.permute_latents(z, p), axis=0), right=lambda f, z, p: np.sort(z, axis=0)),
    *(
        Rejects("permute_latents", case, given(**{"z": Z, "permutations": ORDERS} | changed), blames=blames)
        for case, changed, blames in (
            ("an index twice", {"permutations": np.array([[0, 2, 2], [2, 0, 1]])}, "permutations"),
            ("counted from 1", {"permutations": ORDERS + 1}, "permutations"),
            ("a row for each example", {"permutations": np.array([[0, 1], [1, 0], [0, 1]])}, "permutations"),
            ("one order for all", {"permutations": ORDERS[0]}, "permutations"),
            ("no integers", {"permutations": ORDERS + 0.0}, "permutations"), ("one axis", {"z": zeros(3)}, "z"),
        )
    ),
    # The two players.
    Agree("factor_discriminator_loss", "regular", given(**LOGITS)),
    Agree("factor_discriminator_loss", "very sure, right and wrong", given(
        logits_joint=[90.0, -90.0, 24.0, 0.0], logits_permuted=[-90.0, 90.0, -24.0, 0.0]),
          edge="binary cross-entropies of logits round losses below 1e-16 away"),
    Anchor("factor_discriminator_loss", "by hand", given(logits_joint=[0.0, 2.0, -3.0], logits_permuted=[0.0, 1.0, 1.0]),
           gives=[LOG_2, (softplus(-2.0) + softplus(1.0)) / 2, (softplus(3.0) + softplus(1.0)) / 2], source="by hand: log(1+e^x)",
           near_misses={"not halved": [2 * LOG_2, softplus(-2.0) + softplus(1.0), softplus(3.0) + softplus(1.0)],
                        "the logits exchanged": [
                            LOG_2, (softplus(-1.0) + softplus(2.0)) / 2, (softplus(-1.0) + softplus(-3.0)) / 2],
                        "permuted codes are real": [
                            LOG_2, (softplus(-2.0) + softplus(-1.0)) / 2, (softplus(3.0) + softplus(-1.0)) / 2]}),
    *(
        Rejects("factor_discriminator_loss", case, given(**LOGITS | changed), blames=blames)
        for case, changed, blames in (
            ("a code too few", {"logits_permuted": zeros(4)}, "logits_permuted"),
            ("two axes", {"logits_joint": zeros(5, 1)}, "logits_joint"),
        )
    ),
    Agree("factor_vae_loss", "regular", given(**TERMS, gamma=6.0)),
    Anchor("factor_vae_loss", "by hand", given(
               negative_log_likelihood=[80.0, 100.0], kl=[5.0, 10.0], logits_joint=[1.0, -2.0], gamma=4.0),
           gives=[89.0, 102.0], source="by hand",
           near_misses={"the sign of the logit": [81.0, 118.0], "the rate weighted, too": [104.0, 132.0],
                        "only positive logits": [89.0, 110.0], "no weight": [86.0, 108.0], "a mean": [95.5, 95.5]}),
    Law.equal("a weight of 0 leaves the negative ELBO", given(**TERMS),
              left=lambda f, loss, kl, logits: f.factor_vae_loss(loss, kl, logits, gamma=0.0),
              right=lambda f, loss, kl, logits: loss + kl),
    *(
        Rejects("factor_vae_loss", case, given(**TERMS | {"gamma": 4.0} | changed), blames=blames)
        for case, changed, blames in (
            ("a rate too few", {"kl": zeros(4)}, "kl"), ("a logit too many", {"logits_joint": zeros(6)}, "logits_joint"),
            ("two axes", {"negative_log_likelihood": zeros(5, 3)}, "negative_log_likelihood"), ("a negative weight", {
                "gamma": -0.5}, "gamma"),
        )
    ),
    # Information.
    Agree("mutual_information_from_counts", "regular", given(counts=uniform(4, 3, 5, low=0.5, high=9.0))),
    Agree("mutual_information_from_counts", "an empty row, empty cells", given(
        counts=[[[0.0, 0.0, 0.0], [2.0, 0.0, 5.0], [0.0, 1.5, 3.0]]]), no_gradient=EMPTY_CELL),
    Agree("mutual_information_from_counts", "an empty column", given(
        counts=[[[2.0, 0.0, 5.0], [4.0, 0.0, 3.0]], [[0.0, 1.5, 3.0], [0.0, 2.0, 0.5]]]), no_gradient=EMPTY_CELL),
    Agree("mutual_information_from_counts", "hundreds", given(counts=np.array([[[255, 3], [254, 100]], [[0, 255], [255, 1]]]))),
    Anchor("mutual_information_from_counts", "by hand", given(counts=COUNTS), gives=TOLD,
           source="by hand: 3/4 log 3/2 + 1/4 log 1/2; a table that matches row and column has the entropy of 2/3 and 1/3",
           near_misses={"in bits": [information / LOG_2 for information in TOLD], "log of the number of values": [TOLD[0], LOG_2],
                        "not divided by the total": [8 * TOLD[0], 6 * TOLD[1]], "the entropy of the rows": [LOG_2, TOLD[1]],
                        "the entropy of the cells": [1.2554823251787537, TOLD[1]]}),
    Law.equal("independent values tell nothing", given(rows=uniform(4, 3, low=0.1), columns=uniform(4, 5, low=0.1)),
              left=lambda f, r, c: f.mutual_information_from_counts(9.0 * r[:, :, None] * c[:, None]), right=0.0),
    Law.equal("rows and columns have the same part", given(counts=uniform(4, 3, 5, low=0.5, high=9.0)),
              left=lambda f, n: f.mutual_information_from_counts(np.swapaxes(n, 1, 2).copy()),
              right=lambda f, n: f.mutual_information_from_counts(n)),
    *(
        Rejects("mutual_information_from_counts", case, given(counts=counts), blames="counts")
        for case, counts in (
            ("a negative count", COUNTS - 1), ("an empty table", np.stack([COUNTS[0], 0 * COUNTS[1]])), ("one table", COUNTS[0]),
        )
    ),
    # The gap.
    Agree("mutual_information_gap", "regular", given(mutual_information=uniform(4, 3), factor_entropy=uniform(3, low=1.0))),
    Agree("mutual_information_gap", "two latents tell the same", given(
        mutual_information=[[0.5, 0.2], [0.5, 0.2], [0.1, 0.2]], factor_entropy=[1.0, 2.0]), no_gradient="a tie"),
    Anchor("mutual_information_gap", "by hand", given(**GAPS), gives=[0.3, 0.6], source="by hand",
           near_misses={"not normalized": [0.3, 0.3], "the second factor instead": [0.1, 0.6], "the smallest": [0.5, 0.8],
                        "the largest alone": [0.6, 1.0], "the first two rows": [0.5, 0.6], "the mean": [0.45, 0.45]}),
    Law.equal("the order of the latents does not count", given(
                  mutual_information=uniform(4, 3), factor_entropy=uniform(3, low=1.0)),
              left=lambda f, shared, h: f.mutual_information_gap(shared[[2, 0, 3, 1]], h),
              right=lambda f, shared, h: f.mutual_information_gap(shared, h)),
    *(
        Rejects("mutual_information_gap", case, given(**GAPS | changed), blames=blames)
        for case, changed, blames in (
            ("one latent", {"mutual_information": [[0.6, 0.5]]}, "mutual_information"),
            ("one axis", {"mutual_information": [0.6, 0.5]}, "mutual_information"),
            ("a factor that never changes", {"factor_entropy": [1.0, 0.0]}, "factor_entropy"),
            ("an entropy for each latent", {"factor_entropy": [1.0, 1.0, 1.0]}, "factor_entropy"),
        )
    ),
)  # fmt: skip
