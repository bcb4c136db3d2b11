"""Contracts of online softmax and of attention block by block (lecture 43)."""

import numpy as np

from shared_specs.autoregressive._cases import COIN_KEY, COIN_QUERY, COIN_VALUE, KEY, QUERY, VALUE
from shared_specs.rows import LOG_2, LOG_3, Agree, Anchor, Law, Rejects, concatenate, full, given, log_of, normal, uniform, zeros

INF = np.inf
LOG_4, LOG_5 = 2 * LOG_2, 1.6094379124341003
# A state after some blocks, and the block that comes next.
STATE = dict(maximum=normal(2, 3), normalizer=uniform(2, 3, low=1.0, high=4.0), accumulator=normal(2, 3, 5))
START = dict(maximum=full(2, 3, value=-INF), normalizer=zeros(2, 3), accumulator=zeros(2, 3, 5))
BLOCK = dict(scores=normal(2, 3, 4, scale=2.0), values=normal(2, 4, 5))
EMPTY = dict(scores=full(2, 3, 4, value=-INF), values=normal(2, 4, 5))
ATTENTION = dict(query=QUERY, key=KEY, value=VALUE)
OUTPUT = dict(output=normal(2, 3, 4, 7), log_normalizer=normal(2, 3, 4, mean=2.0), upstream=normal(2, 3, 4, 7))
# Width 1 needs no scale: the first query scores 500 and then 900, the second -500 and then -900.
RISING = dict(query=[[[[1.0], [-1.0]]]], key=[[[[500.0], [900.0]]]], value=[[[[1.0, 2.0], [3.0, -1.0]]]])
COIN = dict(query=COIN_QUERY, key=COIN_KEY, value=COIN_VALUE)
# One query, two keys of equal scores, values 1 and 3: P is 1/2 and 1/2, dP is 1 and 3, D is 2.
EVEN = dict(
    query=[[[[2.0, 0.0, 0.0, 0.0]]]],
    key=[[[[0.0, 4.0, 0.0, 0.0], [0.0, 0.0, 8.0, 0.0]]]],
    value=[[[[1.0], [3.0]]]],
    output=[[[[2.0]]]],
    log_normalizer=[[[LOG_2]]],
    upstream=[[[[1.0]]]],
)
SMALL = dict(query=zeros(1, 2, 3, 4), key=zeros(1, 2, 5, 4), value=zeros(1, 2, 5, 6))
SMALL_OUTPUT = dict(output=zeros(1, 2, 3, 6), log_normalizer=zeros(1, 2, 3), upstream=zeros(1, 2, 3, 6))


def flat(parts):
    """All numbers of several results."""
    return np.concatenate([np.ravel(part) for part in parts])


def gradients(first, second):
    """dQ, dK and dV of EVEN for dS = (first, second), already scaled."""
    return (
        [[[[0.0, 4 * first, 8 * second, 0.0]]]],
        [[[[2 * first, 0.0, 0.0, 0.0], [2 * second, 0.0, 0.0, 0.0]]]],
        [[[[0.5], [0.5]]]],
    )


SPEC = (
    # One block.
    Agree("online_softmax_update", "regular", given(**STATE, **BLOCK)),
    Agree("online_softmax_update", "the first block", given(**START, **BLOCK)),
    Agree("online_softmax_update", "a row and a column of -inf",
          given(**STATE, scores=concatenate(concatenate(normal(2, 2, 3), full(2, 1, 3, value=-INF), axis=1),
                                            full(2, 3, 1, value=-INF), axis=2), values=BLOCK["values"])),
    Agree("online_softmax_update", "nothing seen yet, and nothing to see", given(**START, **EMPTY),
          no_gradient="all terms are e^(-inf), and a maximum of -inf has no slope"),
    Agree("online_softmax_update", "from 500 to 700 and from 900 to 700",
          given(**(STATE | dict(maximum=[[500.0, 900.0, 702.0], [900.0, -500.0, 500.0]])),
                scores=normal(2, 3, 4, mean=700.0, scale=2.0), values=BLOCK["values"])),
    Anchor(
        "online_softmax_update", "a new maximum, and none",
        given(maximum=[[0.0, LOG_4]], normalizer=[[2.0, 1.0]], accumulator=[[[3.0], [8.0]]],
              scores=[[[LOG_2, 0.0], [LOG_2, 0.0]]], values=[[[10.0], [20.0]]]),
        gives=([[LOG_2, LOG_4]], [[2.5, 1.75]], [[[21.5], [18.0]]]), source="1 + 1 + 1/2 and 1 + 1/2 + 1/4 by hand",
        near_misses={
            "accumulator not rescaled": ([[LOG_2, LOG_4]], [[2.5, 1.75]], [[[23.0], [18.0]]]),
            "normalizer not rescaled": ([[LOG_2, LOG_4]], [[3.5, 1.75]], [[[21.5], [18.0]]]),
            "divided in every block": ([[LOG_2, LOG_4]], [[2.5, 1.75]], [[[8.6], [18.0 / 1.75]]]),
            "the block's own maximum": ([[LOG_2, LOG_2]], [[2.5, 3.5]], [[[21.5], [36.0]]]),
            "terms under the old maximum": ([[LOG_2, LOG_4]], [[4.0, 1.75]], [[[41.5], [18.0]]]),
        },
    ),
    Law.equal("two blocks are one", given(**STATE, **BLOCK),
              left=lambda f, m, n, o, s, v: flat(f.online_softmax_update(
                  *f.online_softmax_update(m, n, o, s[..., :1], v[:, :1]), s[..., 1:], v[:, 1:])),
              right=lambda f, m, n, o, s, v: flat(f.online_softmax_update(m, n, o, s, v))),
    Law.equal("an empty block changes nothing", given(**STATE, **EMPTY),
              left=lambda f, *given: flat(f.online_softmax_update(*given)), right=lambda f, m, n, o, s, v: flat((m, n, o))),
    Law.equal("an empty block before the first leaves the start", given(**START, **EMPTY),
              left=lambda f, *given: flat(f.online_softmax_update(*given)), right=lambda f, m, n, o, s, v: flat((m, n, o))),
    Law.equal("values of one count the normalizer", given(**STATE, scores=BLOCK["scores"]),
              left=lambda f, m, n, o, s: f.online_softmax_update(m, n, n[..., None] + np.zeros(5), s, np.ones((2, 4, 5)))[2],
              right=lambda f, m, n, o, s: f.online_softmax_update(m, n, o, s, np.ones((2, 4, 5)))[1][..., None]),
    Rejects("online_softmax_update", "a normalizer a head too many",
            given(maximum=zeros(2, 3), normalizer=zeros(2, 1), accumulator=zeros(2, 3, 5), scores=zeros(2, 3, 4),
                  values=zeros(2, 4, 5)), blames="normalizer"),
    Rejects("online_softmax_update", "scores transposed",
            given(maximum=zeros(2, 3), normalizer=zeros(2, 3), accumulator=zeros(2, 3, 5), scores=zeros(2, 4, 3),
                  values=zeros(2, 4, 5)), blames="scores"),
    Rejects("online_softmax_update", "values of another batch",
            given(maximum=zeros(2, 3), normalizer=zeros(2, 3), accumulator=zeros(2, 3, 5), scores=zeros(2, 3, 4),
                  values=zeros(1, 4, 5)), blames="values"),
    Rejects("online_softmax_update", "an accumulator of another width",
            given(maximum=zeros(2, 3), normalizer=zeros(2, 3), accumulator=zeros(2, 3, 1), scores=zeros(2, 3, 4),
                  values=zeros(2, 4, 5)), blames="accumulator"),
    Rejects("online_softmax_update", "an axis of heads",
            given(maximum=zeros(2, 1, 3), normalizer=zeros(2, 1, 3), accumulator=zeros(2, 1, 3, 5), scores=zeros(2, 1, 3, 4),
                  values=zeros(2, 1, 4, 5)), blames="maximum"),
    # All blocks.
    Agree("blockwise_attention", "causal, a block that does not divide", given(**ATTENTION, block_size=2, causal=True)),
    Agree("blockwise_attention", "no mask", given(**ATTENTION, block_size=4, causal=False)),
    Agree("blockwise_attention", "one block larger than all", given(**ATTENTION, block_size=9, causal=True)),
    Agree("blockwise_attention", "maxima of 500, 900 and of -500, -900", given(**RISING, block_size=1, causal=False)),
    Anchor(
        "blockwise_attention", "3 to 1 to 1, causal", given(**COIN, block_size=1, causal=True),
        gives=([[[[12.5, 0.75], [22.0, 0.2]]]], [[[LOG_4, LOG_5]]]),
        source="3/4 and 1/4 of two keys, 1/5, 3/5 and 1/5 of three",
        near_misses={
            "aligned at the start": ([[[[10.0, 1.0], [17.5, 0.25]]]], [[[LOG_3, LOG_4]]]),
            "no mask": ([[[[18.0, 0.6], [22.0, 0.2]]]], [[[LOG_5, LOG_5]]]),
            "not scaled": ([[[[11.0, 0.9], [230 / 11, 1 / 11]]]], [[[2.302585092994046, 2.3978952727983707]]]),
            "L without the maximum": ([[[[12.5, 0.75], [22.0, 0.2]]]], [[[0.28768207245178096, 0.5108256237659907]]]),
            "not divided": ([[[[50 / 3, 1.0], [110 / 3, 1 / 3]]]], [[[LOG_4, LOG_5]]]),
            "accumulator not rescaled": ([[[[12.5, 0.75], [26.0, 0.6]]]], [[[LOG_4, LOG_5]]]),
        },
    ),
    Law.equal("the block size changes nothing", given(**ATTENTION),
              left=lambda f, *given: np.stack(
                  [flat(f.blockwise_attention(*given, block_size=size, causal=True)) for size in (1, 3)]),
              right=lambda f, *given: flat(f.blockwise_attention(*given, block_size=9, causal=True))),
    Law.equal("a causal query sees what it would see alone", given(**ATTENTION),
              left=lambda f, query, key, value: f.blockwise_attention(query, key, value, block_size=2, causal=True)[0][:, :, :2],
              right=lambda f, query, key, value: np.concatenate(
                  [f.blockwise_attention(query[:, :, i : i + 1], key[:, :, : i + 2], value[:, :, : i + 2], block_size=2,
                                         causal=False)[0] for i in range(2)], axis=2)),
    Law.equal("keys in another order", given(**ATTENTION),
              left=lambda f, query, key, value: flat(
                  f.blockwise_attention(query, key[:, :, ::-1], value[:, :, ::-1], block_size=2, causal=False)),
              right=lambda f, query, key, value: flat(f.blockwise_attention(query, key, value, block_size=2, causal=False))),
    Law.equal("L is the normalizer", given(**ATTENTION),
              left=lambda f, query, key, value: f.blockwise_attention(query, key, value, block_size=2, causal=False)[1],
              right=lambda f, query, key, value: np.log(np.exp(np.einsum("bhqd,bhkd->bhqk", query, key) / 6**0.5).sum(-1))),
    Rejects("blockwise_attention", "blocks of nothing", given(**SMALL, block_size=0, causal=False), blames="block_size"),
    Rejects("blockwise_attention", "a causal query before all keys",
            given(**(SMALL | dict(query=zeros(1, 2, 6, 4))), block_size=2, causal=True), blames="query"),
    Rejects("blockwise_attention", "keys of another width",
            given(**(SMALL | dict(key=zeros(1, 2, 5, 3))), block_size=2, causal=False), blames="key"),
    Rejects("blockwise_attention", "fewer heads of values",
            given(**(SMALL | dict(value=zeros(1, 1, 5, 6))), block_size=2, causal=False), blames="value"),
    Rejects("blockwise_attention", "no heads",
            given(query=zeros(2, 3, 4), key=zeros(2, 5, 4), value=zeros(2, 5, 6), block_size=2, causal=False), blames="query"),
    # Parts.
    Agree("merge_partial_attention", "regular",
          given(output_a=normal(2, 3, 5), log_normalizer_a=normal(2, 3), output_b=normal(2, 3, 5),
                log_normalizer_b=normal(2, 3))),
    Agree("merge_partial_attention", "logarithms of 900",
          given(output_a=normal(2, 3, 5), log_normalizer_a=[[900.0, -900.0, 899.0], [-899.0, -900.0, 900.0]],
                output_b=normal(2, 3, 5), log_normalizer_b=[[900.5, 900.0, -900.0], [-900.0, -898.0, 900.0]])),
    Agree("merge_partial_attention", "nothing and something",
          given(output_a=normal(2, 3, 5), log_normalizer_a=[[-INF, 0.5, -INF], [1.0, -INF, -2.0]],
                output_b=normal(2, 3, 5), log_normalizer_b=[[0.1, -INF, -900.0], [-INF, 900.0, -3.0]])),
    Agree("merge_partial_attention", "nothing and nothing",
          given(output_a=normal(2, 3, 5), log_normalizer_a=full(2, 3, value=-INF), output_b=normal(2, 3, 5),
                log_normalizer_b=full(2, 3, value=-INF)), no_gradient="a result of -inf has no slope"),
    Anchor(
        "merge_partial_attention", "3 to 1, and nothing twice",
        given(output_a=[[1.0], [0.0]], log_normalizer_a=[LOG_3, -INF], output_b=[[5.0], [0.0]], log_normalizer_b=[0.0, -INF]),
        gives=([[2.0], [0.0]], [LOG_4, -INF]), source="(3 * 1 + 1 * 5) / 4 by hand",
        near_misses={"plain mean": ([[3.0], [0.0]], [LOG_4, -INF]), "not divided": ([[8.0], [0.0]], [LOG_4, -INF]),
                     "weights swapped": ([[4.0], [0.0]], [LOG_4, -INF]), "logarithms added": ([[2.0], [0.0]], [LOG_3, -INF])},
    ),
    Law.equal(
        "two sets of keys", given(**ATTENTION),
        left=lambda f, query, key, value: flat(f.merge_partial_attention(
            *f.blockwise_attention(query, key[:, :, :2], value[:, :, :2], block_size=2, causal=False),
            *f.blockwise_attention(query, key[:, :, 2:], value[:, :, 2:], block_size=2, causal=False))),
        right=lambda f, query, key, value: flat(f.blockwise_attention(query, key, value, block_size=9, causal=False)),
    ),
    Law.equal("a then b is b then a", given(a=normal(2, 3, 5), log_a=normal(2, 3), b=normal(2, 3, 5), log_b=normal(2, 3)),
              left=lambda f, a, log_a, b, log_b: flat(f.merge_partial_attention(a, log_a, b, log_b)),
              right=lambda f, a, log_a, b, log_b: flat(f.merge_partial_attention(b, log_b, a, log_a))),
    Law.equal(
        "any tree", given(a=normal(2, 3, 5), log_a=normal(2, 3), b=normal(2, 3, 5), log_b=normal(2, 3), c=normal(2, 3, 5),
                          log_c=normal(2, 3)),
        left=lambda f, *parts: flat(f.merge_partial_attention(*f.merge_partial_attention(*parts[:4]), *parts[4:])),
        right=lambda f, *parts: flat(f.merge_partial_attention(*parts[:2], *f.merge_partial_attention(*parts[2:]))),
    ),
    Law.equal("nothing is neutral", given(a=normal(2, 3, 5), log_a=normal(2, 3)),
              left=lambda f, a, log_a: flat(f.merge_partial_attention(a, log_a, np.zeros((2, 3, 5)), np.full((2, 3), -INF))),
              right=lambda f, a, log_a: flat((a, log_a))),
    Rejects("merge_partial_attention", "outputs of two widths",
            given(output_a=zeros(2, 3, 5), log_normalizer_a=zeros(2, 3), output_b=zeros(2, 3, 1), log_normalizer_b=zeros(2, 3)),
            blames="output_b"),
    Rejects("merge_partial_attention", "a logarithm for every feature",
            given(output_a=zeros(2, 3, 5), log_normalizer_a=zeros(2, 3, 5), output_b=zeros(2, 3, 5),
                  log_normalizer_b=zeros(2, 3)),
            blames="log_normalizer_a"),
    Rejects("merge_partial_attention", "a logarithm too few",
            given(output_a=zeros(2, 3, 5), log_normalizer_a=zeros(2, 3), output_b=zeros(2, 3, 5), log_normalizer_b=zeros(2, 1)),
            blames="log_normalizer_b"),
    # Backward.
    Agree("attention_backward", "causal", given(**ATTENTION, **OUTPUT, causal=True)),
    Agree("attention_backward", "no mask", given(**ATTENTION, **OUTPUT, causal=False)),
    Agree("attention_backward", "logarithms of 900",
          given(query=[[[[1.0], [-1.0]]]], key=[[[[900.0], [899.0]]]], value=[[[[1.0, 2.0], [3.0, -1.0]]]],
                output=[[[[1.5, 1.2], [2.5, -0.2]]]], log_normalizer=[[[900.3132616875182, -898.6867383124818]]],
                upstream=[[[[1.0, 0.5], [-1.0, 2.0]]]], causal=True)),
    Anchor(
        "attention_backward", "two equal weights", given(**EVEN, causal=True), gives=gradients(-0.25, 0.25),
        source="dS = 1/2 (1 - 2), 1/2 (3 - 2), and the scale 1/2",
        near_misses={
            "not scaled": gradients(-0.5, 0.5), "scaled twice": gradients(-0.125, 0.125), "without D": gradients(0.25, 0.75),
            "D from the values": gradients(-0.75, -0.25), "D added": gradients(0.75, 1.25),
        },
    ),
    Law.equal(
        "the hand-written backward pass is the gradient", given(query=QUERY, key=KEY, value=normal(2, 3, 5, 2)),
        left=lambda f, *given: flat(f.attention_backward(
            *given, *f.blockwise_attention(*given, block_size=2, causal=True), np.ones((2, 3, 4, 2)), causal=True)),
        right=lambda f, *given: flat(
            f.gradient("blockwise_attention", *given, block_size=2, causal=True, wrt=i) for i in range(3)),
    ),
    Law.equal("no gradient reaches a key of the future", given(**ATTENTION, **OUTPUT),
              left=lambda f, query, key, value, output, log_normalizer, upstream: flat(
                  part[:, :, 2:] for part in f.attention_backward(
                      query[:, :, :1], key[:, :, :4], value[:, :, :4], output[:, :, :1], log_normalizer[:, :, :1],
                      upstream[:, :, :1], causal=False)[1:]),
              right=lambda f, query, key, value, output, log_normalizer, upstream: flat(
                  part[:, :, 2:] for part in f.attention_backward(
                      query[:, :, :1], key[:, :, :4], value[:, :, :4], output[:, :, :1], log_normalizer[:, :, :1],
                      upstream[:, :, :1], causal=True)[1:])),
    Rejects("attention_backward", "an output of another width",
            given(**SMALL, **(SMALL_OUTPUT | dict(output=zeros(1, 2, 3, 4))), causal=False), blames="output"),
    Rejects("attention_backward", "an upstream of another width",
            given(**SMALL, **(SMALL_OUTPUT | dict(upstream=zeros(1, 2, 3, 1))), causal=False), blames="upstream"),
    Rejects("attention_backward", "a logarithm for every key",
            given(**SMALL, **(SMALL_OUTPUT | dict(log_normalizer=zeros(1, 2, 5))), causal=False), blames="log_normalizer"),
    Rejects("attention_backward", "a causal query before all keys",
            given(**(SMALL | dict(query=zeros(1, 2, 6, 4))), output=zeros(1, 2, 6, 6), log_normalizer=zeros(1, 2, 6),
                  upstream=zeros(1, 2, 6, 6), causal=True), blames="query"),
    Rejects("attention_backward", "keys of another width",
            given(**(SMALL | dict(key=zeros(1, 2, 5, 3))), **SMALL_OUTPUT, causal=False), blames="key"),
    # Sums.
    Agree("streaming_logsumexp", "a block that does not divide", given(x=normal(3, 7, scale=3.0), block_size=3)),
    Agree("streaming_logsumexp", "one block larger than all", given(x=normal(3, 7, scale=3.0), block_size=9)),
    Agree("streaming_logsumexp", "rising, falling, low, and with -inf",
          given(x=[[500.0, 899.0, 900.0, 300.0], [900.0, 899.5, -500.0, -900.0], [-900.0, -901.0, -899.0, -950.0],
                   [-INF, -INF, 0.5, -INF]], block_size=2)),
    Agree("streaming_logsumexp", "nothing", given(x=full(3, 7, value=-INF), block_size=3),
          no_gradient="a result of -inf has no slope"),
    Anchor("streaming_logsumexp", "log 10 of log 1, 2, 3, 4, and of log 0, 4, 3, 3",
           given(x=log_of([[1.0, 2.0, 3.0, 4.0], [0.0, 4.0, 3.0, 3.0]]), block_size=1),
           gives=[2.302585092994046, 2.302585092994046], source="1 + 2 + 3 + 4",
           near_misses={"maximum alone": [LOG_4, LOG_4], "without the maximum": [0.9162907318741551, 0.9162907318741551],
                        "bits": [3.321928094887362, 3.321928094887362],
                        "old sums not rescaled": [2.772588722239781, 2.302585092994046]}),
    Law.equal("any block size", given(x=normal(3, 7, scale=3.0)),
              left=lambda f, x: np.stack([f.streaming_logsumexp(x, block_size=b) for b in (1, 2, 5)]),
              right=lambda f, x: np.log(np.exp(x).sum(-1))),
    Law.equal("a shift comes out", given(x=normal(3, 7, scale=3.0)),
              left=lambda f, x: f.streaming_logsumexp(x + 800.0, block_size=2),
              right=lambda f, x: 800.0 + f.streaming_logsumexp(x, block_size=2)),
    Law.normalized("its gradient is a distribution", given(x=normal(3, 7, scale=3.0)),
                   total=lambda f, x: f.gradient("streaming_logsumexp", x, block_size=3).sum(-1)),
    Law.at_least("not below the maximum", given(x=normal(3, 7, scale=3.0)),
                 left=lambda f, x: f.streaming_logsumexp(x, block_size=3), right=lambda f, x: x.max(-1)),
    Rejects("streaming_logsumexp", "blocks of nothing", given(x=zeros(2, 3), block_size=0), blames="block_size"),
    Rejects("streaming_logsumexp", "no batch", given(x=zeros(3), block_size=2), blames="x"),
)  # fmt: skip
