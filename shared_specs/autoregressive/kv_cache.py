"""Contracts of the key-value cache (lecture 48)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, given, normal, zeros

N, B, H, L, S, D, E, F, V = 2, 3, 2, 5, 4, 3, 6, 7, 8  # layers, batch, heads, rows, tokens, head width, width, inner, vocabulary


def block():
    square = {f"{name}_weight": normal(E, E, scale=0.6) for name in ("query", "key", "value", "output")}
    gains = {f"{name}_norm_weight": normal(E, mean=1.0, scale=0.2) for name in ("attention", "feed_forward")}
    offsets = {f"{name}_norm_bias": normal(E, scale=0.2) for name in ("attention", "feed_forward")}
    perceptron = dict(up_weight=normal(F, E, scale=0.6), up_bias=normal(F, scale=0.2), down_weight=normal(E, F, scale=0.6))
    return square | gains | offsets | perceptron | dict(down_bias=normal(E, scale=0.2))


DECODER = dict(
    token_embedding=normal(V, E),
    position_embedding=normal(7, E),
    blocks=(block(), block()),
    final_norm_weight=normal(E, mean=1.0, scale=0.2),
    final_norm_bias=normal(E, scale=0.2),
)
TOKENS = np.array([[3, 1, 4, 1], [0, 2, 7, 4], [5, 5, 6, 2]])
CACHES = dict(cache_keys=normal(N, B, H, L, D), cache_values=normal(N, B, H, L, D))
EMPTY = np.zeros((N, B, H, L, D))
CACHE = dict(cache_key=normal(B, H, L, D), cache_value=normal(B, H, L, D))
GPT2 = dict(batch=1, layers=12, key_value_heads=12, head_width=64, length=1024, element_bytes=2)
LINE = np.arange(1.0, 6.0).reshape(1, 1, 5, 1)  # rows 1..5 of one head of width 1


def in_two(f, parameters, garbage):
    """Logits of TOKENS as a prefill of three and a step of one, into caches full of `garbage`."""
    first, *caches = f.cached_decoder_step(TOKENS[:, :3], EMPTY + garbage, EMPTY + garbage, parameters, heads=H, position=0)
    return np.concatenate([first, f.cached_decoder_step(TOKENS[:, 3:], *caches, parameters, heads=H, position=3)[0]], axis=1)


def at_once(f, parameters):
    return f.cached_decoder_step(TOKENS, EMPTY, EMPTY, parameters, heads=H, position=0)[0]


def attended(f, query, key, value, position):
    return f.cached_attention(query, key, value, position=position)


SPEC = (
    Agree("append_cache", "two rows in the middle", given(**CACHE, key=normal(B, H, 2, D), value=normal(B, H, 2, D), position=1)),
    Agree("append_cache", "one row, the last", given(**CACHE, key=normal(B, H, 1, D), value=normal(B, H, 1, D), position=4)),
    Agree("append_cache", "all rows", given(**CACHE, key=normal(B, H, L, D), value=normal(B, H, L, D), position=0)),
    Anchor(
        "append_cache", "rows 2 and 3 of five",
        given(cache_key=LINE, cache_value=-LINE, key=[[[[8.0], [9.0]]]], value=[[[[6.0], [7.0]]]], position=2),
        gives=([[[[1.0], [2.0], [8.0], [9.0], [5.0]]]], [[[[-1.0], [-2.0], [6.0], [7.0], [-5.0]]]]), source="by hand",
        near_misses={
            "rows counted from 1": ([[[[1.0], [8.0], [9.0], [4.0], [5.0]]]], [[[[-1.0], [6.0], [7.0], [-4.0], [-5.0]]]]),
            "inserted": ([[[[1.0], [2.0], [8.0], [9.0], [3.0]]]], [[[[-1.0], [-2.0], [6.0], [7.0], [-3.0]]]]),
            "appended at the end": ([[[[3.0], [4.0], [5.0], [8.0], [9.0]]]], [[[[-3.0], [-4.0], [-5.0], [6.0], [7.0]]]]),
        },
    ),
    Rejects("append_cache", "rows beyond the end, which JAX would write elsewhere",
            given(**CACHE, key=zeros(B, H, 2, D), value=zeros(B, H, 2, D), position=4), blames="position"),
    Rejects("append_cache", "a negative position",
            given(**CACHE, key=zeros(B, H, 2, D), value=zeros(B, H, 2, D), position=-1), blames="position"),
    Rejects("append_cache", "keys of another width",
            given(**CACHE, key=zeros(B, H, 2, D + 1), value=zeros(B, H, 2, D), position=0), blames="key"),
    Rejects("append_cache", "values of another number of heads",
            given(**CACHE, key=zeros(B, H, 2, D), value=zeros(B, H + 1, 2, D), position=0), blames="value"),
    Rejects("append_cache", "more keys than values",
            given(**CACHE, key=zeros(B, H, 2, D), value=zeros(B, H, 1, D), position=0), blames="value"),
    Rejects("append_cache", "caches of two lengths",
            given(**(CACHE | dict(cache_value=zeros(B, H, L + 1, D))), key=zeros(B, H, 2, D), value=zeros(B, H, 2, D),
                  position=0), blames="cache_value"),
    # Attention.
    Agree("cached_attention", "two queries with rows before and after", given(query=normal(B, H, 2, D), **CACHE, position=1)),
    Agree("cached_attention", "one query", given(query=normal(B, H, 1, D), **CACHE, position=3)),
    Agree("cached_attention", "the first token of all", given(query=normal(B, H, 1, D), **CACHE, position=0)),
    Agree("cached_attention", "the whole cache", given(query=normal(B, H, L, D), **CACHE, position=0)),
    Anchor(
        "cached_attention", "equal scores: means of 1..3 and 1..4",
        given(query=np.zeros((1, 1, 2, 1)), cache_key=LINE, cache_value=LINE, position=2), gives=[[[[2.0], [2.5]]]],
        source="by hand",
        near_misses={"rows before the position only": [[[[1.5], [2.0]]]], "all rows": [[[[3.0], [3.0]]]],
                     "queries at 0 and 1": [[[[1.0], [1.5]]]], "both up to the last": [[[[2.5], [2.5]]]]},
    ),
    Law.equal("what no token has reached has no influence",
              given(query=normal(B, H, 2, D), key=normal(B, H, L, D), value=normal(B, H, L, D)),
              left=lambda f, query, key, value: attended(f, query, *(np.where(np.arange(L)[:, None] < 3, x, np.nan)
                                                                     for x in (key, value)), 1),
              right=lambda f, query, key, value: attended(f, query, key, value, 1)),
    Rejects("cached_attention", "a query beyond the cache", given(query=zeros(B, H, 2, D), **CACHE, position=4),
            blames="position"),
    Rejects("cached_attention", "keys of another batch",
            given(query=zeros(B, H, 2, D), **(CACHE | dict(cache_key=zeros(B + 1, H, L, D))), position=0), blames="cache_key"),
    Rejects("cached_attention", "more values than keys",
            given(query=zeros(B, H, 2, D), **(CACHE | dict(cache_value=zeros(B, H, L + 1, D))), position=0),
            blames="cache_value"),
    # Decoders.
    Agree("cached_decoder_step", "two tokens onto a past of one",
          given(tokens=TOKENS[:, :2], **CACHES, parameters=DECODER, heads=H, position=1)),
    Agree("cached_decoder_step", "one token, its own head, another epsilon",
          given(tokens=TOKENS[:, :1], **CACHES, parameters=DECODER | dict(output_weight=normal(V, E)), heads=H, position=3,
                epsilon=0.1)),
    Anchor(
        "cached_decoder_step", "a block that only looks back",
        given(tokens=[[1]], cache_keys=[[[[[3.0, -3.0], [9.0, 9.0]]]]], cache_values=[[[[[5.0, 7.0], [9.0, 9.0]]]]],
              parameters=dict(
                  token_embedding=[[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]], position_embedding=[[7.0, 7.0], [3.0, -1.0]],
                  blocks=(dict(
                      attention_norm_weight=[1.0, 1.0], attention_norm_bias=[0.0, 0.0], query_weight=[[0.0, 0.0], [0.0, 0.0]],
                      key_weight=[[1.0, 0.0], [0.0, 1.0]], value_weight=[[1.0, 0.0], [0.0, 1.0]],
                      output_weight=[[1.0, 0.0], [0.0, 1.0]], feed_forward_norm_weight=[1.0, 1.0],
                      feed_forward_norm_bias=[0.0, 0.0], up_weight=[[0.0, 0.0]], up_bias=[0.0], down_weight=[[0.0], [0.0]],
                      down_bias=[0.0, 0.0]),),
                  final_norm_weight=[1.0, 2.0], final_norm_bias=[0.5, 0.0]),
              heads=1, position=1, epsilon=0.0),
        # The stream is [3, 1], normed [1, -1]: the new key and value. Equal scores: the mean of [5, 7] and [1, -1] is [3, 3].
        gives=([[[1.5, -4.0, -0.5]]], [[[[[3.0, -3.0], [1.0, -1.0]]]]], [[[[[5.0, 7.0], [1.0, -1.0]]]]]),
        source="[3, 1] + [3, 3] is normed to [1, -1], then to [1.5, -2]",
        near_misses={
            "position 0 for the new token": ([[[0.5, 4.0, 1.5]]], [[[[[3.0, -3.0], [-1.0, 1.0]]]]],
                                             [[[[[5.0, 7.0], [-1.0, 1.0]]]]]),
            "written over the first row": ([[[1.5, -4.0, -0.5]]], [[[[[1.0, -1.0], [9.0, 9.0]]]]],
                                           [[[[[1.0, -1.0], [9.0, 9.0]]]]]),
        },
    ),
    Law.equal("three tokens, then one, into garbage: as all at once", given(parameters=DECODER),
              left=lambda f, p: in_two(f, p, 9.9), right=at_once),
    Agree("cached_decoder_step", "256 tokens",
          given(tokens=[[255], [0], [7]], **CACHES, heads=H, position=2,
                parameters=DECODER | dict(token_embedding=normal(256, E), output_weight=normal(V, E)))),
    Rejects("cached_decoder_step", "tokens beyond the caches",
            given(tokens=TOKENS[:, :2], **CACHES, parameters=DECODER, heads=H, position=4), blames="position"),
    Rejects("cached_decoder_step", "tokens beyond the position embeddings",
            given(tokens=TOKENS[:, :2], **CACHES, parameters=DECODER | dict(position_embedding=zeros(3, E)), heads=H, position=2),
            blames="position"),
    Rejects("cached_decoder_step", "caches of three layers for two blocks",
            given(tokens=TOKENS, cache_keys=zeros(3, B, H, L, D), cache_values=zeros(3, B, H, L, D), parameters=DECODER, heads=H,
                  position=0), blames="cache_keys"),
    Rejects("cached_decoder_step", "a token beyond the vocabulary",
            given(tokens=[[V], [0], [0]], **CACHES, parameters=DECODER, heads=H, position=0), blames="tokens"),
    # Costs, positions.
    Agree("cache_bytes", "all sizes different",
          given(batch=2, layers=3, key_value_heads=5, head_width=7, length=11, element_bytes=4)),
    Anchor("cache_bytes", "GPT-2 small, 1024 tokens, 16 bits", given(**GPT2), gives=37_748_736,
           source="2 x 12 x 12 x 64 x 1024 x 2",
           near_misses={"keys only": 18_874_368, "bits": 301_989_888, "per layer": 3_145_728}),
    Rejects("cache_bytes", "no heads", given(**GPT2 | dict(key_value_heads=0)), blames="key_value_heads"),
    Agree("left_padded_positions", "different paddings", given(token_mask=[[0, 0, 1, 1, 1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 1]])),
    Agree("left_padded_positions", "truth values", given(token_mask=np.array([[False, True, True], [True, True, True]]))),
    Agree("left_padded_positions", "nothing but padding", given(token_mask=[[0, 0, 0]])),
    Anchor("left_padded_positions", "two of five padded", given(token_mask=[[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]]),
           gives=[[0, 0, 0, 1, 2], [0, 1, 2, 3, 4]], source="by hand",
           near_misses={"from 1": [[0, 0, 1, 2, 3], [1, 2, 3, 4, 5]], "negative before": [[-1, -1, 0, 1, 2], [0, 1, 2, 3, 4]],
                        "padding counted": [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]}),
    Anchor("left_padded_positions", "more tokens than eight bits count", given(token_mask=np.ones((1, 300), int)),
           gives=[[*range(300)]], source="by hand"),
)  # fmt: skip
