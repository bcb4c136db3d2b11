"""Contracts of vector quantization (lecture 23)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, given, integers, normal, uniform, zeros

CODES = {"z": normal(6, 3), "codebook": normal(5, 3)}
SQUARE = [[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]]
TIES = {"z": [[1.0, 0.0], [1.0, 1.0], [2.0, 1.0], [1.5, 2.5], [0.0, 0.25]], "codebook": SQUARE}
PAIR = {"z": normal(6, 3), "quantized": normal(6, 3)}
BATCH = {
    "z": normal(6, 3),
    "indices": np.array([0, 2, 2, 4, 0, 2]),
    "counts": uniform(5, low=0.5, high=3.0),
    "sums": normal(5, 3),
}
AVERAGES = ("z", "counts", "sums")
LINE = {"z": [[0.5], [0.7], [1.8]], "indices": np.array([0, 0, 1])}
JUMP = "the nearest code is an integer"
STOPPED = "it is stopped on purpose, so no difference of values shows it; laws hold it"


def _many(count=256):
    """A batch with the indices 255 and 0 among 256 codes."""
    indices = np.array([255, 0, 255, 128])
    return {"z": normal(4, 2), "indices": indices, "counts": uniform(count, low=0.5), "sums": normal(count, 2)}


SPEC = (
    # The nearest code.
    *(
        row
        for function, no_gradient in (("nearest_code", JUMP), ("vector_quantize", ""))
        for row in (
            Agree(function, "regular", given(**CODES), no_gradient=no_gradient, frozen=("z", "codebook") if no_gradient else ()),
            Agree(function, "ties", given(**TIES), no_gradient=no_gradient or "a tie may go either way next to it",
                  frozen=("z", "codebook")),
            Agree(function, "one code", given(z=normal(4, 3), codebook=normal(1, 3)), no_gradient=no_gradient),
            Agree(function, "large, and far from the origin",
                  given(z=normal(6, 3, mean=1000.0, scale=100.0), codebook=normal(5, 3, mean=1000.0, scale=100.0)),
                  no_gradient=no_gradient, frozen=("z", "codebook") if no_gradient else ()),
            *(
                Rejects(function, case, given(z=normal(6, 3), codebook=codebook), blames="codebook")
                for case, codebook in (("codes of other length", normal(5, 2)), ("no code", zeros(0, 3)), ("one axis", zeros(3)))
            ),
            Rejects(function, "one axis of z", given(z=zeros(3), codebook=normal(5, 3)), blames="z"),
        )
    ),
    Anchor("nearest_code", "ties go to the lowest index", given(**TIES), gives=np.array([0, 0, 1, 2, 0]), source="by hand",
           frozen=("z", "codebook"),
           near_misses={"the last index": np.array([1, 3, 2, 2, 0]), "the farthest": np.array([2, 0, 0, 0, 2]),
                        "the largest inner product": np.array([1, 2, 2, 2, 2])}),
    Anchor("vector_quantize", "ties", given(**TIES), gives=[SQUARE[k] for k in (0, 0, 1, 2, 0)], source="by hand",
           frozen=("z", "codebook"), near_misses={"the last index": [SQUARE[k] for k in (1, 3, 2, 2, 0)], "z itself": TIES["z"]}),
    Law.equal("codes are their own", given(codebook=normal(5, 3)),
              left=lambda f, e: f.vector_quantize(e, e), right=lambda f, e: e),
    Law.equal("no code is nearer", given(**CODES),
              left=lambda f, z, e: ((z - f.vector_quantize(z, e)) ** 2).sum(1),
              right=lambda f, z, e: ((z[:, None] - e) ** 2).sum(2).min(1)),
    Law.equal("a common shift does not count", given(**CODES, shift=normal(3)),
              left=lambda f, z, e, s: f.nearest_code(z + s, e + s),
              right=lambda f, z, e, s: f.nearest_code(z, e), frozen=("z", "codebook", "shift")),
    Law.equal("quantizing has no gradient in z", given(**CODES),
              left=lambda f, *g: f.gradient("vector_quantize", *g, wrt=0), right=0.0),
    Law.equal("a code gets a gradient for each of its vectors", given(**CODES),
              left=lambda f, *g: f.gradient("vector_quantize", *g, wrt=1),
              right=lambda f, z, e: np.repeat(np.bincount(f.nearest_code(z, e), minlength=5)[:, None], 3, axis=1)),
    # Straight through.
    Agree("straight_through", "regular", given(**PAIR), no_gradient=STOPPED),
    Agree("straight_through", "far apart", given(z=normal(6, 3, mean=1e6), quantized=normal(6, 3, scale=1e-3)),
          no_gradient=STOPPED),
    Anchor("straight_through", "the value is the code's", given(z=[[0.5, 3.0]], quantized=[[0.0, 1.0]]), gives=[[0.0, 1.0]],
           source="van den Oord et al. 2017, section 3.2", near_misses={"z - e added": [[1.0, 5.0]], "z": [[0.5, 3.0]]}),
    Law.equal("the gradient in z is 1", given(**PAIR), left=lambda f, *g: f.gradient("straight_through", *g, wrt=0), right=1.0),
    Law.equal("the gradient in the code is 0", given(**PAIR),
              left=lambda f, *g: f.gradient("straight_through", *g, wrt=1), right=0.0),
    # The loss.
    Agree("vector_quantization_loss", "regular", given(**PAIR), no_gradient=STOPPED),
    Agree("vector_quantization_loss", "no commitment", given(**PAIR, commitment=0.0), no_gradient=STOPPED),
    Agree("vector_quantization_loss", "large, and strongly committed",
          given(z=normal(6, 3, scale=100.0), quantized=normal(6, 3, scale=100.0), commitment=2.0), no_gradient=STOPPED),
    Agree("vector_quantization_loss", "at the codes", given(z=zeros(4, 3), quantized=zeros(4, 3)), no_gradient=STOPPED),
    Anchor("vector_quantization_loss", "by hand",
           given(z=[[1.0, 2.0], [0.0, 0.0]], quantized=[[0.0, 0.0], [3.0, 0.0]], commitment=0.5),
           gives=[7.5, 13.5], source="(1 + 1/2) times the squared distances 5 and 9",
           near_misses={"the mean over coordinates": [3.75, 6.75], "the commitment alone": [2.5, 4.5], "not squared": [4.5, 4.5],
                        "no commitment": [5.0, 9.0]}),
    Law.equal("the first term moves the code", given(**PAIR),
              left=lambda f, *g: f.gradient("vector_quantization_loss", *g, wrt=1), right=lambda f, z, e: 2 * (e - z)),
    Law.equal("the second moves the encoder, by the commitment", given(**PAIR),
              left=lambda f, *g: f.gradient("vector_quantization_loss", *g, wrt=0), right=lambda f, z, e: 0.5 * (z - e)),
    Law.equal("... whatever it is", given(**PAIR),
              left=lambda f, *g: np.stack([f.gradient("vector_quantization_loss", *g, wrt=k, commitment=2.0) for k in (0, 1)]),
              right=lambda f, z, e: np.stack([4 * (z - e), 2 * (e - z)])),
    *(
        Rejects(function, "shapes differ", given(z=zeros(6, 3), quantized=zeros(6, 2)), blames="quantized")
        for function in ("straight_through", "vector_quantization_loss")
    ),
    Rejects("vector_quantization_loss", "a negative commitment", given(**PAIR, commitment=-0.25), blames="commitment"),
    # Codes as moving averages.
    Agree("ema_codebook_update", "regular", given(**BATCH, decay=0.9), differentiate=AVERAGES),
    Agree("ema_codebook_update", "256 codes", given(**_many(), decay=0.75), differentiate=AVERAGES),
    Agree("ema_codebook_update", "all new, with codes that nothing is near to",
          given(**BATCH, decay=0.0, epsilon=0.01), differentiate=AVERAGES),
    Agree("ema_codebook_update", "all kept", given(**BATCH, decay=1.0), differentiate=AVERAGES),
    Anchor(
        "ema_codebook_update", "two codes on a line",
        given(**LINE, counts=[2.0, 2.0], sums=[[0.0], [4.0]], decay=0.9, epsilon=0.05),
        gives=([2.0, 1.9], [[0.12], [3.78]], [[0.12 / (2.05 * 3.9 / 4.0)], [3.78 / (1.95 * 3.9 / 4.0)]]), source="by hand",
        near_misses={
            "divided by the raw counts": ([2.0, 1.9], [[0.12], [3.78]], [[0.06], [3.78 / 1.9]]),
            "the decay for the batch": ([2.0, 1.1], [[1.08], [2.02]], [[1.08 / (2.05 * 3.1 / 3.2)], [2.02 / (1.15 * 3.1 / 3.2)]]),
            "the mean for the sum": ([2.0, 1.9], [[0.06], [3.78]], [[0.06 / (2.05 * 3.9 / 4.0)], [3.78 / (1.95 * 3.9 / 4.0)]]),
            "not rescaled": ([2.0, 1.9], [[0.12], [3.78]], [[0.12 / 2.05], [3.78 / 1.95]]),
        },
    ),
    Law.equal(
        "without decay a code is the mean of its vectors, if all are used alike", given(z=normal(6, 3)),
        left=lambda f, z: f.ema_codebook_update(z, np.array([0, 1, 0, 1, 1, 0]), np.ones(2), np.zeros((2, 3)), decay=0.0)[2],
        right=lambda f, z: np.stack([z[[0, 2, 5]].mean(0), z[[1, 3, 4]].mean(0)]),
    ),
    Law.equal(
        "smoothing keeps the sum of the counts", given(**BATCH),
        left=lambda f, *batch: (lambda _, m, e: (m / e)[:, 0].sum())(
            *f.ema_codebook_update(*batch, decay=0.9, epsilon=0.5)),
        right=lambda f, z, i, n, s: 0.9 * n.sum() + 0.1 * 6,
    ),
    *(
        Rejects("ema_codebook_update", case, given(**BATCH | {"decay": 0.9} | changed), blames=blames)
        for case, changed, blames in (
            ("an index too large", {"indices": np.array([0, 5, 1, 1, 1, 1])}, "indices"),
            ("a negative index", {"indices": np.array([0, -1, 1, 1, 1, 1])}, "indices"),
            ("an index too few", {"indices": np.array([0, 1, 1, 1, 1])}, "indices"),
            ("no integers", {"indices": zeros(6)}, "indices"),
            ("a negative count", {"counts": [1.0, 1.0, 1.0, 1.0, -1.0]}, "counts"),
            ("counts on two axes", {"counts": zeros(5, 1)}, "counts"),
            ("sums of other length", {"sums": zeros(5, 2)}, "sums"),
            ("sums of other codes", {"sums": zeros(4, 3)}, "sums"),
            ("a decay above 1", {"decay": 1.1}, "decay"),
            ("a negative decay", {"decay": -0.1}, "decay"),
            ("no smoothing", {"epsilon": 0.0}, "epsilon"),
            ("nothing left", {"counts": zeros(5), "decay": 1.0}, "counts"),
        )
    ),
    # Usage.
    Agree("codebook_perplexity", "regular", given(indices=integers(9, high=5), num_codes=5), smallest_batch=1),
    Agree("codebook_perplexity", "one of 256", given(indices=np.array([255, 255, 255]), num_codes=256), smallest_batch=1),
    Agree("codebook_perplexity", "more codes than "
    "vectors", given(indices=np.array([255, 0, 3]), num_codes=300), smallest_batch=1),
    Anchor("codebook_perplexity", "two thirds and a third", given(indices=np.array([1, 0, 1]), num_codes=4),
           gives=3 / 4 ** (1 / 3), source="by hand: (3/2)^(2/3) 3^(1/3)",
           near_misses={"e to bits": 2.5050, "how many are used": 2.0, "nats": np.log(3) - np.log(4) / 3,
                        "2 to nats": 2 ** (np.log(3) - np.log(4) / 3)}),
    Law.equal("all alike", given(), left=lambda f: f.codebook_perplexity(np.arange(7), num_codes=7), right=7.0),
    Law.at_least("at least 1 and at most the number of codes", given(indices=integers(9, high=5)),
                 left=lambda f, i: np.stack([f.codebook_perplexity(i, num_codes=5), 6.0 - f.codebook_perplexity(i, num_codes=5)]),
                 right=1.0),
    *(
        Rejects("codebook_perplexity", case, given(indices=indices, num_codes=5), blames="indices")
        for case, indices in (
            ("an index too large", np.array([0, 5])), ("a negative index", np.array([0, -1])),
            ("none", np.zeros(0, dtype=np.int64)), ("no integers", zeros(4)), ("two axes", np.array([[0, 1], [2, 3]])),
        )
    ),
)  # fmt: skip
