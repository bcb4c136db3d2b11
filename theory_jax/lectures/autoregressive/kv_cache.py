"""The key-value cache: what never changes need not be computed again.

The lecture on the functions of theory_jax/autoregressive/kv_cache.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from sympy import Rational, exp, oo

from theory_jax.autoregressive.attention import causal_padding_mask
from theory_jax.autoregressive.kv_cache import append_cache, cache_bytes, cached_attention, left_padded_positions
from theory_jax.autoregressive.normalization import layer_norm
from theory_jax.autoregressive.position import apply_rotary, rotary_angles
from theory_jax.autoregressive.transformer import decoder_block, decoder_logits, forward_operations
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.draws import draw
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Limit, Total, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.autoregressive._caches import PARAMETERS, TOKENS, costs, in_chunks, outputs_of_three_steps
from theory_jax.lectures.autoregressive.position import central as rotations
from theory_jax.lectures.autoregressive.transformer import block

derivation = Derivation(
    module=__name__,
    title="The key-value cache: what never changes need not be computed again",
    lectures=(48,),
    sources=("Shazeer 2019, Fast Transformer Decoding", "Pope et al. 2022, Efficiently Scaling Transformer Inference"),
    question="A decoder that reads its whole text again for every new token does a thousand times the work for the thousandth, "
    "and nearly all of it a second time. Which part of a pass is the same as the last time, and what do time and memory cost "
    "when it is kept?",
    setting=(
        r"A causal decoder (topic transformer) has $N$ layers of width $E$. In each layer every token has a query $q_p$, a key "
        r"$k_p$ and a value $v_p$, which are linear maps of its normalized stream. In the chains they are single numbers; with "
        r"vectors $q_p k_r$ is an inner product, and the argument is the same.",
        r"The cache of a layer has $L$ rows for keys and values. A step at position $p$ writes row $p$ and then attends to the "
        r"rows up to it. Later rows hold arbitrary numbers: zeros, or what an earlier text left there.",
        r"A multiplication and an addition are two operations. Attention over $i$ keys costs $4 i E$ in a layer, the matrices "
        r"$24 E^2$ a token (with a feed-forward width of $4E$).",
    ),
    limits=(
        "Seconds are not derived: decoding is bound by reading memory, which operations do not count.",
        "Sliding windows and the eviction of rows are not treated.",
        "A beam search has to reorder its caches with its beams; that is the topic search.",
    ),
    trained="A cache changes the cost of sampling, not the model. `autoregressive/transformer` trains a model that is "
    "sampled with one.",
)

p = derivation.index("p", "the position of the step", "position")
r = derivation.index("r", "a row of the cache")
q = derivation.numbers("q", p, "the query of the step", "query")
k = derivation.numbers("k", r, "the keys of the tokens")
v = derivation.numbers("v", r, "their values")
g = derivation.numbers("g", r, "the number in row $r$ before its key is written")
h = derivation.numbers("h", r, "... and in place of a value")
M = derivation.define(
    "M", sympy.Heaviside(p - r, 1), "the step function of $p - r$: 1 for rows up to $p$, and 0 behind", over=(p, r)
)
key = derivation.define("K", plus(times(M, k), times(1 - M, g)), "the key in row $r$ at step $p$", "cache_key", over=(p, r))
val = derivation.define("V", plus(times(M, v), times(1 - M, h)), "the value in row $r$ at step $p$", "cache_value", over=(p, r))

derivation.say(
    "The past is settled. In the topic transformer it was shown that no block carries the future into the past: the stream at "
    "a token, in every layer, is a function of the tokens up to it; so are its key and its value, linear maps of its stream."
)

derivation.symbol("x_t", "the tokens", "tokens")


@derivation.numeric(
    r"k_r(x_1, \dots, x_r, \dots, x_T) = k_r(x_1, \dots, x_r, x'_{r+1}, \dots, x'5)",
    because="The caches of the code, keys and values of both layers, before and after the last two of five tokens were changed.",
    role="lemma",
    uses=(block,),
)
def the_past_is_settled():
    _, caches = in_chunks(TOKENS, (5,))
    _, others = in_chunks(TOKENS.at[:, 3:].set(0), (5,))
    _, moved = in_chunks(TOKENS.at[:, :1].set(0), (5,))
    kept = [jnp.stack(pair)[..., :3, :] for pair in (others, caches, moved)]
    return Sides(left=kept[0], right=kept[1])


full = Total(r, times(M, exp(times(q, k)), v)) / Total(r, times(M, exp(times(q, k))))
central = derivation.chain(
    "A step with the cache is the full pass's last row",
    Total(r, times(M, exp(times(q, key)), val)) / Total(r, times(M, exp(times(q, key)))),
    equals(
        full,
        prose(
            "up to $p$ a row holds the token's key and value, {key} and {value}; behind $p$ the mask's 0 removes the row from "
            "both sums, whatever it holds",
            key=holds(times(M, key), "=", times(M, k)),
            value=holds(times(M, val), "=", times(M, v)),
        ),
        wrong={
            "one row too many": Total(r, times(sympy.Heaviside(p + 1 - r, 1), exp(times(q, key)), val))
            / Total(r, times(sympy.Heaviside(p + 1 - r, 1), exp(times(q, key)))),
            "masked behind the softmax": Total(r, times(M, exp(times(q, key)), val)) / Total(r, exp(times(q, key))),
        },
    ),
    central=True,
    states=4,
    so="By induction over positions and layers: if the rows before $p$ are valid in every layer, then the first layer's input "
    "at $p$ is that of the full pass (same token, same position), so its row $p$ is valid, its attention is right by this "
    "chain, and the rest of the layer acts on the token by itself; so the next layer's input is right, too. Several tokens at "
    "once (a prompt) are the same argument for each of them.",
)
derivation.bridge(
    "The code's step, with rubbish in the rows that are not written",
    Total(r, times(M.at(2, r), exp(times(q.at(2), k)), v)) / Total(r, times(M.at(2, r), exp(times(q.at(2), k)))),
    cached_attention,
    query=[[[[q.at(2)]]]],
    cache_key=[[[[k.at(0)], [k.at(1)], [k.at(2)], [g.at(3)]]]],
    cache_value=[[[[v.at(0)], [v.at(1)], [v.at(2)], [h.at(3)]]]],
    position=2,
    wrong={
        "the row itself hidden": Total(r, times(M.at(1, r), exp(times(q.at(2), k)), v))
        / Total(r, times(M.at(1, r), exp(times(q.at(2), k))))
    },
)


@derivation.numeric(
    r"\text{logits in steps} = \text{logits in one pass}",
    because="The whole decoder: token by token, and a prompt of three followed by two, in caches that are full of 9.9 at the "
    "start.",
    uses=(central,),
)
def any_chunks_will_do():
    whole = decoder_logits(TOKENS, PARAMETERS, heads=2)
    found = [in_chunks(TOKENS, chunks, fill=9.9)[0] for chunks in ((1,) * 5, (3, 2))]
    again = []
    for t in range(5):  # every step at position 0, in a fresh cache
        again.append(in_chunks(TOKENS[:, t : t + 1], (1,))[0])
    wrong = {"every token a new text": jnp.stack([jnp.concatenate(again, axis=1)] * 2)}
    return Sides(left=jnp.stack(found), right=jnp.stack([whole] * 2), wrong=wrong)


derivation.say(r"What it saves. Generate $T$ tokens, and count the operations of one layer.")
E = derivation.number("E", "the width", "width", positive=True, integer=True)
T = derivation.number("T", "the number of tokens that are generated", "length", positive=True, integer=True)
i = derivation.number("i", "the number of tokens so far", positive=True, integer=True)
with_cache = derivation.chain(
    "With a cache the operations are of second order in the length",
    sympy.Sum(plus(24 * E**2, times(4, i, E)), (i, 1, T)),
    equals(
        plus(times(24, T, E**2), times(2, T, plus(T, 1), E)),
        prose("{sum}", sum=holds(sympy.Sum(i, (i, 1, T)), "=", times(Rational(1, 2), T, plus(T, 1)))),
        wrong={"every step sees T keys": plus(times(24, T, E**2), times(4, T**2, E))},
    ),
    role="lemma",
)
without = derivation.chain(
    "Without a cache they are of third order in the length",
    sympy.Sum(times(i, plus(24 * E**2, times(4, i, E))), (i, 1, T)),
    equals(
        plus(times(12, E**2, T, plus(T, 1)), times(Rational(2, 3), E, T, plus(T, 1), plus(times(2, T), 1))),
        prose("{squares}", squares=holds(sympy.Sum(i**2, (i, 1, T)), "=", times(Rational(1, 6), T, plus(T, 1), plus(2 * T, 1)))),
    ),
    role="lemma",
)
half = Rational(1, 2)
saving = derivation.chain(
    "The saving is at least half the length",
    without.result / with_cache.result,
    equals(times(half, plus(T, 1), plus(1, (T - 1) / times(3, plus(12 * E, T, 1)))), r"cancel $2 T E$, and divide"),
    at_least(
        times(half, plus(T, 1)),
        prose("leave out a term that is zero only at {one}", one=where(T, 1)),
        dropping=times(half, plus(T, 1), (T - 1) / times(3, plus(12 * E, T, 1))),
    ),
    uses=(with_cache, without),
)
derivation.chain(
    "The saving is little more than half the length where matrices dominate",
    Limit(saving.lines[0].expression, E, oo),
    equals(times(half, plus(T, 1)), r"the width is large against the length"),
    role="remark",
)
derivation.chain(
    "The saving is two thirds of the length where attention dominates",
    Limit(saving.lines[0].expression / T, T, oo),
    equals(Rational(2, 3), r"$\frac12 (1 + \frac13)$"),
    role="remark",
)

derivation.bridge(
    "A pass without a cache as the topic transformer counts it, with a head for a single word",
    plus(times(T, plus(24 * E**2, 4 * T * E)), times(2, T, E)),
    forward_operations,
    vocabulary_size=1,
    length=T,
    width=E,
    layers=1,
    feed_forward_width=4 * E,
)

derivation.say("What it costs: memory, and reading it.")
B, N, H, D, L, b = (
    derivation.number(name, what, code, positive=True, integer=True)
    for name, what, code in (
        ("B", "the number of texts side by side", "batch"),
        ("N", "the number of layers", "layers"),
        ("H", "the number of heads with keys of their own", "key_value_heads"),
        ("D", "the width of a head", "head_width"),
        ("L", "the rows of the cache", "length"),
        ("b", "the bytes of a number", "element_bytes"),
    )
)
size = times(2, B, N, H, D, L, b)
derivation.bridge(
    "Bytes: keys and values, for every text, layer, head, entry and row",
    size,
    cache_bytes,
    batch=B,
    layers=N,
    key_value_heads=H,
    head_width=D,
    length=L,
    element_bytes=b,
)
P = derivation.number("P", "the number of weights, of two bytes each", positive=True)
C = derivation.number("C", "the bytes of one text's cache", positive=True)
texts = derivation.number(r"\beta", "the number of texts side by side, as a number that grows", positive=True)
derivation.chain(
    "Texts side by side share the reading of the weights, and not that of the cache",
    Limit(times(2, P, texts) / plus(2 * P, times(texts, C)), texts, oo),
    equals(
        times(2, P) / C,
        r"a step of all texts takes $2 P \beta$ operations in the matrices, and reads $2 P$ bytes of weights and $\beta C$ "
        r"bytes of caches",
        wrong={"weights once a text": times(2, P) / plus(2 * P, C)},
    ),
    so="So the operations of the matrices for each byte that is read stay below $2P/C$, however many texts there are. Heads "
    "that share keys and values (grouped queries) divide $C$, and raise this bound.",
)

derivation.say(
    "Positions. Rotary scores depend on the distance alone (topic positions), so keys can be stored rotated, once, and a "
    "number added to all positions changes nothing. Prompts of unequal length are padded on the left, so that all end "
    "together; positions are then counted from the first real token, and padding is hidden as a key."
)

derivation.symbol("f", "the rotation of a query or key by its position", "apply_rotary")
derivation.symbol("c", "a number that is added to all positions")


@derivation.numeric(
    r"\langle f(q, p + c), f(k, r + c) \rangle = \langle f(q, p), f(k, r) \rangle",
    because="Attention of cached, rotated keys, with all positions moved by 1000.",
    uses=(rotations,),
    role="lemma",
)
def rotated_keys_can_be_kept():
    query, key, value = (draw(1, 2, 5, 4, seed=seed) for seed in (70, 71, 72))

    def attend(offset, keys=1):
        angles = rotary_angles(jnp.arange(5) + offset, head_width=4)
        turned = [apply_rotary(query, angles, layout="half"), apply_rotary(key, keys * angles, layout="half")]
        return cached_attention(turned[0], turned[1], value, position=0)

    return Sides(left=attend(1000), right=attend(0), wrong={"keys rotated twice": attend(1000, keys=2)})


derivation.symbol("m_s", "1 for a real token, 0 for padding", "token_mask")
derivation.symbol("n_t", "the position that token $t$ is given", "left_padded_positions")


@derivation.exact(
    r"n_t = \max\left(\sum_{s \le t} m_s - 1,\ 0\right)",
    because="The sum is the number of real tokens up to $t$, so the first real token is at 0. All left-padded rows of up "
    "to 7 tokens.",
    outcomes=28,
    role="definition",
)
def positions_of_left_padded_rows():
    found, counted, late = [], [], []
    for length in range(1, 8):
        for padding in range(length):
            mask = jnp.arange(length)[None] >= padding
            found.append(left_padded_positions(mask)[0])
            counted.append(np.maximum(np.arange(length) - padding, 0))
            late.append(np.arange(length))
    found, counted, late = (np.concatenate(parts).astype(float) for parts in (found, counted, late))
    return Sides(left=found, right=counted, wrong={"the padding counted": late})


@derivation.numeric(
    r"\text{logits of a padded row} = \text{logits of the row alone}",
    because="The decoder on a row of three tokens behind two of padding.",
    role="remark",
)
def padding_on_the_left_changes_nothing():
    mask = jnp.array([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]])

    def logits(places, hidden):
        x = PARAMETERS["token_embedding"][TOKENS] + PARAMETERS["position_embedding"][places]
        for parameters in PARAMETERS["blocks"]:
            x = decoder_block(x, parameters, causal_padding_mask(hidden), heads=2, epsilon=1e-5, norm_position="pre")
        x = layer_norm(x, PARAMETERS["final_norm_weight"], PARAMETERS["final_norm_bias"], epsilon=1e-5)
        return (x @ PARAMETERS["token_embedding"].T)[0, 2:]

    positions = left_padded_positions(mask)
    wrong = {"padding seen": logits(positions, jnp.ones((2, 5), int)), "the padding counted": logits(jnp.arange(5), mask)}
    return Sides(left=logits(positions, mask), right=decoder_logits(TOKENS[:1, 2:], PARAMETERS, heads=2)[0], wrong=wrong)


derivation.answer = prose(
    "Keys and values of a token do not change once it is known, so they are computed once. A cached step gives exactly what a "
    "full pass gives, {step}, whatever the unwritten rows hold. For $T$ tokens and a feed-forward width of $4 E$ it saves a "
    "factor of {saving} in the operations of the layers. It costs two numbers for each token, layer and entry of a key, and "
    "with many texts side by side reading these bounds the operations for each byte, {bound}.",
    step=holds(Total(r, times(M, exp(times(q, key)), val)) / Total(r, times(M, exp(times(q, key)))), "=", full),
    saving=holds(without.result / with_cache.result, ">=", times(half, plus(T, 1))),
    bound=holds(Limit(times(2, P, texts) / plus(2 * P, times(texts, C)), texts, oo), "=", times(2, P) / C),
)


@derivation.algorithm(
    "Generating with a cache",
    do("take a cache of $L$ rows for every layer; what it holds does not matter"),
    do("read the prompt in one pass, which writes a row for each of its tokens", by=any_chunks_will_do),
    do("for every new token, at the position $p$, and in every layer:"),
    do("write its key and value to row $p$; the rows before stay as they are", append_cache, by=the_past_is_settled, indent=1),
    do("attend to the rows up to $p$, and go on with this token alone", cached_attention, by=central, indent=1),
    do("sample the next token from the logits", indent=1),
)
def three_rows():
    keys = values = jnp.full((1, 1, 4, 1), 9.9)
    for p, (score, number, stated) in enumerate(((0.0, 7.0, "7"), (np.log(2), 0.0, "7/3"), (np.log(4), 3.5, "3"))):
        new = jnp.full((1, 1, 1, 1), score), jnp.full((1, 1, 1, 1), number)
        keys, values = append_cache(keys, values, *new, position=p)
        output = cached_attention(jnp.ones((1, 1, 1, 1)), keys, values, position=p).item()
        yield rf"p = {p}, \text{{ score }} \log {2**p}, \text{{ value }} {number}: \text{{ output}}", output, stated
    yield r"\text{the values in the cache}", values.ravel(), "(7, 0, 3.5, 9.9)"


@derivation.example(
    r"Three steps with the scores $0, \log 2, \log 4$ for every query and the values $7, 0, 3.5$, in a cache of four rows full "
    r"of 9.9; GPT-2 small with 1024 tokens in 16 bits; and 64 tokens at width 128."
)
def three_steps():
    far = np.exp(9.9)
    yield r"\text{third output with one row too many}", (7 + 14 + far * 9.9) / (7 + far), "9.8976"
    small = cache_bytes(batch=1, layers=12, key_value_heads=12, head_width=64, length=1024, element_bytes=2)
    yield r"2 \cdot 12 \cdot 12 \cdot 64 \cdot 1024 \cdot 2", small, "37748736"
    yield r"2P/C", 2 * 124_439_808 / small, "6.59"
    yield r"\text{the saving at}\ T = 64,\ E = 128", value(saving.lines[0].expression, {T: 64, E: 128}), "32.93"
    yield r"n_t\ \text{for}\ m = (0, 0, 1, 1, 1)", left_padded_positions(jnp.array([[0, 0, 1, 1, 1]]))[0], "(0, 0, 0, 1, 2)"


derivation.figure(
    r"Left: operations of one layer of width 768 for generating $T$ tokens, with and without a cache. Right: operations for "
    r"each byte read in a step of GPT-2 small with full caches, against the number of texts; grouped queries with 3 key heads "
    r"raise the bound (dashed).",
    panels=2,
)(costs)


derivation.say("How the code keeps it.")


@derivation.numeric(
    r"\text{an output does not change when unwritten rows hold NaN}",
    because=r"A weight of 0 times NaN would be NaN, so the code puts zeros in the unwritten rows first.",
    role="appendix",
)
def rows_that_hold_nothing():
    return Sides(left=np.array(outputs_of_three_steps(fill=np.nan)), right=np.array([7, 7 / 3, 3]))


@derivation.numeric(
    r"\text{a slice that is written to row 3 of 3 lands in row 2}",
    because="JAX moves a slice that does not fit back into the array, silently: the newest row would overwrite an older one. "
    "So the code refuses such a write where the position is known.",
    role="appendix",
    scale=1.0,
)
def writes_are_clamped_by_jax():
    return Sides(left=jax.lax.dynamic_update_slice(jnp.zeros(3), jnp.full(1, 5.0), (3,)), right=jnp.array([0.0, 0, 5]))
