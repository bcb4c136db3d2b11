"""Contracts of attention (lecture 43)."""

import numpy as np

from shared_specs.autoregressive._cases import COIN_KEY, COIN_QUERY, COIN_VALUE, KEY, QUERY, VALUE
from shared_specs.rows import (
    LOG_3,
    Agree,
    Anchor,
    Law,
    Model,
    Rejects,
    begins_at,
    begins_by_inputs,
    begins_normal,
    given,
    integers,
    normal,
    zeros,
)

# Two of the five keys are hidden from everyone, the last one from the first query alone.
MASK = np.array([[1, 0, 1, 0, 0], [1, 0, 1, 0, 1], [1, 0, 1, 0, 1], [0, 0, 1, 0, 0]], dtype=bool)
CAUSAL_23 = np.array([[1, 1, 0], [1, 1, 1]], dtype=bool)
TOKENS = np.array([[1, 1, 1, 0], [0, 0, 1, 1], [0, 0, 0, 0]], dtype=bool)
HEADS = dict(
    query_weight=normal(12, 6, scale=0.6),
    key_weight=normal(12, 5, scale=0.6),
    value_weight=normal(12, 5, scale=0.6),
    output_weight=normal(6, 12, scale=0.6),
)
GROUPED = HEADS | dict(key_weight=normal(6, 5, scale=0.6), value_weight=normal(6, 5, scale=0.6))
X, CONTEXT = normal(2, 3, 6), normal(2, 4, 5)
NARROW = dict(x=zeros(1, 3, 2), context=zeros(1, 3, 2))
SMALL = dict(query_weight=zeros(4, 2), key_weight=zeros(4, 2), value_weight=zeros(4, 2), output_weight=zeros(2, 4))


def doubled(weight):
    """Each of two blocks of three rows twice in a row."""
    return weight.reshape(2, 3, 5).repeat(2, axis=0).reshape(12, 5)


def split(weight, head, count):
    """The rows of one head."""
    return np.split(weight, count)[head]


SPEC = (
    # Weights.
    Agree("attention_weights", "masked", given(query=QUERY, key=KEY, mask=MASK)),
    Agree("attention_weights", "regular", given(query=QUERY, key=KEY, mask=None)),
    Agree("attention_weights", "its own scale", given(query=QUERY, key=KEY, mask=None, scale=0.3)),
    Agree("attention_weights", "scores of 3000, masked and not",
          given(query=[[[[3000.0], [-3000.0]]]], key=[[[[1.0], [-1.0], [0.999]]]],
                mask=[[[[True, True, True], [False, True, True]]]], scale=1.0)),
    Agree("attention_weights", "one key", given(query=QUERY, key=normal(2, 3, 1, 6), mask=None)),
    Anchor(
        "attention_weights", "odds of 3 to 1 to 1", given(query=COIN_QUERY, key=COIN_KEY, mask=None),
        gives=[[[[0.6, 0.2, 0.2], [0.2, 0.6, 0.2]]]], source="log 9 scaled by 1/2 is log 3",
        near_misses={
            "not scaled": [[[[9 / 11, 1 / 11, 1 / 11], [1 / 11, 9 / 11, 1 / 11]]]],
            "scaled by 1/D": [[[[0.46410161513775459, 0.26794919243112271, 0.26794919243112271],
                                [0.26794919243112271, 0.46410161513775459, 0.26794919243112271]]]],
            "softmax over queries": [[[[0.75, 0.25, 0.5], [0.25, 0.75, 0.5]]]],
        },
    ),
    Anchor(
        "attention_weights", "the mask selects the keys",
        given(query=COIN_QUERY, key=COIN_KEY, mask=[[True, True, False], [False, True, True]]),
        gives=[[[[0.75, 0.25, 0.0], [0.0, 0.75, 0.25]]]], source="3 to 1 among the two that are left",
        near_misses={"masked after the softmax": [[[[0.6, 0.2, 0.0], [0.0, 0.6, 0.2]]]],
                     "polarity": [[[[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]]],
                     "score 0 for -inf": [[[[0.6, 0.2, 0.2], [0.2, 0.6, 0.2]]]]},
    ),
    Law.normalized("weights sum to one", given(query=QUERY, key=KEY, mask=MASK),
                   total=lambda f, query, key, mask: f.attention_weights(query, key, mask).sum(-1)),
    Law.equal("adding a vector to all keys changes nothing", given(query=QUERY, key=KEY, shift=normal(6)),
              left=lambda f, query, key, shift: f.attention_weights(query, key + shift, None),
              right=lambda f, query, key, shift: f.attention_weights(query, key, None)),
    Rejects("attention_weights", "a query without keys",
            given(query=zeros(1, 1, 2, 3), key=zeros(1, 1, 2, 3), mask=[[True, False], [False, False]]), blames="mask"),
    Rejects("attention_weights", "a mask of other lengths",
            given(query=zeros(1, 1, 2, 3), key=zeros(1, 1, 4, 3), mask=np.ones((2, 3), dtype=bool)), blames="mask"),
    Rejects("attention_weights", "keys of another width", given(query=zeros(1, 2, 2, 3), key=zeros(1, 2, 2, 4), mask=None),
            blames="key"),
    Rejects("attention_weights", "no axis of heads", given(query=zeros(2, 2, 3), key=zeros(2, 2, 3), mask=None), blames="query"),
    # Averages.
    Agree("scaled_dot_product_attention", "masked", given(query=QUERY, key=KEY, value=VALUE, mask=MASK)),
    Agree("scaled_dot_product_attention", "regular", given(query=QUERY, key=KEY, value=VALUE, mask=None)),
    Anchor(
        "scaled_dot_product_attention", "3 to 1 to 1 over 10, 20, 40",
        given(query=COIN_QUERY, key=COIN_KEY, value=COIN_VALUE, mask=None),
        gives=[[[[18.0, 0.6], [22.0, 0.2]]]], source="0.6 and 0.2 by hand",
        near_misses={"not scaled": [[[[150 / 11, 9 / 11], [230 / 11, 1 / 11]]]],
                     "sum for average": [[[[90.0, 3.0], [110.0, 1.0]]]]},
    ),
    Law.equal("a hidden key is a deleted key", given(query=QUERY, key=KEY, value=VALUE),
              left=lambda f, query, key, value: f.scaled_dot_product_attention(query, key, value, MASK[1]),
              right=lambda f, query, key, value: f.scaled_dot_product_attention(
                  query, key[:, :, MASK[1]], value[:, :, MASK[1]], None)),
    Law.equal("no gradient reaches a hidden key", given(query=QUERY, key=KEY, value=VALUE),
              left=lambda f, query, key, value: f.gradient("scaled_dot_product_attention", query, key, value, MASK[1], wrt=1)[
                  :, :, ~MASK[1]],
              right=0.0),
    Law.equal("permuted keys with their values", given(query=QUERY, key=KEY, value=VALUE),
              left=lambda f, query, key, value: f.scaled_dot_product_attention(query, key[:, :, ::-1], value[:, :, ::-1], None),
              right=lambda f, query, key, value: f.scaled_dot_product_attention(query, key, value, None)),
    Law.at_least("no output above the largest value", given(query=QUERY, key=KEY, value=VALUE),
                 left=lambda f, query, key, value: value.max(2, keepdims=True),
                 right=lambda f, query, key, value: f.scaled_dot_product_attention(query, key, value, None)),
    Rejects("scaled_dot_product_attention", "a value too few",
            given(query=zeros(1, 1, 2, 3), key=zeros(1, 1, 4, 3), value=zeros(1, 1, 3, 3), mask=None), blames="value"),
    # Masks.
    Anchor("causal_mask", "two queries at the end of three keys", given(query_length=2, key_length=3), gives=CAUSAL_23,
           source="by hand", near_misses={"aligned at the start": [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]],
                                          "strictly before": [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]],
                                          "the future": [[0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]}),
    Agree("causal_mask", "square", given(query_length=4, key_length=4)),
    Agree("causal_mask", "one query", given(query_length=1, key_length=5)),
    Rejects("causal_mask", "more queries than keys", given(query_length=3, key_length=2), blames="query_length"),
    Rejects("causal_mask", "no query", given(query_length=0, key_length=2), blames="query_length"),
    Agree("causal_padding_mask", "padding behind, before and everywhere", given(token_mask=TOKENS)),
    Anchor(
        "causal_padding_mask", "three tokens, the first or the last of them padding",
        given(token_mask=np.array([[0, 1, 1], [1, 1, 0]], dtype=bool)),
        gives=[[[[1, 0, 0], [0, 1, 0], [0, 1, 1]]], [[[1, 0, 0], [1, 1, 0], [1, 1, 1]]]], source="by hand",
        near_misses={"empty rows": [[[[0, 0, 0], [0, 1, 0], [0, 1, 1]]], [[[1, 0, 0], [1, 1, 0], [1, 1, 0]]]],
                     "padding queries see nothing else": [[[[1, 0, 0], [0, 1, 0], [0, 1, 1]]],
                                                          [[[1, 0, 0], [1, 1, 0], [0, 0, 1]]]]},
    ),
    Rejects("causal_padding_mask", "one axis", given(token_mask=np.ones(3, dtype=bool)), blames="token_mask"),
    # Heads.
    Agree("repeat_key_value", "regular", given(x=normal(2, 3, 4, 5), groups=2)),
    Agree("repeat_key_value", "one group", given(x=normal(2, 3, 4, 5), groups=1)),
    Anchor("repeat_key_value", "two heads for four", given(x=[[[[1.0]], [[2.0]]]], groups=2),
           gives=[[[[1.0]], [[1.0]], [[2.0]], [[2.0]]]], source="by hand",
           near_misses={"tiled": [[[[1.0]], [[2.0]], [[1.0]], [[2.0]]]]}),
    Rejects("repeat_key_value", "no group", given(x=zeros(1, 2, 3, 4), groups=0), blames="groups"),
    Rejects("repeat_key_value", "three axes", given(x=zeros(2, 3, 4), groups=2), blames="x"),
    Agree("multi_head_attention", "grouped queries, masked",
          given(x=X, context=CONTEXT, **GROUPED, mask=np.array([[1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]], dtype=bool), heads=4,
                key_value_heads=2)),
    Agree("multi_head_attention", "cross-attention", given(x=X, context=CONTEXT, **HEADS, mask=None, heads=4, key_value_heads=4)),
    Agree("multi_head_attention", "one head", given(x=X, context=CONTEXT, **HEADS, mask=None, heads=1, key_value_heads=1)),
    Anchor(
        "multi_head_attention", "two heads that read one number each",
        given(x=[[[1.0, 1.0]]], context=[[[LOG_3, 0.0], [0.0, LOG_3]]], query_weight=[[1.0, 0.0], [0.0, 1.0]],
              key_weight=[[1.0, 0.0], [0.0, 1.0]], value_weight=[[1.0, 0.0], [1.0, 0.0]], output_weight=[[1.0, 0.0], [0.0, 1.0]],
              mask=None, heads=2, key_value_heads=2),
        gives=[[[0.82395921650108235, 0.27465307216702742]]], source="3/4 log 3 and 1/4 log 3: each head prefers another token",
        near_misses={"one head of width 2": [[[0.54930614433405484, 0.54930614433405484]]],
                     "heads swapped": [[[0.27465307216702742, 0.82395921650108235]]]},
    ),
    Law.equal(
        "heads add up", given(x=X, context=CONTEXT, **HEADS),
        left=lambda f, x, context, q, k, v, o: f.multi_head_attention(x, context, q, k, v, o, None, heads=2, key_value_heads=2),
        right=lambda f, x, context, q, k, v, o: sum(
            f.multi_head_attention(x, context, split(q, h, 2), split(k, h, 2), split(v, h, 2), split(o.T, h, 2).T, None,
                                   heads=1, key_value_heads=1) for h in range(2)),
    ),
    Law.equal(
        "a group shares its keys and values", given(x=X, context=CONTEXT, **GROUPED),
        left=lambda f, x, context, q, k, v, o: f.multi_head_attention(x, context, q, k, v, o, None, heads=4, key_value_heads=2),
        right=lambda f, x, context, q, k, v, o: f.multi_head_attention(
            x, context, q, doubled(k), doubled(v), o, None, heads=4, key_value_heads=4),
    ),
    Law.equal(
        "the future has no influence", given(x=normal(1, 4, 5), key_weight=GROUPED["key_weight"], other=normal(1, 4, 5)),
        left=lambda f, x, k, other: f.multi_head_attention(
            x, x, k, k, k, k.T, np.tri(4, dtype=bool), heads=2, key_value_heads=2)[:, :2],
        right=lambda f, x, k, other: f.multi_head_attention(
            *[np.concatenate([x[:, :2], other[:, 2:]], axis=1)] * 2, k, k, k, k.T, np.tri(4, dtype=bool), heads=2,
            key_value_heads=2)[:, :2],
    ),
    Rejects("multi_head_attention", "heads in no whole groups",
            given(**NARROW, **SMALL, mask=None, heads=4, key_value_heads=3), blames="heads"),
    Rejects("multi_head_attention", "a width that heads do not divide",
            given(**NARROW, **SMALL, mask=None, heads=3, key_value_heads=3), blames="query_weight"),
    Rejects("multi_head_attention", "a context of another width",
            given(x=zeros(1, 3, 2), context=zeros(1, 3, 5), **SMALL, mask=None, heads=2, key_value_heads=2), blames="key_weight"),
    Rejects("multi_head_attention", "a context of another batch",
            given(x=zeros(1, 3, 2), context=zeros(2, 3, 2), **SMALL, mask=None, heads=2, key_value_heads=2), blames="context"),
    Rejects("multi_head_attention", "an output matrix that is transposed",
            given(**NARROW, **(SMALL | dict(output_weight=zeros(4, 2))), mask=None, heads=2,
                  key_value_heads=2), blames="output_weight"),
    # The networks.
    Model("MultiHeadAttention", "the past alone", given(x=normal(3, 5, 12), is_causal=True), sizes=dict(width=12, heads=3),
          initial={"*": begins_by_inputs()}, training=dict(dropout=0.5), sees={"x": 0}),
    Model("MultiHeadAttention", "grouped heads with a context of another width",
          given(x=normal(3, 5, 12), context=normal(3, 4, 7)), steps=0, training=dict(dropout=0.5),
          sizes=dict(width=12, heads=4, key_value_heads=2, context_width=7), initial={"*": begins_by_inputs()}),
    Model("MultiHeadAttention", "a separate mask for every example and query",
          given(x=normal(3, 5, 12), context=normal(3, 4, 12), mask=np.arange(60).reshape(3, 1, 5, 4) % 7 % 3 != 1), steps=0,
          training=dict(dropout=0.5), sizes=dict(width=12, heads=3), initial={"*": begins_by_inputs()}),
    # a deviation of 1 would make the first attention weights nearly 0 or 1
    # the beginning is symbol 256, which eight bits do not hold
    Model("Transducer", "an answer half written", steps=0,
          given=given(source=integers(3, 4, high=256), answer=integers(3, 3, high=256)),
          sizes=dict(symbols=256, length=4, width=8, heads=2), sees={"answer": -1},
          initial={"source*": begins_normal(0.5), "answer*": begins_normal(0.5), "norms.*.weight": begins_at(1),
                   "norms.*.bias": begins_at(0), "*": begins_by_inputs()}),
)  # fmt: skip
