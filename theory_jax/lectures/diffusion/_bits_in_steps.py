"""Bits with a known joint law, filled in by the steps of masked diffusion: the bound, and what is lost, by enumeration.

joint: the probabilities of the texts, one axis of size 2 for each bit. levels: from 1 down to 0.
"""

import itertools

import numpy as np

from theory_jax.diffusion.masked_diffusion import masked_diffusion_loss


def uniform_levels(steps):
    """The levels of steps that reveal equal shares."""
    return np.linspace(1.0, 0.0, steps + 1)


def entropy(joint):
    """The entropy of a law, in nats."""
    return -np.sum(joint * np.log(joint))


def marginal(joint, places):
    """The joint law of some of the bits."""
    return joint.sum(axis=tuple(place for place in range(joint.ndim) if place not in places))


def mean_bound(joint, levels, *, informed=True):
    """The mean of the bound with exact conditionals, or, not informed, with those that ignore the visible bits.

    It is the loss of the code, at the slope -Delta, averaged over all texts and all sets of masked places.
    """
    length, total = joint.ndim, 0.0
    texts = np.array(list(itertools.product((0, 1), repeat=length)))
    for hidden in np.array(list(itertools.product((False, True), repeat=length)))[1:]:
        logits = np.zeros((len(texts), length, 3))
        for row, text in enumerate(texts):
            for place in np.flatnonzero(hidden):
                known = [
                    slice(None) if hide or not informed else slice(bit, bit + 1) for hide, bit in zip(hidden, text, strict=True)
                ]
                for bit in (0, 1):
                    logits[row, place, bit] = np.log(
                        joint[tuple(known[:place] + [slice(bit, bit + 1)] + known[place + 1 :])].sum()
                    )
        noisy, size = np.where(hidden, 2, texts), len(texts)
        for before, after in itertools.pairwise(levels):
            costs = masked_diffusion_loss(logits, texts, noisy, np.full(size, after), np.full(size, after - before), mask_id=2)
            total += (1 - after) ** hidden.sum() * after ** (~hidden).sum() * float(joint.ravel() @ np.asarray(costs))
    return total


def mean_total_correlation(joint, levels):
    """The mean over the steps of all bits, sum_t TC(S_t | V_t): each bit has its own step, with the probabilities Delta_t."""
    fall, mean = -np.diff(levels), 0.0
    for step_of in itertools.product(range(len(fall)), repeat=joint.ndim):
        for step in range(len(fall)):
            seen = [place for place, own in enumerate(step_of) if own > step]
            now = [place for place, own in enumerate(step_of) if own == step]
            known = entropy(marginal(joint, seen))
            alone = sum(entropy(marginal(joint, [*seen, place])) - known for place in now)
            mean += np.prod(fall[list(step_of)]) * (alone - entropy(marginal(joint, [*seen, *now])) + known)
    return mean
