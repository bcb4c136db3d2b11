"""Bits with a known joint distribution, filled in by the steps of masked diffusion: the bound, and what is lost, by enumeration.

joint: the probabilities of the texts, one axis of size 2 for each bit. levels: from 1 down to 0.
"""

import functools
import itertools

import numpy as np

from theory_jax.diffusion.masked_diffusion import masked_diffusion_loss, unmask_step


def uniform_levels(steps):
    """The levels of steps that reveal equal shares."""
    return np.linspace(1.0, 0.0, steps + 1)


def entropy(joint):
    """The entropy of a distribution, in nats."""
    return -np.sum(joint * np.log(joint))


def marginal(joint, places):
    """The joint distribution of some of the bits."""
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
        noisy, size, steps = np.where(hidden, 2, texts), len(texts), len(levels) - 1
        after = np.repeat(levels[1:], size)
        every = (np.tile(each, (steps, *[1] * (each.ndim - 1))) for each in (logits, texts, noisy))
        costs = masked_diffusion_loss(*every, after, np.repeat(np.diff(levels), size), mask_id=2)
        chances = (1 - after) ** hidden.sum() * after ** (~hidden).sum()
        total += float(np.tile(joint.ravel(), steps) @ (chances * np.asarray(costs)))
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


def draw_lattice(lattice, sets):
    """The sets of visible positions of three tokens, and the weights of the edges between them."""
    at = {seen: (1.5 * (sum(seen) / len(seen) - 2) if seen else 0.0, len(seen)) for seen in sets}
    for seen in at:
        for place in {1, 2, 3} - set(seen):
            (x, y), (to, up) = at[seen], at[tuple(sorted((*seen, place)))]
            lattice.plot([x, to], [y, up], color="gray", linewidth=3 / (1 + (len(seen) == 1)))
    for seen, (x, y) in at.items():
        name = "".join(map(str, seen)) or r"\emptyset"
        lattice.text(x, y, f"${name}$", ha="center", va="center", bbox={"facecolor": "white", "boxstyle": "round"})
    lattice.margins(0.1)
    weights = ("1/3", "1/6", "1/3")
    lattice.set(
        xticks=[], yticks=(0.5, 1.5, 2.5), yticklabels=weights, xlabel="sets of visible positions", ylabel="weight of an edge"
    )


def draw_excess(excess, joint):
    """The excess of the bound over the entropy, by the number of steps, for three schedules."""
    counts = (1, 2, 4, 8, 16, 32)
    for name, schedule in (
        (r"$1 - \tau$", lambda kept: kept),
        (r"$\cos \frac{\pi \tau}{2}$", lambda kept: np.sin(np.pi * kept / 2)),
        (r"$(1 - \tau)^3$", lambda kept: kept**3),
    ):
        above = [mean_bound(joint, schedule(uniform_levels(n))) - entropy(joint) for n in counts]
        excess.loglog(counts, above, "o-", label=name)
    excess.set(xlabel="steps, $T$", ylabel="excess of the bound, nats")
    excess.legend()


LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)  # the shares of visible places in the frames


def sticky_logits(tokens, correlation=0.9):
    """The exact conditionals [B, L, 3] of bits that are equal to the one before them but for one time in twenty; 2: a mask."""
    signs = np.where(tokens == 2, 0, 2 * tokens - 1)
    told = []
    for seen in (signs, signs[:, ::-1]):  # what the nearest visible bit on the left says, and that on the right
        means = np.zeros(signs.shape)
        for place in range(1, signs.shape[1]):
            means[:, place] = correlation * np.where(seen[:, place - 1], seen[:, place - 1], means[:, place - 1])
        told.append(means)
    left, right = told[0], told[1][:, ::-1]
    weights = [(1 - left) * (1 - right), (1 + left) * (1 + right), np.ones(signs.shape)]
    return np.log(np.stack(weights, axis=2))


@functools.cache
def filled_in(steps):
    """16 texts of 40 such bits, from masks alone, after every step: [steps + 1, 16, 40]."""
    rng, levels = np.random.default_rng(1), uniform_levels(steps)[::-1]
    tokens = [np.full((16, 40), 2)]
    for before, after in zip(levels, levels[1:], strict=False):
        drawn = rng.uniform(size=(16, 40)), rng.gumbel(size=(16, 40, 3)), np.full(16, after), np.full(16, before)
        tokens.append(np.asarray(unmask_step(tokens[-1], sticky_logits(tokens[-1]), *drawn, mask_id=2)))
    return np.stack(tokens)


def texts_appear(many, few, moment):
    """Draws the texts of 64 steps and of four at a level; masks are pale."""
    for panel, steps in ((many, 64), (few, 4)):
        tokens = filled_in(steps)[int(LEVELS[moment] * steps)]
        panel.imshow(np.where(tokens == 2, 0, 2 * tokens - 1), cmap="RdBu", vmin=-1.4, vmax=1.4, aspect="auto")
        panel.set(xlabel="position", ylabel="text", xticks=[], yticks=[], title=f"{steps} steps")
