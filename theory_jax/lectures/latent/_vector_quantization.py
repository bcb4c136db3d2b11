"""Codes that learn by moving averages from two starts: the second figure of the lecture on vector quantization."""

import numpy as np

from theory_jax.latent.vector_quantization import codebook_perplexity, ema_codebook_update, nearest_code

CODES, STEPS = 8, 7


def training(vectors, codebook):
    """The codes [STEPS + 1, 8, 2] and the perplexities [STEPS] of updates with all vectors."""
    counts, seen, perplexities = np.ones(CODES), [codebook], []
    sums = codebook.copy()
    for _ in range(STEPS):
        names = nearest_code(vectors, seen[-1])
        perplexities.append(float(codebook_perplexity(names, num_codes=CODES)))
        counts, sums, codes = ema_codebook_update(vectors, names, counts, sums, decay=0.7)
        seen.append(np.asarray(codes))
    return np.stack(seen), perplexities


def draw_dead_codes(plane, usage):
    """Left: the paths of codes that start far from the vectors. Right: the perplexity from this start and from vectors."""
    random = np.random.default_rng(5)
    centers = np.array([[-2.0, -1.0], [-1.0, 1.5], [1.0, 1.8], [2.0, -0.5]])
    vectors = (centers[:, None] + 0.35 * random.standard_normal((4, 20, 2))).reshape(-1, 2)
    far, perplexity = training(vectors, np.array([3.0, -2.0]) + 0.4 * random.standard_normal((CODES, 2)))
    used = np.isin(np.arange(CODES), nearest_code(vectors, far[-1]))
    plane.plot(*vectors.T, ".", color="gray", markersize=3)
    for code in range(CODES):
        plane.plot(*far[:, code].T, color="C0" if used[code] else "C1", linewidth=0.9)
    plane.plot(*far[-1][used].T, "s", color="C0", markersize=5, label="in use")
    plane.plot(*far[-1][~used].T, "X", color="C1", markersize=6, label="dead")
    plane.set(xlabel="$z_1$", ylabel="$z_2$", xlim=(-3.2, 4.2), ylim=(-3.2, 4))
    plane.legend(fontsize="small", ncols=2, loc="upper left")
    usage.plot(perplexity, "o-", color="C1", markersize=4, label="codes that start far off")
    near = training(vectors, vectors[random.permutation(80)[:CODES]])[1]
    usage.plot(near, "s-", color="C0", markersize=4, label="codes that start at vectors")
    usage.axhline(CODES, linestyle="--", color="gray", label="$K$")
    usage.set(xlabel="update", ylabel="perplexity", ylim=(0, 10.9), xticks=range(0, STEPS, 2))
    usage.legend(fontsize="small", loc="upper left")
