"""Contracts of perplexity, of bits per byte and of distinct n-grams (lecture 14)."""

import numpy as np

from shared_specs.rows import LOG_2, Agree, Anchor, Law, Rejects, bits, given, integers, log_of, normal, uniform, zeros

LOG_PROBS = uniform(3, 5, low=-6.0, high=-0.1)
MASK = [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [0, 0, 0, 1, 0]]
# Masked entries may be anything.
HIDDEN = [[-1.0, -2.0, -0.5, np.nan, -np.inf], [-1.0, -0.25, -3.0, -0.5, -2.0], [np.inf, -np.inf, np.nan, -0.75, 0.0]]
BYTES = np.array([7, 255, 3])
LOGITS, TOKENS = normal(3, 5, 4, scale=2.0), integers(3, 5, high=4)
REPEATED = np.array([[0, 1, 0, 1, 0, 1], [2, 2, 2, 2, 2, 2], [0, 1, 2, 3, 4, 5], [3, 0, 0, 3, 0, 0]])
# Two sequences: three tokens with 1/2, 1/4, 1/8, and one with 1/8.
TWO = np.log([[1 / 2, 1 / 4, 1 / 8], [1 / 8, 1.0, 1.0]])
OF_TWO = [[1, 1, 1], [1, 0, 0]]


def _agrees():
    for function, more in (("sequence_perplexity", {}), ("corpus_perplexity", {}), ("bits_per_byte", {"byte_counts": BYTES})):
        smallest = 1 if function == "corpus_perplexity" else 0
        yield Agree(function, "regular", given(log_probs=LOG_PROBS, mask=MASK, **more), smallest_batch=smallest)
        yield Agree(function, "anything under the mask", given(log_probs=HIDDEN, mask=MASK, **more))
        yield Agree(function, "one token each", given(log_probs=uniform(3, 1, low=-6.0, high=-0.1), mask=[[1], [1], [1]], **more))


SPEC = (
    Agree("token_log_probs", "regular", given(tokens=TOKENS, logits=LOGITS)),
    Agree("token_log_probs", "logits near 400", given(tokens=TOKENS, logits=normal(3, 5, 4, scale=400.0))),
    Agree("token_log_probs", "256 tokens", given(tokens=np.array([[255, 0, 254]]), logits=normal(1, 3, 256))),
    Agree("token_log_probs", "one token in the vocabulary", given(tokens=integers(3, 5, high=1), logits=normal(3, 5, 1))),
    *_agrees(),
    Agree("corpus_perplexity", "a sequence without a token", given(log_probs=LOG_PROBS, mask=[[0] * 5, [1] * 5, [0] * 5])),
    *(Agree("distinct_fraction", f"order {order}", given(tokens=REPEATED, order=order), no_gradient="tokens are integers")
      for order in (1, 2, 6)),
    Agree("distinct_fraction", "256 tokens", given(tokens=np.array([[255, 0, 255, 0, 254, 0], [1, 255, 1, 255, 255, 1]]),
                                                   order=2), no_gradient="tokens are integers"),
    Agree("distinct_fraction", "many tokens", given(tokens=integers(3, 40, high=200), order=2),
          no_gradient="tokens are integers"),
    Anchor(
        "token_log_probs", "three to one", given(tokens=np.array([[0, 1]]), logits=[[[np.log(3), 0.0], [np.log(3), 0.0]]]),
        gives=log_of([[0.75, 0.25]]), source="by hand",
        near_misses={"targets one off": log_of([[0.25, 0.75]]), "not normalized": [[np.log(3), 0.0]],
                     "probabilities": [[0.75, 0.25]]},
    ),
    Anchor(
        "sequence_perplexity", "1/2, 1/4, 1/8; and 1/8 alone", given(log_probs=TWO, mask=OF_TWO), gives=[4.0, 8.0],
        source="by hand",
        near_misses={"padding counted": [4.0, 2.0], "two to the power of nats": [2 ** (2 * LOG_2), 2 ** (3 * LOG_2)],
                     "arithmetic mean of probabilities": [24 / 7, 8.0], "not divided by the length": [64.0, 8.0]},
    ),
    Anchor(
        "corpus_perplexity", "1/2, 1/4, 1/8; and 1/8 alone", given(log_probs=TWO, mask=OF_TWO), gives=2**2.25, source="by hand",
        near_misses={"mean of perplexities": 6.0, "weighted mean of perplexities": 5.0, "mean of their logarithms": 2**2.5,
                     "padding counted": 2**1.5},
    ),
    Anchor(
        "bits_per_byte", "six bits in four bytes; and three in one",
        given(log_probs=TWO, mask=OF_TWO, byte_counts=np.array([4, 1])), gives=[1.5, 3.0], source="by hand",
        near_misses={"nats": [1.5 * LOG_2, 3 * LOG_2], "bits per token": [2.0, 3.0], "log 2 twice": [1.5 / LOG_2, 3 / LOG_2]},
    ),
    Anchor(
        "distinct_fraction", "pairs", given(tokens=REPEATED, order=2), gives=[0.4, 0.2, 1.0, 0.6], source="by hand",
        near_misses={"divided by the length": [2 / 6, 1 / 6, 5 / 6, 3 / 6], "single tokens": [2 / 6, 1 / 6, 1.0, 2 / 6],
                     "pairs that do not overlap": [1 / 3, 1 / 3, 1.0, 1.0]},
    ),
    Law.equal("the inverse geometric mean of probabilities", given(log_probs=LOG_PROBS),
              left=lambda f, a: f.sequence_perplexity(a, np.ones(a.shape)),
              right=lambda f, a: np.exp(a).prod(axis=1) ** (-1 / 5)),
    Law.equal("uniform logits: the size of the vocabulary", given(tokens=TOKENS),
              left=lambda f, t: f.sequence_perplexity(f.token_log_probs(t, np.full((3, 5, 4), 7.0)), np.ones((3, 5))), right=4.0),
    Law.normalized("over the vocabulary", given(logits=LOGITS),
                   total=lambda f, x: sum(np.exp(f.token_log_probs(np.full((3, 5), v), x)) for v in range(4))),
    Law.equal(
        "a corpus is the geometric mean of its sequences, weighted by their tokens", given(log_probs=LOG_PROBS),
        left=lambda f, a: np.log(f.corpus_perplexity(a, np.array(MASK))),
        right=lambda f, a: np.log(f.sequence_perplexity(a, np.array(MASK))) @ np.array([3, 5, 1]) / 9,
    ),
    Law.at_least(
        "... so below their arithmetic mean", given(log_probs=LOG_PROBS),
        left=lambda f, a: f.sequence_perplexity(a, np.array(MASK)) @ np.array([3, 5, 1]) / 9,
        right=lambda f, a: f.corpus_perplexity(a, np.array(MASK)),
    ),
    Law.equal("the order of the tokens does not count", given(log_probs=LOG_PROBS),
              left=lambda f, a: f.sequence_perplexity(a[:, ::-1], np.array(MASK)[:, ::-1]),
              right=lambda f, a: f.sequence_perplexity(a, np.array(MASK))),
    Law.equal(
        "two tokens merged into one cost the same bits", given(log_probs=LOG_PROBS, byte_counts=BYTES),
        left=lambda f, a, n: f.bits_per_byte(a, np.array(MASK) * 0 + 1, n),
        right=lambda f, a, n: f.bits_per_byte(np.stack([a[:, 0] + a[:, 1], a[:, 2], a[:, 3] + a[:, 4]], 1), np.ones((3, 3)), n),
    ),
    Law.equal(
        "bits per byte are the logarithm of the perplexity times tokens by bytes", given(log_probs=LOG_PROBS, byte_counts=BYTES),
        left=lambda f, a, n: f.bits_per_byte(a, np.array(MASK), n),
        right=lambda f, a, n: np.log2(f.sequence_perplexity(a, np.array(MASK))) * np.array([3, 5, 1]) / n,
    ),
    Law.equal("other names for the tokens", given(tokens=REPEATED),
              left=lambda f, t: f.distinct_fraction(1000 - 7 * t, order=2), right=lambda f, t: f.distinct_fraction(t, order=2)),
    *(
        Rejects(function, case, given(log_probs=zeros(2, 3), mask=mask, **more), blames="mask")
        for function, more in (("sequence_perplexity", {}), ("corpus_perplexity", {}),
                               ("bits_per_byte", {"byte_counts": np.array([1, 1])}))
        for case, mask in (("no token", zeros(2, 3)), ("another mask", [[0.5, 1.0, 1.0]] * 2), ("shapes differ", bits(2, 4)))
    ),
    Rejects("corpus_perplexity", "no sequence", given(log_probs=zeros(0, 3), mask=zeros(0, 3)), blames="mask"),
    Rejects("sequence_perplexity", "a row without a token", given(log_probs=zeros(2, 3), mask=[[1, 1, 1], [0, 0, 0]]),
            blames="mask"),
    Rejects("bits_per_byte", "a row without a token",
            given(log_probs=zeros(2, 3), mask=[[1, 1, 1], [0, 0, 0]], byte_counts=np.array([1, 1])), blames="mask"),
    *(
        Rejects("bits_per_byte", case, given(log_probs=zeros(2, 3), mask=np.ones((2, 3)), byte_counts=count),
                blames="byte_counts")
        for case, count in (("no byte", np.array([3, 0])), ("half a byte", [1.5, 2.0]), ("one count for all", np.array([3])))
    ),
    Rejects("token_log_probs", "a token outside", given(tokens=np.array([[0, 3]]), logits=zeros(1, 2, 3)), blames="tokens"),
    Rejects("token_log_probs", "no integers", given(tokens=zeros(1, 2), logits=zeros(1, 2, 3)), blames="tokens"),
    Rejects("token_log_probs", "logits of other places", given(tokens=np.array([[0, 1]]), logits=zeros(1, 3, 3)),
            blames="tokens"),
    Rejects("distinct_fraction", "more than there are", given(tokens=REPEATED, order=7), blames="order"),
    Rejects("distinct_fraction", "order 0", given(tokens=REPEATED, order=0), blames="order"),
    Rejects("distinct_fraction", "no integers", given(tokens=zeros(2, 3), order=1), blames="tokens"),
)  # fmt: skip
