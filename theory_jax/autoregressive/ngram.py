"""n-gram models (lecture 42): the chain rule with a short memory, what counting estimates, and what smoothing repairs.

The functions come first; the derivation below them executes the argument on these very functions.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from jax.scipy.special import logsumexp

from theory_jax.arguments import (
    require,
    require_at_least,
    require_log_probs,
    require_rank,
    require_tokens,
    require_values,
    widened,
)
from theory_jax.derivation import Derivation


def ngram_counts(tokens, *, order, vocabulary_size):
    r"""How often each window of `order` tokens occurs: an array with `order` axes of length V. No window leaves its row.

    Raises ValueError if a token is outside 0..V-1 or order is below 1.  Source: Chen & Goodman 1999, section 2.
    [B, T] -> [...]
    """
    _require_tokens(tokens, vocabulary_size)
    require_at_least(1, order=order)
    windows = max(tokens.shape[1] - order + 1, 0)
    index = tuple(widened(tokens)[:, k : k + windows] for k in range(order))
    return jnp.zeros((vocabulary_size,) * order, int).at[index].add(1)


def additive_log_probs(counts, *, pseudo_count):
    r"""log (c_w + alpha) / (sum_w c_w + alpha V) over the last axis.

    Raises ValueError if pseudo_count or a count is negative, or with pseudo_count 0 a row is empty.
    Source: Chen & Goodman 1999, section 2.1.
    [..., V] -> [..., V]
    """
    counts = _floating(counts)
    _require_counts(counts)
    require(pseudo_count >= 0, f"pseudo_count is {pseudo_count}; it must be 0 or positive")
    if pseudo_count == 0:
        require_values("counts", jnp.sum(counts, -1), lambda a: a > 0, "more than 0 in every row (sum), where pseudo_count is 0")
    smoothed = counts + pseudo_count
    # one logarithm of the ratio: two of tiny numbers would cancel
    share = smoothed / jnp.sum(smoothed, axis=-1, keepdims=True)
    never = share == 0  # log 0 has no slope, and times that of the share, 0, it would be NaN for the whole row
    return jnp.where(never, -jnp.inf, jnp.log(jnp.where(never, 1.0, share)))


def interpolated_log_probs(log_probs, log_weights):
    r"""log sum_k lambda_k p_k(w | the last k - 1 tokens): the k-th table of log_probs has k axes of length V, k = 1..n.

    Raises ValueError if log_weights is not one weight a table, a shape does not fit, or a table of log_probs or the weights do
    not sum to 1.  Source: Jelinek & Mercer 1980.
    ([...]), [n] -> [...]
    """
    require_rank(1, log_weights=log_weights)
    require(len(log_probs) > 0, "log_probs is empty; it must hold at least the table of single tokens")
    require(
        log_weights.shape[0] == len(log_probs),
        f"log_weights has {log_weights.shape[0]} entries; it must have one for each of the {len(log_probs)} tables",
    )
    size = log_probs[0].shape[0]
    for k, table in enumerate(log_probs, start=1):
        name = f"log_probs[{k - 1}]"
        require(table.shape == (size,) * k, f"{name} has shape {list(table.shape)}; it must have {k} axes of length {size}")
        require_log_probs(**{name: table})
    require_log_probs(log_weights=log_weights)
    # a table with fewer axes knows less of the past: it is spread over what came earlier
    weighted = [table + weight for table, weight in zip(log_probs, log_weights, strict=True)]
    terms = jnp.stack(jnp.broadcast_arrays(*weighted))
    return _log_sum(terms, axis=0)


def interpolation_em_step(token_log_probs, log_weights):
    r"""The logarithms of lambda_k <- (1/N) sum_i lambda_k p_ik / sum_j lambda_j p_ij: one EM step on held-out tokens.

    The reduction over N is inherent.

    Raises ValueError if the shapes do not fit, the weights of log_weights do not sum to 1, or token_log_probs has no token or one
    of probability 0 under the mixture.  Source: Jelinek & Mercer 1980.
    [N, n], [n] -> [n]
    """
    require_rank(2, token_log_probs=token_log_probs)
    require_rank(1, log_weights=log_weights)
    count, size = token_log_probs.shape
    require(count > 0, "token_log_probs is empty; an average needs at least one token")
    require(log_weights.shape[0] == size, f"log_weights has {log_weights.shape[0]} entries; it must have {size}, one a column")
    require_log_probs(log_weights=log_weights)
    joint = token_log_probs + log_weights
    total = logsumexp(joint, axis=1, keepdims=True)
    possible = "possible: some weighted component has probability > 0"
    require_values("token_log_probs", total[:, 0], lambda a: a > -jnp.inf, possible)
    return _log_sum(joint - total, axis=0) - math.log(count)


def kneser_ney_log_probs(counts, *, discount):
    r"""Interpolated Kneser-Ney for pairs u, w, with the continuation law N(. w) / N(. .) behind what the discount d sets free.

    log [ max(c_uw - d, 0) / c_u + d N(u .) / c_u  N(. w) / N(. .) ],  N(u .) = #{w : c_uw > 0},  N(. w) = #{u : c_uw > 0}

    An unseen context u has the continuation law. A word that was never seen has probability 0 everywhere.

    Raises ValueError if counts is empty of counts or not square, holds a number between 0 and 1, or discount is outside [0, 1].
    Source: Kneser & Ney 1995; Chen & Goodman 1999, section 2.7.
    [V, V] -> [V, V]
    """
    require_rank(2, counts=counts)
    require(counts.shape[0] == counts.shape[1], f"counts has shape {list(counts.shape)}; it must be square")
    counts = _floating(counts)
    require(0 <= discount <= 1, f"discount is {discount}; it must lie within [0, 1]")
    require_values("counts", counts, lambda a: (a == 0) | (a >= 1), "0, or at least 1")
    require_values("counts", jnp.sum(counts), lambda a: a > 0, "more than 0 somewhere (sum of all)")
    seen = jnp.asarray(counts > 0, counts.dtype)
    continuation = jnp.sum(seen, axis=0) / jnp.sum(seen)
    total = jnp.sum(counts, axis=1, keepdims=True)
    known = total > 0
    divisor = jnp.where(known, total, 1.0)
    kept = jnp.maximum(counts - discount, 0.0) / divisor
    freed = discount * jnp.sum(seen, axis=1, keepdims=True) / divisor
    return _log(jnp.where(known, kept + freed * continuation, continuation))


def ngram_sequence_log_prob(tokens, log_probs):
    r"""sum over t >= n - 1 (counted from 0) of log p(x_t | x_{t-n+1}, ..., x_{t-1}), in nats, for a table with n axes.

    Raises ValueError if a token is outside 0..V-1 or the table log_probs has no axis or unequal ones.
    Source: Shannon 1948, section 3.
    [B, T], [...] -> [B]
    """
    order = log_probs.ndim
    require(order >= 1, "log_probs has no axis; it must have one for each token of a window")
    size = log_probs.shape[0]
    require(log_probs.shape == (size,) * order, f"log_probs has shape {list(log_probs.shape)}; its axes must be equally long")
    _require_tokens(tokens, size)
    windows = max(tokens.shape[1] - order + 1, 0)
    return jnp.sum(log_probs[tuple(widened(tokens)[:, k : k + windows] for k in range(order))], axis=1)


def _floating(counts):
    return counts if jnp.issubdtype(counts.dtype, jnp.floating) else counts.astype(jnp.result_type(float))


def _log(probs):
    """log with log 0 = -inf and no gradient there, instead of inf times 0."""
    positive = probs > 0
    return jnp.where(positive, jnp.log(jnp.where(positive, probs, 1.0)), -jnp.inf)


def _log_sum(terms, axis):
    """logsumexp whose gradient is 0, not NaN, where all terms are -inf."""
    possible = jnp.any(terms > -jnp.inf, axis=axis)
    safe = jnp.where(jnp.expand_dims(possible, axis), terms, 0.0)
    return jnp.where(possible, logsumexp(safe, axis=axis), -jnp.inf)


def _require_tokens(tokens, size):
    require_rank(2, tokens=tokens)
    require_tokens(size, tokens=tokens)


def _require_counts(counts):
    require(counts.ndim >= 1, "counts has no axis; it must have at least that of the vocabulary")
    require_values("counts", counts, lambda a: a >= 0, "0 or more")


derivation = Derivation(
    title="Counting is maximum likelihood; smoothing is what makes it usable",
    lectures=(42,),
    sources=(
        "Chen & Goodman 1999, An Empirical Study of Smoothing Techniques for Language Modeling",
        "Kneser & Ney 1995, Improved Backing-off for M-gram Language Modeling",
        "Jelinek & Mercer 1980, Interpolated Estimation of Markov Source Parameters from Sparse Data",
    ),
)

_rows = jnp.array(np.random.default_rng(0).choice(5, size=(6, 40), p=[0.4, 0.25, 0.2, 0.1, 0.05]))
_pairs = ngram_counts(_rows, order=2, vocabulary_size=5)
# three contexts of five words; the last word was never seen, nor was the last context
_sparse = jnp.array([[3, 1, 0, 0, 0], [0, 5, 2, 0, 0], [1, 0, 0, 4, 0], [2, 1, 1, 0, 0], [0, 0, 0, 0, 0]])


def _text():
    """40 kB of Python's help pages on an alphabet of 32: the letters, space, and five kinds of others."""
    from pydoc_data.topics import topics

    letters = "\n".join(topics.values())[:40_000].lower()
    others = {".": 27, ",": 28, "\n": 29, "_": 30}
    return jnp.array([[ord(c) - 96 if "a" <= c <= "z" else 0 if c == " " else others.get(c, 31) for c in letters]])


@derivation.autodiff(
    r"\nabla_{l_u}\, \log L = c_{u \cdot} - n_u\, p(\cdot \mid u) \quad\text{with}\quad p(\cdot \mid u) = \mathrm{softmax}(l_u)",
    because="Markov's assumption keeps one token of the chain rule's past, and the log-likelihood becomes a sum over pairs "
    "weighted by their counts. Its gradient in unconstrained logits is observed minus expected counts: at uniform logits, c - "
    "n_u / V.",
)
def the_gradient_is_observed_minus_expected():
    def log_likelihood(logits):
        return jnp.sum(ngram_sequence_log_prob(_rows, jax.nn.log_softmax(logits)))

    uniform = jnp.zeros((5, 5))
    return jax.grad(log_likelihood)(uniform), _pairs - _pairs.sum(1, keepdims=True) / 5


@derivation.autodiff(
    r"\nabla \log L = 0 \quad\text{at}\quad \hat p(w \mid u) = \frac{c_{uw}}{c_u}",
    because="Observed equals expected exactly where the model's conditional is the relative frequency: counting is maximum "
    "likelihood.",
)
def relative_frequencies_are_the_maximum():
    def log_likelihood(logits):
        return jnp.sum(ngram_sequence_log_prob(_rows, jax.nn.log_softmax(logits)))

    return jax.grad(log_likelihood)(additive_log_probs(_pairs, pseudo_count=0.0)), jnp.zeros((5, 5))


@derivation.exact(
    r"c_{uw} = 0 \;\Rightarrow\; \log \hat p(\dots u\, w \dots) = -\infty",
    because="A pair that the training text happens not to contain gets probability zero, and one such pair in the test text "
    "makes its likelihood zero. With V^n parameters nearly all are unseen: maximum likelihood must not be used as it is.",
)
def an_unseen_pair_costs_infinitely_much():
    table = additive_log_probs(_sparse[:4], pseudo_count=0.0)
    table = jnp.concatenate([table, jnp.log(jnp.full((1, 5), 0.2))])
    scores = ngram_sequence_log_prob(jnp.array([[0, 0, 1, 1], [0, 0, 3, 3]]), table)
    return scores, jnp.array([jnp.log(3 / 4) + jnp.log(1 / 4) + jnp.log(5 / 7), -jnp.inf])


@derivation.symbolic(
    r"\frac{\int \theta\, \theta^{c + \alpha - 1} (1 - \theta)^{d + \alpha - 1} d\theta}"
    r"{\int \theta^{c + \alpha - 1} (1 - \theta)^{d + \alpha - 1} d\theta} = \frac{c + \alpha}{c + d + 2 \alpha}",
    because="Put a Dirichlet(alpha) prior on the unknown probabilities. The posterior mean, a ratio of beta integrals for two "
    "words, is what adding alpha to every count gives: additive smoothing is Bayesian estimation with a prior belief worth "
    "alpha observations of each word.",
)
def adding_is_the_posterior_mean():
    c, d, alpha = sympy.symbols("c d alpha", positive=True)
    beta = lambda a, b: sympy.gamma(a) * sympy.gamma(b) / sympy.gamma(a + b)  # noqa: E731
    ratio = sympy.gammasimp(beta(c + alpha + 1, d + alpha) / beta(c + alpha, d + alpha))
    return ratio, (c + alpha) / (c + d + 2 * alpha)


def _em(steps):
    """Weights and held-out log-likelihoods of uniform, unigram and bigram tables, from equal weights."""
    train, held_out = _rows[:4], _rows[4:]
    tables = [jnp.full(5, -jnp.log(5.0))]
    tables += [additive_log_probs(ngram_counts(train, order=k, vocabulary_size=5), pseudo_count=1e-3) for k in (1, 2)]
    before, after = held_out[:, :-1].ravel(), held_out[:, 1:].ravel()
    scores = jnp.stack([tables[0][after], tables[1][after], tables[2][before, after]], axis=1)

    def one(weights, _):
        return interpolation_em_step(scores, weights), (weights, logsumexp(scores + weights, axis=1).mean())

    weights, (_, likelihoods) = jax.lax.scan(one, jnp.full(3, -jnp.log(3.0)), None, length=steps)
    return scores, weights, likelihoods


@derivation.bound(
    r"\ell(\lambda^{(s)}) \le \ell(\lambda^{(s+1)})",
    because="Which table a token came from is a hidden variable. EM fills it in with its posterior and averages: by Jensen's "
    "inequality the held-out likelihood of the mixture cannot fall, two hundred steps long, and at the fixed point it stands "
    "still.",
)
def interpolation_weights_climb():
    _, _, likelihoods = _em(200)
    last = _em(20_000)[2]
    return likelihoods[:-1], likelihoods[1:], (last[-2], last[-1])


@derivation.bound(
    r"\frac1N \sum_i \frac{p_{ik}}{\sum_j \lambda_j p_{ij}} \le 1 \quad\text{with equality where } \lambda_k > 0",
    because="The likelihood is concave in the weights, so the Kuhn-Tucker conditions on the simplex are necessary and "
    "sufficient: the derivative by a weight in use is N, and by a weight at zero not more. EM multiplies each weight by "
    "exactly this ratio and therefore stops there.",
    tolerance=1e-6,
    since="EM approaches a weight of zero geometrically, and the others with it",
)
def em_stops_at_the_kuhn_tucker_point():
    scores, weights, _ = _em(20_000)
    ratios = jnp.exp(scores - logsumexp(scores + weights, axis=1, keepdims=True)).mean(0)
    used = weights > jnp.log(1e-3)
    return ratios, jnp.ones(3), (ratios[used], jnp.ones(int(used.sum())))


@derivation.exact(
    r"\sum_w p_{KN}(w \mid u) = 1 \quad\text{for } 0 \le d \le 1",
    because="The discount takes d from each of the N(u .) seen counts, at most what is there, and hands d N(u .) / c_u to a "
    "law that sums to one.",
)
def kneser_ney_rows_sum_to_one():
    sums = [logsumexp(kneser_ney_log_probs(_sparse, discount=d), axis=1) for d in (0.0, 0.25, 0.75, 1.0)]
    return jnp.exp(jnp.stack(sums)), jnp.ones((4, 5))


@derivation.exact(
    r"\sum_u \frac{c_u}{N}\, p_{KN}(w \mid u) = \frac{c_{\cdot w}}{N}",
    because="Average the model over the contexts as they occur. What the discount removes from w is d N(. w) / N, and what "
    "comes back is the freed mass d N(. .) / N times the continuation law: equal exactly if that law is N(. w) / N(. .). This "
    "is where the odd-looking counts of contexts come from.",
)
def the_marginals_are_kept():
    total = _sparse.sum()
    mixed = _sparse.sum(1) / total @ jnp.exp(kneser_ney_log_probs(_sparse, discount=0.75))
    return mixed, _sparse.sum(0) / total


@derivation.exact(
    r"\text{unigram back-off:}\quad \sum_u \frac{c_u}{N} p(w \mid u) - \frac{c_{\cdot w}}{N}"
    r" = \frac{d\, N(\cdot\,\cdot)}{N} \Big( \frac{c_{\cdot w}}{N} - \frac{N(\cdot\, w)}{N(\cdot\,\cdot)} \Big) \ne 0",
    because="Back off to how often a word occurs, instead, and words that follow only few contexts get too much: the famous "
    "example is Francisco, frequent, but only after San. The error is the difference of the two laws, times the freed mass.",
)
def unigram_back_off_breaks_them():
    d, total = 0.75, _sparse.sum()
    contexts, words = _sparse.sum(1), _sparse.sum(0) / total
    seen = (_sparse > 0).astype(float)
    divisor = jnp.maximum(contexts, 1)[:, None]
    wrong = jnp.maximum(_sparse - d, 0) / divisor + d * seen.sum(1, keepdims=True) / divisor * words
    return contexts / total @ wrong - words, d * seen.sum() / total * (words - seen.sum(0) / seen.sum())


@derivation.bound(
    r"\hat H_1 \ge \hat H_2 \ge \hat H_3, \qquad"
    r" \hat H_n = -\sum_{x_1 \dots x_n} \hat p(x_1 \dots x_n) \log \hat p(x_n \mid x_{<n})",
    because="Knowing more of the past cannot raise an entropy. The windows run around the end of the text, so that the "
    "shorter windows are exactly the margins of the longer ones; the entropies fall from 2.9 to 1.6 nats on this text. Part "
    "of the fall is only memory: few contexts of length two occur often enough to be believed. For a text of one letter all "
    "of them are zero.",
)
def longer_memory_lowers_the_empirical_entropy():
    def entropies(text):
        found = []
        for order in (1, 2, 3):
            around = jnp.concatenate([text, text[:, : order - 1]], axis=1)
            counts = ngram_counts(around, order=order, vocabulary_size=32)
            contexts = counts.sum(-1, keepdims=True)
            log_p = jnp.log(jnp.where(counts > 0, counts / jnp.maximum(contexts, 1), 1.0))
            found.append(-jnp.sum(counts * log_p) / text.size)
        return jnp.stack(found)

    falling = entropies(_text())
    return falling[1:], falling[:2], (entropies(jnp.zeros((1, 50), int)), jnp.zeros(3))


if __name__ == "__main__":
    derivation.main()
