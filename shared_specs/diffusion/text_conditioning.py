"""Contracts of conditioning on text (lectures 35 and 36)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, concatenate, given, normal, zeros

MASK = np.array([[True, True, False, True], [False, True, False, False], [True, True, True, True]])
WEIGHTS = dict(
    query_weight=normal(6, 5, scale=0.6),
    key_weight=normal(6, 2, scale=0.6),
    value_weight=normal(6, 2, scale=0.6),
    output_weight=normal(5, 6, scale=0.6),
)
CAPTIONED = dict(tokens=normal(3, 7, 5), context=normal(3, 4, 2), mask=MASK)
# One channel and one head: three words 1, 0 and -1, of which a pixel sees 4/7, 2/7 and 1/7 at 1.
THREE = dict(tokens=[[[1.0], [-1.0]]], context=[[[1.0], [0.0], [-1.0]]])
ONES = dict(query_weight=[[1.0]], key_weight=[[np.log(2)]], value_weight=[[1.0]], output_weight=[[1.0]])
ALL = np.ones((1, 3), dtype=bool)


def attend(f, tokens, context, mask, *weights, num_heads=2):
    return f.cross_attention(tokens, context, mask, *weights, num_heads=num_heads)


SPEC = (
    # Pixels and tokens.
    Agree("image_to_tokens", "regular", given(x=normal(2, 3, 4, 5))),
    Anchor("image_to_tokens", "two channels of two by three", given(x=[[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]],
                                                                      [[-1.0, -2.0, -3.0], [-4.0, -5.0, -6.0]]]]),
           gives=[[[1.0, -1.0], [2.0, -2.0], [3.0, -3.0], [4.0, -4.0], [5.0, -5.0], [6.0, -6.0]]], source="row after row",
           near_misses={"columns first": [[[1.0, -1.0], [4.0, -4.0], [2.0, -2.0], [5.0, -5.0], [3.0, -3.0], [6.0, -6.0]]],
                        "reshaped": [[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [-1.0, -2.0], [-3.0, -4.0], [-5.0, -6.0]]]}),
    Rejects("image_to_tokens", "three axes", given(x=zeros(2, 3, 4)), blames="x"),
    Agree("tokens_to_image", "regular", given(tokens=normal(2, 20, 3), height=4, width=5)),
    Anchor("tokens_to_image", "two by three", given(tokens=[[[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]]], height=2, width=3),
           gives=[[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]], source="row after row",
           near_misses={"columns first": [[[[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]]]]}),
    Law.equal("each undoes the other", given(x=normal(2, 3, 4, 5)),
              left=lambda f, x: f.tokens_to_image(f.image_to_tokens(x), height=4, width=5), right=lambda f, x: x),
    Rejects("tokens_to_image", "an image of more pixels", given(tokens=zeros(2, 20, 3), height=4, width=6), blames="tokens"),
    Rejects("tokens_to_image", "no row", given(tokens=zeros(2, 20, 3), height=0, width=5), blames="height"),
    Rejects("tokens_to_image", "four axes", given(tokens=zeros(2, 3, 4, 5), height=4, width=5), blames="tokens"),
    # Cross-attention.
    Agree("cross_attention", "two heads", given(**CAPTIONED, **WEIGHTS, num_heads=2)),
    Agree("cross_attention", "six heads", given(**CAPTIONED, **WEIGHTS, num_heads=6)),
    Agree("cross_attention", "one head", given(**CAPTIONED, **WEIGHTS, num_heads=1)),
    Agree("cross_attention", "huge words behind the mask", given(
        tokens=normal(1, 2, 5), context=concatenate(normal(1, 2, 2), np.full((1, 1, 2), 1e5), axis=1), mask=[[True, True, False]],
        **WEIGHTS, num_heads=2)),
    Anchor("cross_attention", "three words", given(**THREE, mask=ALL, **ONES, num_heads=1), gives=[[[3 / 7], [-3 / 7]]],
           source="by hand",
           near_misses={"softmax over pixels": [[[0.6], [-0.6]]], "with the residual": [[[10 / 7], [-10 / 7]]],
                        "the keys as values": [[[3 / 7 * np.log(2)], [-3 / 7 * np.log(2)]]], "the sum": [[[1.5], [-1.5]]]}),
    Anchor("cross_attention", "the third word hidden", given(**THREE, mask=[[True, True, False]], **ONES, num_heads=1),
           gives=[[[2 / 3], [1 / 3]]], source="by hand",
           near_misses={"masked after the softmax": [[[4 / 7], [1 / 7]]], "inverted": [[[-1.0], [-1.0]]],
                        "not masked": [[[3 / 7], [-3 / 7]]]}),
    Anchor("cross_attention", "two heads of size two, scaled by the root of two", given(
        tokens=[[[1.0]]], context=[[[1.0], [0.0]]], mask=[[True, True]], query_weight=[[1.0], [1.0], [0.0], [0.0]],
        key_weight=[[np.log(3) / 2**0.5], [np.log(3) / 2**0.5], [5.0], [5.0]], value_weight=[[4.0], [0.0], [0.0], [2.0]],
        output_weight=[[1.0, 0.0, 0.0, 1.0]], num_heads=2), gives=[[[4.0]]], source="4 * 3/4 + 2 * 1/2",
        near_misses={"not scaled": [[[4.30214]]], "by the root of all rows": [[[3.7401]]],
          "by that of the tokens": [[[4.30214]]]}),
    Law.equal("the order of words does not enter", given(**CAPTIONED, **WEIGHTS, order=np.array([2, 0, 3, 1])),
              left=lambda f, x, c, m, q, k, v, o, order: attend(f, x, c[:, order], m[:, order], q, k, v, o),
              right=lambda f, x, c, m, q, k, v, o, order: attend(f, x, c, m, q, k, v, o)),
    Law.equal("pixels are independent", given(**CAPTIONED, **WEIGHTS, order=np.array([3, 1, 6])),
              left=lambda f, x, c, m, q, k, v, o, order: attend(f, x[:, order], c, m, q, k, v, o),
              right=lambda f, x, c, m, q, k, v, o, order: attend(f, x, c, m, q, k, v, o)[:, order]),
    Law.equal("hidden words do not enter", given(**CAPTIONED, **WEIGHTS, other=normal(3, 4, 2)),
              left=lambda f, x, c, m, q, k, v, o, other: attend(f, x, np.where(m[:, :, None], c, 9 * other), m, q, k, v, o),
              right=lambda f, x, c, m, q, k, v, o, other: attend(f, x, c, m, q, k, v, o)),
    Law.equal("and have no slope", given(**CAPTIONED, **WEIGHTS),
              left=lambda f, *all: 1 + np.where(all[2][:, :, None], 0, f.gradient(
                  "cross_attention", *all, wrt=1, num_heads=2)), right=1.0),
    Law.equal("one word is every pixel's answer", given(tokens=normal(3, 7, 5), context=normal(3, 1, 2), **WEIGHTS),
              left=lambda f, x, c, q, k, v, o: attend(f, x, c, np.ones((3, 1), dtype=bool), q, k, v, o),
              right=lambda f, x, c, q, k, v, o: np.broadcast_to(c @ v.T @ o.T, (3, 7, 5))),
    Law.equal("saying everything twice changes nothing", given(**CAPTIONED, **WEIGHTS),
              left=lambda f, x, c, m, q, k, v, o: attend(f, x, np.tile(c, (1, 2, 1)), np.tile(m, (1, 2)), q, k, v, o),
              right=lambda f, x, c, m, q, k, v, o: attend(f, x, c, m, q, k, v, o)),
    Law.equal("a pixel that does not ask gets the mean", given(**CAPTIONED, **WEIGHTS),
              left=lambda f, x, c, m, q, k, v, o: attend(f, x, c, m, 0 * q, k, v, o),
              right=lambda f, x, c, m, q, k, v, o: np.broadcast_to((f.masked_mean(c, m) @ v.T @ o.T)[:, None], (3, 7, 5))),
    Rejects("cross_attention", "a caption of no word", given(**CAPTIONED | {"mask": np.array([[True] * 4, [False] * 4,
              [True] * 4])},
                                                            **WEIGHTS, num_heads=2), blames="mask"),
    Rejects("cross_attention", "a mask of other words", given(**CAPTIONED | {"mask": np.ones((3, 5), dtype=bool)}, **WEIGHTS,
                                                             num_heads=2), blames="mask"),
    Rejects("cross_attention", "captions of another batch", given(**CAPTIONED | {"context": zeros(2, 4, 2)}, **WEIGHTS,
              num_heads=2),
            blames="context"),
    Rejects("cross_attention", "four heads of six rows", given(**CAPTIONED, **WEIGHTS, num_heads=4), blames="num_heads"),
    Rejects("cross_attention", "queries of words", given(**CAPTIONED, **WEIGHTS | {"query_weight": zeros(6, 2)}, num_heads=2),
            blames="query_weight"),
    Rejects("cross_attention", "keys of pixels", given(**CAPTIONED, **WEIGHTS | {"key_weight": zeros(6, 5)}, num_heads=2),
            blames="key_weight"),
    Rejects("cross_attention", "fewer values", given(**CAPTIONED, **WEIGHTS | {"value_weight": zeros(4, 2)}, num_heads=2),
            blames="value_weight"),
    Rejects("cross_attention", "an output of words", given(**CAPTIONED, **WEIGHTS | {"output_weight": zeros(2, 6)}, num_heads=2),
            blames="output_weight"),
    # The caption as one vector.
    Agree("masked_mean", "regular", given(context=normal(3, 4, 2), mask=MASK)),
    Anchor("masked_mean", "two of three words", given(context=[[[1.0, 2.0], [50.0, 60.0], [3.0, -4.0]]],
              mask=[[True, False, True]]),
           gives=[[2.0, -1.0]], source="by hand",
           near_misses={"by all words": [[4 / 3, -2 / 3]], "of all": [[18.0, 58 / 3]], "inverted": [[50.0, 60.0]],
             "the sum": [[4.0, -2.0]]}),
    Rejects("masked_mean", "a caption of no word", given(context=zeros(2, 3, 2), mask=[[True, False, True], [False] * 3]),
              blames="mask"),
    Rejects("masked_mean", "a mask of other words", given(context=zeros(2, 3, 2), mask=np.ones((2, 2), dtype=bool)),
              blames="mask"),
)  # fmt: skip
