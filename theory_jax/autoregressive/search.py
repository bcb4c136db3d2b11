"""Search (lecture 48): the most likely sequence, how greedy and beam search miss it, and why one may not want it.

The functions come first; the derivation below them executes the argument on these very functions.
"""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import require, require_at_least, require_rank, require_shape, require_values
from theory_jax.derivation import Derivation


def beam_expansion(scores, log_probs, *, width):
    r"""The best `width` of all s_k + log p_kv: their scores (descending), their parents k and their tokens v.

    Among equals the lowest k V + v comes first. Where there are fewer candidates than the width, all of them are returned:
    W = min(width, K V). A candidate of score -inf stays at -inf.

    Raises ValueError if the shapes do not fit, width is below 1, one of the scores is NaN or +inf, or one of log_probs is
    positive.  Source: Graves 2012, section 2.5 and algorithm 1.
    [B, K], [B, K, V] -> [B, W], [B, W], [B, W]
    """
    require_rank(2, scores=scores)
    require_rank(3, log_probs=log_probs)
    fits = log_probs.shape[:2] == scores.shape
    require(fits, f"log_probs has shape {list(log_probs.shape)}; it must begin with that of scores, {list(scores.shape)}")
    batch, beams, size = log_probs.shape
    require(beams * size > 0, f"log_probs has shape {list(log_probs.shape)}; there must be a beam and a token")
    require_at_least(1, width=width)
    require_values("scores", scores, lambda a: a < np.inf, "a number, or -inf")
    _require_log_probs("log_probs", log_probs)
    candidates = (scores[:, :, None] + log_probs).reshape(batch, beams * size)
    best, index = jax.lax.top_k(candidates, min(width, beams * size))  # the lower index first among equals
    return best, index // size, index % size


def beam_search(initial_log_probs, step_fn, *, width, length, end_token=None):
    r"""Level by level, the best `width` continuations of the best `width` prefixes: sequences and their log p, best first.

    step_fn: prefixes [N, t] -> log-probabilities of their next tokens, [N, V]; N = B K, the beams of one example in a row.
    end_token: a beam that holds it is finished: it goes on with that token at no cost, and with no other.

    K = min(width, V^length). A beam of score -inf stands for no sequence; its tokens have no meaning. Scores have the dtype of
    initial_log_probs.

    Raises ValueError if a shape does not fit, width or length is below 1, end_token is outside 0..V-1, or a log-probability of
    initial_log_probs or step_fn is positive.  Source: Graves 2012, section 2.5 and algorithm 1.
    [B, V] -> [B, K, L], [B, K]
    """
    _require_start(initial_log_probs, length)
    batch, size = initial_log_probs.shape
    require(end_token is None or 0 <= end_token < size, f"end_token is {end_token}; it must be a token of 0..{size - 1}")
    nothing_said = jnp.zeros((batch, 1), initial_log_probs.dtype)
    scores, _, token = beam_expansion(nothing_said, initial_log_probs[:, None], width=width)
    prefixes = token[:, :, None]
    for _ in range(1, length):
        beams, time = prefixes.shape[1:]
        log_probs = _step(step_fn, prefixes.reshape(batch * beams, time), initial_log_probs).reshape(batch, beams, size)
        if end_token is not None:
            at_no_cost = jnp.where(jnp.arange(size) == end_token, 0.0, -jnp.inf)
            log_probs = jnp.where(prefixes[:, :, -1:] == end_token, at_no_cost, log_probs)
        scores, parent, token = beam_expansion(scores, log_probs, width=width)
        kept = jnp.take_along_axis(prefixes, parent[:, :, None], axis=1)
        prefixes = jnp.concatenate([kept, token[:, :, None]], axis=2)
    return prefixes, scores


def greedy_search(initial_log_probs, step_fn, *, length):
    r"""x_t = argmax_v log p(v | x_<t), the lowest v among equals, and the log p of the sequence.

    step_fn: prefixes [B, t] -> log-probabilities of their next tokens, [B, V].

    Raises ValueError if a shape does not fit, length is below 1, or a log-probability of initial_log_probs or step_fn is
    positive.
    [B, V] -> [B, L], [B]
    """
    _require_start(initial_log_probs, length)
    log_probs, prefix = initial_log_probs, jnp.zeros((initial_log_probs.shape[0], 0), int)
    score = jnp.zeros(initial_log_probs.shape[0], initial_log_probs.dtype)
    for t in range(length):
        if t > 0:
            log_probs = _step(step_fn, prefix, initial_log_probs)
        token = jnp.argmax(log_probs, axis=-1, keepdims=True)
        score += jnp.take_along_axis(log_probs, token, axis=-1)[:, 0]
        prefix = jnp.concatenate([prefix, token], axis=1)
    return prefix, score


def viterbi(initial_log_probs, transition_log_probs, *, length):
    r"""The most likely path of a first-order chain and its log p, by dynamic programming; transition[a, b] = log p(b | a).

    d_1(v) = log p(v),  d_t(v) = max_u d_(t-1)(u) + log p(v | u); then back from the best end along the maximizing u.

    Among equals the lowest state, at the end and at every step back.

    Raises ValueError if a shape does not fit, length is below 1, or one of initial_log_probs or transition_log_probs is positive.
    Source: Viterbi 1967; Rabiner 1989, section III.B.
    [B, V], [V, V] -> [B, L], [B]
    """
    _require_start(initial_log_probs, length)
    size = initial_log_probs.shape[1]
    require_shape((size, size), transition_log_probs=transition_log_probs)
    _require_log_probs("transition_log_probs", transition_log_probs)

    (best, _), before = jax.lax.scan(_arrive, (initial_log_probs, transition_log_probs), None, length=length - 1)
    last = jnp.argmax(best, axis=-1)
    _, earlier = jax.lax.scan(_return, last, before, reverse=True)
    score = jnp.take_along_axis(best, last[:, None], axis=-1)[:, 0]
    return jnp.concatenate([earlier.T, last[:, None]], axis=1), score


def length_normalized_score(log_prob, lengths, *, exponent):
    r"""log p / ((5 + n) / 6)^alpha: log p itself with alpha = 0; with alpha = 1 and many tokens six times their mean.

    Raises ValueError if the shapes differ, an entry of log_prob is positive or a length negative.
    Source: Wu et al. 2016, eq. 14.
    [B], [B] -> [B]
    """
    require_rank(1, log_prob=log_prob, lengths=lengths)
    count = log_prob.shape[0]
    require(lengths.shape[0] == count, f"lengths has {lengths.shape[0]} entries; it must have {count}, as many as log_prob")
    _require_log_probs("log_prob", log_prob)
    require_values("lengths", lengths, lambda a: a >= 0, "0 or more")
    return log_prob / ((5 + lengths.astype(log_prob.dtype)) / 6) ** exponent


def _arrive(carry, _):
    """The best score of each state one step on, and the state that it came from. (Not a closure: so it is traced once.)"""
    best, steps = carry
    through = best[:, :, None] + steps
    before = jnp.argmax(through, axis=1)
    return (jnp.take_along_axis(through, before[:, None], axis=1)[:, 0], steps), before


def _return(state, before):
    """The state one step back on the best path."""
    state = jnp.take_along_axis(before, state[:, None], axis=1)[:, 0]
    return state, state


def _step(step_fn, prefixes, like):
    """The log-probabilities after each prefix, in the dtype of the first ones."""
    log_probs = step_fn(prefixes)
    given, wanted = list(jnp.shape(log_probs)), [prefixes.shape[0], like.shape[1]]
    require(given == wanted, f"step_fn returned shape {given} for prefixes of shape {list(prefixes.shape)}; it must be {wanted}")
    _require_log_probs("a result of step_fn", log_probs)
    return log_probs.astype(like.dtype)


def _require_start(initial_log_probs, length):
    require_rank(2, initial_log_probs=initial_log_probs)
    require(initial_log_probs.shape[1] > 0, "initial_log_probs has no column; it must have one for each token")
    require_at_least(1, length=length)
    _require_log_probs("initial_log_probs", initial_log_probs)


def _require_log_probs(name, array):
    """Not above 0: sums of logits mean nothing. Rows need not sum to 1, so that tokens may be ruled out on the way."""
    require_values(name, array, lambda a: a <= 1e-5, "a log-probability, 0 or less")


# ---------------------------------------------------------------------------------------------------- the derivation

derivation = Derivation(
    title="Search: the most likely sequence, and why not to want it",
    lectures=(48,),
    sources=(
        "Graves 2012, Sequence Transduction with Recurrent Neural Networks",
        "Wu et al. 2016, Google's Neural Machine Translation System",
        "Stahlberg & Byrne 2019, On NMT Search Errors and Model Errors: Cat Got Your Tongue?",
        "Holtzman et al. 2020, The Curious Case of Neural Text Degeneration",
        "Viterbi 1967, Error Bounds for Convolutional Codes and an Asymptotically Optimum Decoding Algorithm",
    ),
)

# Two hundred chains of three states, and the 81 sequences of length 4.
_rng = np.random.default_rng(0)
_starts = jax.nn.log_softmax(jnp.array(_rng.normal(size=(200, 3))), axis=-1)
_chains = jax.nn.log_softmax(jnp.array(_rng.normal(size=(200, 3, 3))), axis=-1)
_sequences = jnp.array(list(itertools.product(range(3), repeat=4)))


def _score(sequences, start, chain):
    """log p of sequences under a chain, term by term."""
    sequences = jnp.asarray(sequences)
    return start[sequences[..., 0]] + chain[sequences[..., :-1], sequences[..., 1:]].sum(-1)


def _scores_of_all():
    """log p of all 81 sequences under each chain."""
    return jax.vmap(_score, (None, 0, 0))(_sequences, _starts, _chains)


def _compiled(search, start, step_fn, **settings):
    """A search as one program: prefixes of every length are programs of their own otherwise."""
    return jax.jit(lambda start: search(start, step_fn, **settings))(start)


def _searched(search, **settings):
    """A search run on every chain: tokens [200, ...] and scores [200, ...]."""

    def one(start, chain):
        return search(start[None], lambda prefix: chain[prefix[:, -1]], length=4, **settings)

    tokens, scores = jax.jit(jax.vmap(one))(_starts, _chains)
    return tokens[:, 0], scores[:, 0]


@derivation.exact(
    r"\prod_t \max_v p(v \mid x_{<t}) < \max_x p(x) \quad \text{on } 51 \text{ of } 200 \text{ chains of length } 4",
    because="A greedy step does not know what it leads to. Where the likely first word has no likely continuation, a "
    "sequence with a worse start wins: (0.6, then 1/2) against (0.4, then 0.9).",
)
def greedy_is_not_the_most_likely_sequence():
    chain = jnp.log(jnp.array([[0.5, 0.5], [0.9, 0.1]]))
    start = jnp.log(jnp.array([[0.6, 0.4]]))
    small = jnp.exp(greedy_search(start, lambda prefix: chain[prefix[:, -1]], length=2)[1])
    best = jnp.exp(_score(list(itertools.product(range(2), repeat=2)), start[0], chain).max(keepdims=True))
    falls_short = jnp.sum(_searched(greedy_search)[1] < _scores_of_all().max(1) - 1e-12, keepdims=True)
    return jnp.concatenate([small, best, falls_short]), jnp.array([0.3, 0.36, 51.0])


@derivation.exact(
    r"\text{beam search of width } 1 = \text{greedy search}",
    because="The best of s + log p(v) over the V continuations of one prefix is the arg max of log p(v): the score of the "
    "prefix is common to all.",
)
def width_one_is_greedy():
    tokens, scores = _searched(beam_search, width=1)
    greedy_tokens, greedy_scores = _searched(greedy_search)
    found = jnp.append(tokens[:, 0].ravel(), scores[:, 0])
    return found, jnp.append(greedy_tokens.ravel(), greedy_scores)


@derivation.exact(
    r"\text{width } V^{L-1}: \text{ exhaustive, for any model}",
    because="There are V^(L-1) prefixes before the last step. A beam that holds all of them has thrown nothing away, and its "
    "last expansion ranks all V^L sequences. Here every prefix has a law of its own.",
)
def a_beam_of_all_prefixes_is_exhaustive():
    table = jax.nn.log_softmax(jnp.array(np.random.default_rng(1).normal(size=(4, 27, 3))), axis=-1)

    def step(prefix):
        return table[prefix.shape[1], prefix @ (3 ** jnp.arange(prefix.shape[1]))]

    tokens, scores = _compiled(beam_search, table[0, :1], step, width=27, length=4)
    everything = sum(
        (step(_sequences[:, :t]) if t else table[0, :1])[jnp.arange(81) * (t > 0), _sequences[:, t]] for t in range(4)
    )
    order = jnp.argsort(-everything)[:27]
    found = jnp.append(scores.ravel(), tokens.ravel())
    return found, jnp.append(everything[order], _sequences[order].ravel())


@derivation.exact(
    r"d_t(v) = \max_u d_{t-1}(u) + \log p(v \mid u) \;\Rightarrow\; \max_v d_L(v) = \max_x \log p(x)",
    because="In a first-order chain the future depends on the last state alone, so that of all paths to a state only the best "
    "can be part of the best sequence. V prefixes are enough: L V^2 additions instead of V^L sequences. A network that reads "
    "its whole past has no such states, and no such algorithm.",
)
def dynamic_programming_is_exact_for_chains():
    tokens, scores = jax.jit(jax.vmap(lambda start, chain: viterbi(start[None], chain, length=4)))(_starts, _chains)
    # a, a, b, a and a, b, a, a take the same steps: there is a most likely score, not always one sequence
    best = _scores_of_all().max(1)
    return jnp.stack([scores[:, 0], jax.vmap(_score)(tokens[:, 0], _starts, _chains)]), jnp.stack([best, best])


@derivation.exact(
    r"\text{widths } 1, 2, 3 \text{ find } p = \tfrac16,\; \tfrac{2}{27},\; \tfrac16",
    because="Greedy takes a (1/2), spreads over three continuations (1/6 each) and then is certain. Width 2 finds b (4/9) with "
    "the continuations 2/9 and 8/45, both above 1/6, drops everything that begins with a, and pays 1/3 at the last step. "
    "A wider beam sees more candidates but keeps what looks best now: only beyond the width of all prefixes is it safe.",
)
def wider_is_not_always_better():
    start = jnp.log(jnp.array([[9, 8, 1]]) / 18)
    second = jnp.log(jnp.array([[1 / 3, 1 / 3, 1 / 3], [1 / 2, 2 / 5, 1 / 10], [1 / 3, 1 / 3, 1 / 3]]))
    third = jnp.log(jnp.array([[1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3], [1 / 3, 1 / 3, 1 / 3]]))

    def step(prefix):
        return (second if prefix.shape[1] == 1 else third)[prefix[:, 0]]

    found = [_compiled(beam_search, start, step, width=width, length=3)[1][0, 0] for width in (1, 2, 3)]
    return jnp.exp(jnp.stack(found)), jnp.array([1 / 6, 2 / 27, 1 / 6])


@derivation.exact(
    r"\log p: \text{ ends at once,}\quad \log p / ((5 + n) / 6)^{0.6}: \text{ does not end in ten steps}",
    because="Every further token makes a sequence less likely. With 0.15 for the end and 0.8 for one word at every step, "
    "stopping at once (0.15) beats ten words (0.8^10 = 0.107), and beats them more the longer they are. Dividing by a power of "
    "the length takes that back: -1.29 against -1.90.",
)
def the_length_penalty_can_reverse_the_order():
    law = jnp.log(jnp.array([[0.15, 0.8, 0.05]]))
    tokens, scores = _compiled(beam_search, law, lambda prefix: law[prefix[:, -1] * 0], width=4, length=10, end_token=0)
    lengths = jnp.minimum(jnp.sum(tokens[0] != 0, axis=1) + 1, 10)
    normalized = length_normalized_score(scores[0], lengths, exponent=0.6)
    best = jnp.argmax(normalized)
    winners = jnp.concatenate([tokens[0, 0], tokens[0, best], jnp.stack([scores[0, 0], normalized[best]])])
    words = jnp.log(0.8) * 10 / (15 / 6) ** 0.6
    return winners, jnp.concatenate([jnp.zeros(10), jnp.ones(10), jnp.stack([jnp.log(0.15), words])])


@derivation.exact(
    r"\sum_{x \in \text{beams}} p(x) = 1 \text{ at every length}, \quad x_s = \text{end} \Rightarrow x_t = \text{end} \; (t > s)",
    because="A finished sequence has one continuation, of probability one. So it keeps its score while others grow, and a beam "
    "that drops nothing still sums to one: had it paid for its end tokens, or been extended by others, mass would be lost or "
    "made.",
)
def finished_beams_keep_their_score():
    def step(prefix):
        return _chains[0][prefix[:, -1]]

    totals, broken = [], []
    for length in (1, 2, 3, 4):
        tokens, scores = _compiled(beam_search, _starts[:2], step, width=81, length=length, end_token=1)
        possible = scores > -jnp.inf
        totals.append(jnp.exp(scores).sum(1))
        broken.append(jnp.sum(jnp.any((tokens[..., :-1] == 1) & (tokens[..., 1:] != 1), axis=2) & possible, axis=1))
    return jnp.stack([jnp.stack(totals), jnp.stack(broken)]), jnp.stack([jnp.ones((4, 2)), jnp.zeros((4, 2))])


@derivation.exact(
    r"p(\text{mode}) = 0.9^{100} = 2.7 \cdot 10^{-5}, \qquad \mathbb{E} \log p(x) = -100\, H = -32.5",
    because="A hundred flips of a coin with 0.9 for heads: the most likely sequence is all heads, with log-probability -10.5, "
    "and hardly ever seen. What is seen has about ten tails and a log-probability near -100 H. Likelihood per sequence is not "
    "what makes a sample look like the data: for open text one draws instead of searching.",
)
def the_mode_is_not_typical():
    coin = jnp.log(jnp.array([0.9, 0.1]))
    tokens, score = viterbi(coin[None], jnp.broadcast_to(coin, (2, 2)), length=100)
    tails = np.arange(101)
    of_count = np.array([math.comb(100, int(k)) * 0.9 ** (100.0 - k) * 0.1**k for k in tails])
    mean = float(of_count @ (tails * math.log(0.1) + (100 - tails) * math.log(0.9)))
    entropy = -float(jnp.exp(coin) @ coin)
    found = jnp.array([tokens.sum(), jnp.exp(score[0]), score[0], mean])
    return found, jnp.array([0.0, 0.9**100, 100 * math.log(0.9), -100 * entropy])


if __name__ == "__main__":
    derivation.main()
