"""Contracts of the transformer decoder (lectures 44 and 45)."""

import numpy as np

from shared_specs.rows import (
    Agree,
    Anchor,
    Cancels,
    Law,
    Model,
    Rejects,
    begins_at,
    begins_normal,
    given,
    integers,
    normal,
    zeros,
)

E, F, V, L = 4, 6, 5, 6  # width, feed-forward width, vocabulary, positions
TAIL, FAR_TAIL = (Cancels(x, "the usual kernels form 1 + erf and 1 + tanh, which lose the left tail") for x in (4.0, 30.0))
X, CAUSAL = normal(2, 3, E), np.tri(3, dtype=bool)
BLOCK = dict(
    attention_norm_weight=normal(E, mean=1.0, scale=0.2),
    attention_norm_bias=normal(E, scale=0.2),
    query_weight=normal(E, E, scale=0.6),
    key_weight=normal(E, E, scale=0.6),
    value_weight=normal(E, E, scale=0.6),
    output_weight=normal(E, E, scale=0.6),
    feed_forward_norm_weight=normal(E, mean=1.0, scale=0.2),
    feed_forward_norm_bias=normal(E, scale=0.2),
    up_weight=normal(F, E, scale=0.6),
    up_bias=normal(F, scale=0.2),
    down_weight=normal(E, F, scale=0.6),
    down_bias=normal(E, scale=0.2),
)
DECODER = dict(
    token_embedding=normal(V, E),
    position_embedding=normal(L, E),
    blocks=(BLOCK, {name: part for name, part in BLOCK.items()}),
    final_norm_weight=normal(E, mean=1.0, scale=0.2),
    final_norm_bias=normal(E, scale=0.2),
)
TOKENS = np.array([[3, 1, 4, 1], [0, 2, 2, 4]])
# A block of zeros adds nothing: what comes out is the embeddings' sum, normed (here to -1 and 1) and multiplied by the head.
SILENT = {name: zeros(*shape) for name, shape in dict(
    attention_norm_weight=(2,), attention_norm_bias=(2,), query_weight=(2, 2), key_weight=(2, 2), value_weight=(2, 2),
    output_weight=(2, 2), feed_forward_norm_weight=(2,), feed_forward_norm_bias=(2,), up_weight=(3, 2), up_bias=(3,),
    down_weight=(2, 3), down_bias=(2,)).items()}  # fmt: skip
PLAIN = dict(
    token_embedding=[[1.0, 0.0], [0.0, 3.0], [2.0, 5.0]],
    position_embedding=[[0.0, 2.0], [4.0, 0.0]],
    blocks=(SILENT,),
    final_norm_weight=[1.0, 2.0],
    final_norm_bias=[0.0, 0.5],
)
SIZES = dict(vocabulary_size=50257, width=768, layers=12, feed_forward_width=3072)


def without(parameters, name):
    """The parameters but one."""
    return {key: value for key, value in parameters.items() if key != name}


def _from_a_cache(network, tokens):
    """The logits of one token after the other, and those of all tokens at once."""
    cache, times = network.empty_cache(len(tokens)), range(tokens.shape[1])
    return [network.step(tokens[:, t : t + 1], cache, t) for t in times], network(tokens).unbind(1)


def _parts_from_a_cache(network, tokens):
    """Two tokens, then the rest; the first two take the places of two others, which are taken back."""
    cache, logits = network.empty_cache(len(tokens)), network(tokens)
    network.step_each(tokens[:, 2:4], cache, 0)
    first, rest = network.step_each(tokens[:, :2], cache, 0), network.step_each(tokens[:, 2:], cache, 2)
    return (first, rest), (logits[:, :2], logits[:, 2:])


def _chosen(logits, tokens):
    """log p of the tokens."""
    return logits.log_softmax(-1).gather(-1, tokens.long()[..., None])[..., 0]


SPEC = (
    # Activations.
    Agree("gelu", "exact", given(x=normal(3, 5, scale=2.0), approximate=False), cancels=TAIL),
    Agree("gelu", "tanh form", given(x=normal(3, 5, scale=2.0), approximate=True)),
    Agree("gelu", "far out, exact", given(x=[-30.0, -8.0, -5.0, 0.0, 8.0, 100.0], approximate=False), cancels=FAR_TAIL),
    Agree("gelu", "far out, tanh form", given(x=[-12.0, -8.0, -5.0, 0.0, 8.0, 100.0], approximate=True), cancels=FAR_TAIL),
    Anchor("gelu", "exact at 1, -2, 5/2", given(x=[1.0, -2.0, 2.5], approximate=False),
           gives=[0.84134474606854295, -0.045500263896358414, 2.4844758366855597], source="x Phi(x), mpmath, 30 digits",
           near_misses={"tanh form": [0.8411919906082767, -0.045402305912224981, 2.4849157339100014],
                        "sigmoid form": [0.8457957659328213, -0.06434137685579185, 2.4650138349514299],
                        "silu": [0.73105857863000488, -0.23840584404423511, 2.3103545499468911], "relu": [1.0, 0.0, 2.5]}),
    Anchor("gelu", "tanh form at 1, -2, 5/2", given(x=[1.0, -2.0, 2.5], approximate=True),
           gives=[0.8411919906082767, -0.045402305912224981, 2.4849157339100014], source="the formula, mpmath, 30 digits",
           near_misses={"exact": [0.84134474606854295, -0.045500263896358414, 2.4844758366855597]}),
    Agree("silu", "regular", given(x=normal(3, 5, scale=2.0))),
    Agree("silu", "far out", given(x=[-700.0, -30.0, -1e-3, 0.0, 30.0, 700.0])),
    Anchor("silu", "at 1, -2, 5/2", given(x=[1.0, -2.0, 2.5]),
           gives=[0.73105857863000488, -0.23840584404423511, 2.3103545499468911], source="x / (1 + e^-x), mpmath, 30 digits",
           near_misses={"gelu": [0.84134474606854295, -0.045500263896358414, 2.4844758366855597],
                        "sigmoid": [0.73105857863000488, 0.11920292202211757, 0.92414181997875645]}),
    Law.equal("gelu(x) - gelu(-x) = x", given(x=normal(7)),
              left=lambda f, x: f.gelu(x, approximate=True) - f.gelu(-x, approximate=True), right=lambda f, x: x),
    Law.equal("silu(x) - silu(-x) = x", given(x=normal(7)), left=lambda f, x: f.silu(x) - f.silu(-x), right=lambda f, x: x),
    # Feed-forward.
    Agree("feed_forward", "regular",
          given(x=X, up_weight=normal(F, E), up_bias=normal(F), down_weight=normal(E, F), down_bias=normal(E))),
    Agree("feed_forward", "exact gelu",
          given(x=X, up_weight=normal(F, E), up_bias=normal(F), down_weight=normal(E, F), down_bias=normal(E),
                approximate=False)),
    Anchor(
        "feed_forward", "one unit that reads 2x - y + 1",
        given(x=[[[1.0, 2.0], [1.0, 5.0]]], up_weight=[[2.0, -1.0]], up_bias=[1.0], down_weight=[[10.0], [1.0]],
              down_bias=[0.5, 0.0], approximate=False),
        gives=[[[8.9134474606854295, 0.84134474606854295], [0.04499736103641586, -0.045500263896358414]]],
        source="gelu(1) and gelu(-2)",
        near_misses={"no bias within": [[[0.5, 0.0], [0.4595030590510969, -0.00404969409489031]]],
                     "relu": [[[10.5, 1.0], [0.5, 0.0]]]},
    ),
    Rejects("feed_forward", "a matrix that is transposed",
            given(x=zeros(1, 2, 3), up_weight=zeros(4, 3), up_bias=zeros(4), down_weight=zeros(4, 3), down_bias=zeros(3)),
            blames="down_weight"),
    Rejects("feed_forward", "a bias of another width",
            given(x=zeros(1, 2, 3), up_weight=zeros(4, 3), up_bias=zeros(3), down_weight=zeros(3, 4), down_bias=zeros(3)),
            blames="up_bias"),
    Agree("gated_feed_forward", "regular",
          given(x=X, gate_weight=normal(F, E), up_weight=normal(F, E), down_weight=normal(E, F))),
    Anchor("gated_feed_forward", "gate 1, up 3", given(x=[[[1.0, 3.0]]], gate_weight=[[1.0, 0.0]], up_weight=[[0.0, 1.0]],
                                                      down_weight=[[1.0], [-2.0]]),
           gives=[[[2.1931757358900146, -4.3863514717800293]]], source="3 silu(1) and -6 silu(1)",
           near_misses={"gate on the other branch": [[[2.8577223804672998, -5.7154447609345997]]],
                        "gelu gate": [[[2.5240342382056289, -5.0480684764112577]]]}),
    Law.equal("linear in the up branch", given(x=X, gate=normal(F, E), up=normal(F, E), down=normal(E, F)),
              left=lambda f, x, gate, up, down: f.gated_feed_forward(x, gate, -4.0 * up, down),
              right=lambda f, x, gate, up, down: -4.0 * f.gated_feed_forward(x, gate, up, down)),
    Rejects("gated_feed_forward", "branches of different widths",
            given(x=zeros(1, 2, 3), gate_weight=zeros(4, 3), up_weight=zeros(5, 3), down_weight=zeros(3, 4)), blames="up_weight"),
    # Blocks.
    Agree("decoder_block", "pre-norm", given(x=X, parameters=BLOCK, mask=CAUSAL, heads=2, epsilon=1e-5, norm_position="pre")),
    Agree("decoder_block", "post-norm", given(x=X, parameters=BLOCK, mask=CAUSAL, heads=2, epsilon=1e-5, norm_position="post")),
    Agree("decoder_block", "no mask, one head",
          given(x=X, parameters=BLOCK, mask=None, heads=1, epsilon=0.1, norm_position="pre")),
    Law.equal("a silent pre-norm block leaves the stream alone", given(x=normal(2, 3, 2), p=SILENT),
              left=lambda f, x, p: f.decoder_block(x, p, None, heads=1, epsilon=1e-5, norm_position="pre"),
              right=lambda f, x, p: x),
    Law.equal("a post-norm block ends in a norm", given(x=X, p=BLOCK),
              left=lambda f, x, p: ((f.decoder_block(x, p, CAUSAL, heads=2, epsilon=0.0, norm_position="post")
                                     - p["feed_forward_norm_bias"]) / p["feed_forward_norm_weight"]).mean(-1),
              right=0.0),
    Rejects("decoder_block", "another place for the norm",
            given(x=zeros(1, 2, 2), parameters=SILENT, mask=None, heads=1, epsilon=0.1, norm_position="sandwich"),
            blames="norm_position"),
    Rejects("decoder_block", "three heads of a width of two",
            given(x=zeros(1, 2, 2), parameters=SILENT, mask=None, heads=3, epsilon=0.1, norm_position="pre"), blames="heads"),
    Rejects("decoder_block", "a parameter is missing",
            given(x=zeros(1, 2, 2), parameters=without(SILENT, "up_bias"), mask=None, heads=1, epsilon=0.1, norm_position="pre"),
            blames="up_bias"),
    # Decoders.
    Agree("decoder_logits", "tied head", given(tokens=TOKENS, parameters=DECODER, heads=2)),
    Agree("decoder_logits", "its own head, one step",
          given(tokens=TOKENS[:, :1], parameters=DECODER | dict(output_weight=normal(V, E)), heads=1, epsilon=0.1)),
    Agree("decoder_logits", "as many tokens as positions", given(tokens=integers(2, L, high=V), parameters=DECODER, heads=4)),
    Anchor(
        "decoder_logits", "a silent block", given(tokens=[[0, 2]], parameters=PLAIN, heads=1, epsilon=0.0),
        gives=[[[-1.0, 7.5, 10.5], [1.0, -4.5, -5.5]]],
        source="embeddings [1, 2] and [6, 5] are normed to [-1, 1] and [1, -1], then to [-1, 2.5] and [1, -1.5]",
        near_misses={"no last norm": [[[1.0, 6.0, 12.0], [6.0, 15.0, 37.0]]],
                     "no positions": [[[1.0, -4.5, -5.5], [-1.0, 7.5, 10.5]]],
                     "no last bias": [[[-1.0, 6.0, 8.0], [1.0, -6.0, -8.0]]]},
    ),
    Law.equal("the future has no influence", given(p=DECODER),
              left=lambda f, p: f.decoder_logits(np.array([[3, 1, 0, 2]]), p, heads=2)[:, :2],
              right=lambda f, p: f.decoder_logits(np.array([[3, 1, 4, 1]]), p, heads=2)[:, :2]),
    Law.equal("prefixes agree", given(p=DECODER), left=lambda f, p: f.decoder_logits(TOKENS, p, heads=2)[:, :1],
              right=lambda f, p: f.decoder_logits(TOKENS[:, :1], p, heads=2)),
    Law.equal("its own head that equals the embedding is the tied head", given(p=DECODER),
              left=lambda f, p: f.decoder_logits(TOKENS, p | {"output_weight": p["token_embedding"]}, heads=2),
              right=lambda f, p: f.decoder_logits(TOKENS, p, heads=2)),
    Anchor("decoder_logits", "256 tokens, of which the last is like token 2 above",
           given(tokens=[[0, 255]], parameters=PLAIN | dict(
               token_embedding=np.concatenate([[[1.0, 0.0]], np.zeros((254, 2)), [[2.0, 5.0]]]),
               output_weight=[[1.0, 0.0], [0.0, 3.0], [2.0, 5.0]]), heads=1, epsilon=0.0),
           gives=[[[-1.0, 7.5, 10.5], [1.0, -4.5, -5.5]]], source="as above"),
    Rejects("decoder_logits", "a token beyond the vocabulary", given(tokens=[[0, 3]], parameters=PLAIN, heads=1),
            blames="tokens"),
    Rejects("decoder_logits", "a negative token", given(tokens=[[0, -1]], parameters=PLAIN, heads=1), blames="tokens"),
    Rejects("decoder_logits", "more tokens than positions", given(tokens=[[0, 1, 2]], parameters=PLAIN, heads=1),
            blames="tokens"),
    Rejects("decoder_logits", "three heads of a width of two", given(tokens=[[0, 1]], parameters=PLAIN, heads=3), blames="heads"),
    Rejects("decoder_logits", "a parameter is missing",
            given(tokens=[[0, 1]], parameters=without(PLAIN, "final_norm_bias"), heads=1), blames="final_norm_bias"),
    # Costs.
    Agree("parameter_count", "small, untied", given(vocabulary_size=5, context_length=7, width=4, layers=3, feed_forward_width=6,
                                                    tied=False)),
    Anchor("parameter_count", "GPT-2 small without its attention biases", given(**SIZES, context_length=1024, tied=True),
           gives=124_402_944, source="124,439,808 less 12 x 4 x 768",
           near_misses={"untied": 163_000_320, "with attention biases": 124_439_808, "without norms": 124_364_544}),
    Rejects("parameter_count", "no layers", given(**(SIZES | dict(layers=0)), context_length=1024, tied=True), blames="layers"),
    Agree("forward_operations", "small", given(vocabulary_size=5, length=7, width=4, layers=3, feed_forward_width=6)),
    Anchor("forward_operations", "GPT-2 small at 1024", given(**SIZES, length=1024), gives=291_648_307_200,
           source="1024 (12 (8 768^2 + 4 768 3072 + 4 1024 768) + 2 50257 768)",
           near_misses={"multiply-adds as one": 145_824_153_600, "without attention": 252_993_601_536,
                        "without the head": 212_600_881_152}),
    Rejects("forward_operations", "length 0", given(**SIZES, length=0), blames="length"),
    # The network. GPT-2's deviations; the ends of the 2N = 4 branches are smaller by their root, which keeps the stream's size.
    Model("DecoderTransformer", "two blocks", given(tokens=integers(3, 6, high=11)),
          sizes=dict(vocabulary_size=11, context_length=7, width=12, layers=2, heads=3), training=dict(dropout=0.5), steps=10,
          sees={"tokens": 0},
          initial={"*norm.weight": begins_at(1), "*.bias": begins_at(0), "*.output.weight": begins_normal(0.01),
                   "*.down.weight": begins_normal(0.01), "*.weight": begins_normal(0.02)},
          relations={"one token after the other, from a cache": _from_a_cache,
                     "several tokens after others, from a cache": _parts_from_a_cache,
                     "the logits of what is hidden": lambda network, tokens: (
                         network.logits(network.hidden(tokens)), network(tokens)),
                     "the cross-entropy of targets": lambda network, tokens: (
                         network(tokens, tokens.flip(1)), -_chosen(network(tokens), tokens.flip(1)).mean())}),
)  # fmt: skip
