"""Decoding (lecture 48): what each way of reshaping the next token's law keeps, and how uniform numbers become tokens.

The functions come first; the derivation below them executes the argument on these very functions.
"""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import (
    require,
    require_at_least,
    require_rank,
    require_same_shape,
    require_tokens,
    require_unit_interval,
    require_values,
    widened,
)
from theory_jax.derivation import Derivation
from theory_jax.foundations.maximum_likelihood import entropy, kl_divergence


def apply_temperature(logits, *, temperature):
    r"""l / T: softmax(l / T) is p^(1/T), normalized anew. T < 1 sharpens, T > 1 flattens; the limit T -> 0 is the arg max.

    Raises ValueError unless temperature is positive and finite, or if a row of logits has no finite maximum.
    Source: Ackley, Hinton & Sejnowski 1985.
    [B, V] -> [B, V]
    """
    _require_logits(logits)
    require(0 < temperature < math.inf, f"temperature is {temperature}; it must be positive and finite")
    return logits / temperature


def top_k_filter(logits, *, k):
    r"""l_i where l_i is at least the k-th largest logit, -inf elsewhere. Ties with the k-th are kept; k >= V keeps all.

    Raises ValueError if k is below 1 or a row of logits has no finite maximum.  Source: Fan et al. 2018, section 5.4.
    [B, V] -> [B, V]
    """
    _require_logits(logits)
    require_at_least(1, k=k)
    smallest_kept = jax.lax.top_k(logits, min(k, logits.shape[1]))[0][:, -1:]
    return jnp.where(logits >= smallest_kept, logits, -jnp.inf)


def nucleus_filter(logits, *, mass):
    r"""The nucleus (top-p): from the most likely token downward, l_i as long as the tokens before i have less than the mass.

    keep i  <=>  sum of p_j over j before i < mass;  among equals the lower index comes first

    The token that crosses the mass is kept: the nucleus has at least the mass, and at least one token.

    Raises ValueError unless 0 < mass <= 1, or if a row of logits has no finite maximum.
    Source: Holtzman et al. 2020, section 3.1.
    [B, V] -> [B, V]
    """
    _require_logits(logits)
    return _keep_first(logits, -logits, mass)


def typical_filter(logits, *, mass):
    r"""Locally typical sampling: as nucleus_filter, in the order of |-log p_i - H(p)|, the nearest to the entropy first.

    Raises ValueError unless 0 < mass <= 1, or if a row of logits has no finite maximum.
    Source: Meister et al. 2023, section 4.
    [B, V] -> [B, V]
    """
    _require_logits(logits)
    log_probs = jax.nn.log_softmax(logits, axis=-1)
    possible = log_probs > -jnp.inf
    mean_surprise = -jnp.sum(jnp.exp(log_probs) * jnp.where(possible, log_probs, 0.0), axis=-1, keepdims=True)
    return _keep_first(logits, jnp.abs(-log_probs - mean_surprise), mass)


def minimum_probability_filter(logits, *, fraction):
    r"""Min-p: l_i where p_i >= fraction max_j p_j, that is l_i >= max_j l_j + log fraction; -inf elsewhere.

    Raises ValueError unless 0 <= fraction <= 1, or if a row of logits has no finite maximum.
    Source: Nguyen et al. 2024, section 3.
    [B, V] -> [B, V]
    """
    _require_logits(logits)
    require(0 <= fraction <= 1, f"fraction is {fraction}; it must be within [0, 1]")
    gap = math.log(fraction) if fraction > 0 else -math.inf
    return jnp.where(logits >= jnp.max(logits, axis=-1, keepdims=True) + gap, logits, -jnp.inf)


def repetition_penalty(logits, tokens, *, penalty):
    r"""l_i / theta if l_i > 0, theta l_i otherwise, for the tokens i that occur in `tokens`; the others stay as they are.

    A token counts once, however often it occurs. theta > 1 makes repetition less likely, theta < 1 more.

    Raises ValueError if penalty is not positive and finite, the batches differ, a token is outside 0..V-1, or a row of logits
    has no finite maximum.  Source: Keskar et al. 2019, section 4.1.
    [B, V], [B, T] -> [B, V]
    """
    _require_logits(logits)
    require_rank(2, tokens=tokens)
    rows, size = logits.shape
    require(tokens.shape[0] == rows, f"tokens has {tokens.shape[0]} rows; it must have one for each of the {rows} of logits")
    require(0 < penalty < math.inf, f"penalty is {penalty}; it must be positive and finite")
    require_tokens(size, tokens=tokens)
    seen = jnp.any(widened(tokens)[:, :, None] == jnp.arange(size), axis=1)
    return jnp.where(seen, jnp.where(logits > 0, logits / penalty, logits * penalty), logits)


def categorical_from_uniform(logits, uniform):
    r"""The smallest i with u < p_0 + ... + p_i: a draw of softmax(l) where u is uniform. Never a token of probability 0.

    Raises ValueError if there is not one uniform a row, one is outside [0, 1], or a row of logits has no finite maximum.
    Source: Devroye 1986, section III.2.1.
    [B, V], [B] -> [B]
    """
    _require_logits(logits)
    require_rank(1, uniform=uniform)
    rows = logits.shape[0]
    require(uniform.shape[0] == rows, f"uniform has {uniform.shape[0]} entries; it must have one for each of the {rows} rows")
    require_unit_interval(uniform=uniform)
    sums = jnp.cumsum(jax.nn.softmax(logits, axis=-1), axis=-1)
    # Rounding may leave the whole sum at or below u: then it is the first token that completes it, not an index V.
    return jnp.minimum(jnp.sum(sums <= uniform[:, None], axis=-1), jnp.argmax(sums, axis=-1))


def gumbel_argmax(logits, uniforms):
    r"""argmax_i [ l_i - log(-log u_i) ]: a draw of softmax(l) where the u are independent and uniform. Never a token at -inf.

    Uniforms of exactly 0 and 1, which generators do produce, count as the nearest numbers between them.

    Raises ValueError if the shapes differ, a uniform is outside [0, 1], or a row of logits has no finite maximum.
    Source: Maddison et al. 2014, section 2.
    [B, V], [B, V] -> [B]
    """
    _require_logits(logits)
    require_same_shape(logits=logits, uniforms=uniforms)
    require_unit_interval(uniforms=uniforms)
    limits = jnp.finfo(uniforms.dtype)
    inside = jnp.clip(uniforms, limits.tiny, 1 - limits.epsneg)
    return jnp.argmax(logits - jnp.log(-jnp.log(inside)), axis=-1)


def _keep_first(logits, key, mass):
    """The logits of the tokens that have less than the mass before them, in ascending order of the key; -inf for the others."""
    require(0 < mass <= 1, f"mass is {mass}; it must be above 0, and at most 1")
    order = jnp.argsort(key, axis=-1, stable=True)
    sorted_probs = jnp.take_along_axis(jax.nn.softmax(logits, axis=-1), order, axis=-1)
    # what stands before the first is 0 exactly, so that one token is kept for the smallest mass
    before = jnp.cumsum(jnp.pad(sorted_probs[:, :-1], ((0, 0), (1, 0))), axis=-1)
    # a mass of 1 means everything: rounding must not take the tail away
    kept = (before < mass) | (mass == 1)
    return jnp.where(jnp.take_along_axis(kept, jnp.argsort(order, axis=-1), axis=-1), logits, -jnp.inf)


def _require_logits(logits):
    require_rank(2, logits=logits)
    require(logits.shape[1] > 0, "logits has no column; it must have one for each token of the vocabulary")
    allowed = "a number, or -inf for a token that is removed, with at least one token left in its row"
    require_values("logits", logits, lambda a: (a < np.inf) & np.any(np.isfinite(a), axis=-1, keepdims=True), allowed)


# ---------------------------------------------------------------------------------------------------- the derivation

derivation = Derivation(
    title="Decoding: truncated laws, and draws from uniform numbers",
    lectures=(48,),
    sources=(
        "Holtzman et al. 2020, The Curious Case of Neural Text Degeneration",
        "Fan, Lewis & Dauphin 2018, Hierarchical Neural Story Generation",
        "Meister et al. 2023, Locally Typical Sampling",
        "Nguyen et al. 2024, Turning Up the Heat: Min-p Sampling for Creative and Coherent LLM Outputs",
        "Keskar et al. 2019, CTRL: A Conditional Transformer Language Model for Controllable Generation",
        "Maddison, Tarlow & Minka 2014, A* Sampling",
    ),
)

_rng = np.random.default_rng(0)
_logits = jnp.array(_rng.normal(size=(5, 6), scale=1.5))
# every non-empty set of six tokens, as a row of truth values
_subsets = jnp.array([s for s in itertools.product((False, True), repeat=6) if any(s)])


def _law(logits):
    return jax.nn.log_softmax(logits, axis=-1)


def _kept(logits):
    return jnp.asarray(logits > -jnp.inf, int)


@derivation.numeric(
    r"\frac{d}{db} H(p_b) = -b\, \mathrm{Var}_{p_b}(l) \quad\text{for}\quad p_b = \mathrm{softmax}(b\, l), \; b = 1/T",
    because="H = log Z(b) - b <l>, and the derivative of log Z is <l>: what is left is -b d<l>/db, and the derivative of the "
    "mean of an exponential family is its variance. As b > 0 and variances are not negative, a lower temperature never raises "
    "the entropy.",
)
def entropy_falls_with_inverse_temperature():
    def entropies(b):
        return entropy(_law(apply_temperature(_logits, temperature=1 / b)))

    b = 1.7
    p = jnp.exp(_law(apply_temperature(_logits, temperature=1 / b)))
    variance = jnp.sum(p * _logits**2, axis=1) - jnp.sum(p * _logits, axis=1) ** 2
    return jax.jacobian(entropies)(b), -b * variance


@derivation.bound(
    r"H(p_{b'}) \le H(p_b) \text{ for } b' \ge b, \quad\text{from } \log V \text{ at } b = 0"
    r" \text{ to the arg max at } b = \infty",
    because="At b = 0 all tokens are alike, which is the largest entropy there is. At the other end every ratio of probabilities "
    "e^(b (l_i - l_j)) goes to 0 or infinity, and the most likely token has everything.",
)
def from_uniform_to_arg_max():
    def law(temperature):
        return _law(apply_temperature(_logits, temperature=temperature))

    entropies = jnp.stack([entropy(law(t)) for t in (0.1, 0.3, 0.7, 1.0, 2.0, 5.0)])
    best = jax.nn.one_hot(jnp.argmax(_logits, axis=1), 6, dtype=float)
    at_the_ends = jnp.concatenate([jnp.exp(law(1e-3)).ravel(), entropy(law(1e9))])
    return entropies[:-1], entropies[1:], (at_the_ends, jnp.append(best.ravel(), jnp.full(5, math.log(6))))


@derivation.exact(
    r"\mathrm{KL}(q \,\|\, p) = \mathrm{KL}(q \,\|\, p_S) - \log p(S) \quad\text{for every law } q \text{ on } S",
    because="On S the restricted law p_S is p / p(S), and the constant leaves the expectation. So of all laws on S the closest "
    "is p_S, and the price of truncation is -log p(S), no more and no less.",
)
def restricting_is_the_closest_law_on_a_set():
    p = _law(_logits[0])
    restricted = _law(jnp.where(_subsets, p, -jnp.inf))
    rivals = _law(jnp.where(_subsets, jnp.array(_rng.normal(size=_subsets.shape)), -jnp.inf))
    mass = jnp.sum(jnp.where(_subsets, jnp.exp(p), 0.0), axis=1)
    to_p = kl_divergence(rivals, jnp.broadcast_to(p, rivals.shape))
    # outside S the two laws are both 0 and contribute nothing
    to_restricted = jnp.sum(jnp.where(_subsets, jnp.exp(rivals) * (rivals - restricted), 0.0), axis=1)
    return to_p, to_restricted - jnp.log(mass)


@derivation.exact(
    r"\text{top-}k: \quad \mathrm{KL}(q \,\|\, p) = \min_{|S| = k} -\log p(S), \qquad \mathrm{TV}(q, p) = 1 - p(S)",
    because="The price -log p(S) is least where p(S) is largest, and that is the set of the k largest probabilities. Truncation "
    "moves the mass outside S into S, which is the total variation.",
)
def top_k_is_the_closest_law_on_k_tokens():
    p = _law(_logits)
    masses = jnp.exp(p) @ _subsets.T
    divergences, variations, best = [], [], []
    for k in (1, 2, 4):
        q = _law(top_k_filter(_logits, k=k))
        divergences.append(kl_divergence(q, p))
        variations.append(jnp.sum(jnp.abs(jnp.exp(q) - jnp.exp(p)), axis=1) / 2)
        best.append(jnp.max(jnp.where(_subsets.sum(1) == k, masses, 0.0), axis=1))
    best = jnp.stack(best)
    return jnp.stack([jnp.stack(divergences), jnp.stack(variations)]), jnp.stack([-jnp.log(best), 1 - best])


@derivation.exact(
    r"|\text{nucleus}| = \min \{ |S| : p(S) \ge m \}",
    because="A set of n tokens has at most the mass of the n most likely ones. So no set smaller than the nucleus can reach the "
    "mass: without its last token even the heaviest set of that size stayed below. It does reach it, because the token that "
    "crosses is kept.",
)
def the_nucleus_is_a_smallest_set():
    masses = jnp.exp(_law(_logits)) @ _subsets.T
    sizes, reached, smallest = [], [], []
    for mass in (0.05, 0.4, 0.75, 0.9, 0.99):
        kept = _kept(nucleus_filter(_logits, mass=mass))
        sizes.append(kept.sum(1))
        reached.append(jnp.sum(kept * jnp.exp(_law(_logits)), axis=1) >= mass)
        smallest.append(jnp.min(jnp.where(masses >= mass, _subsets.sum(1), 7), axis=1))
    return jnp.stack([jnp.stack(sizes), jnp.stack(reached)]), jnp.stack([jnp.stack(smallest), jnp.ones((5, 5), int)])


@derivation.exact(
    r"\text{temperature} \circ \text{top-}k = \text{top-}k \circ \text{temperature}, \qquad"
    r" \text{temperature} \circ \text{nucleus} \ne \text{nucleus} \circ \text{temperature}",
    because="Dividing by T keeps the order of the logits, and top-k looks at nothing else. The nucleus looks at probabilities, "
    "which T changes: at T = 2 the same mass asks for more tokens. So the order of the two must be said; temperature first is "
    "the usual one.",
)
def the_order_of_temperature_and_nucleus_matters():
    hot = apply_temperature(_logits, temperature=2.0)
    before, after = (
        apply_temperature(top_k_filter(_logits, k=3), temperature=2.0),
        top_k_filter(hot, k=3),
    )
    fewer = _kept(apply_temperature(nucleus_filter(_logits, mass=0.8), temperature=2.0)).sum(1)
    more = _kept(nucleus_filter(hot, mass=0.8)).sum(1)
    differs = jnp.any(more > fewer) & jnp.all(more >= fewer)
    return jnp.append(before.ravel(), differs), jnp.append(after.ravel(), 1.0)


@derivation.exact(
    r"p = (0.4, 0.15, 0.15, 0.15, 0.15),\; m = 0.5: \quad \text{typical} = \{2, 3, 4, 5\}, \quad \text{nucleus} = \{1, 2\}",
    because="The entropy is 1.50 nats. The most likely token carries 0.92, which is 0.59 too little; each of the others carries "
    "1.90, 0.39 too much, and so comes first. Four of them have the mass. What is typical need not be what is most likely.",
)
def typical_sampling_can_drop_the_most_likely_token():
    logits = jnp.log(jnp.array([[0.4, 0.15, 0.15, 0.15, 0.15]])) + 3.0
    kept = [_kept(f(logits, mass=0.5))[0] for f in (typical_filter, nucleus_filter)]
    return jnp.stack(kept), jnp.array([[0, 1, 1, 1, 1], [1, 1, 0, 0, 0]])


@derivation.exact(
    r"p_i \ge f \max_j p_j \iff l_i \ge \max_j l_j + \log f",
    because="The normalizing constant divides out of a ratio of probabilities. Min-p is a fixed gap below the largest logit: a "
    "constant added to all logits changes nothing, and how the rest of the mass is spread does not matter.",
)
def minimum_probability_is_a_gap_of_logits():
    kept = [_kept(minimum_probability_filter(_logits + shift, fraction=f)) for shift in (0.0, 7.0) for f in (0.05, 0.2, 0.6)]
    p = jnp.exp(_law(_logits))
    by_definition = [jnp.asarray(p >= f * p.max(1, keepdims=True), int) for f in (0.05, 0.2, 0.6)]
    return jnp.stack(kept), jnp.stack(by_definition * 2)


@derivation.numeric(
    r"l = \log p: \;\; \mathrm{softmax}(\mathrm{penalize}(l))_i \propto p_i^\theta \text{ for seen } i; \quad"
    r" l + c: \text{ another law}",
    because="Log-probabilities are never positive, so that every seen one is multiplied: p becomes p^theta. But the logits of a "
    "network are known only up to a constant, and shifted ones are divided or multiplied elsewhere: the same law gives another "
    "result. To know what is penalized, penalize log-probabilities.",
)
def the_penalty_depends_on_the_constant():
    tokens = jnp.array([[0, 3, 0], [1, 1, 1], [5, 4, 2], [2, 0, 5], [3, 3, 0]])
    p, seen = jnp.exp(_law(_logits)), jnp.any(tokens[:, :, None] == jnp.arange(6), axis=1)
    powered = jnp.where(seen, p**1.3, p)
    penalized = jnp.exp(_law(repetition_penalty(_law(_logits), tokens, penalty=1.3)))
    shifted = jnp.exp(_law(repetition_penalty(_law(_logits) + 4.0, tokens, penalty=1.3)))
    differs = jnp.max(jnp.abs(shifted - penalized)) > 0.01
    return jnp.append(penalized.ravel(), differs), jnp.append((powered / powered.sum(1, keepdims=True)).ravel(), 1.0)


@derivation.exact(
    r"|\{ u \in [0, 1) : \text{token}(u) = i \}| = p_i",
    because="Token i is given out between the sum of the probabilities before it and the sum with it: an interval of length "
    "p_i. For probabilities in 64ths the middles of 64 equal cells, one uniform each, count those lengths exactly; a token of "
    "probability 0 has an empty interval.",
)
def the_inverse_cdf_has_intervals_of_length_p():
    p = jnp.array([0, 20, 1, 0, 33, 10, 0]) / 64
    logits = jnp.broadcast_to(jnp.log(p), (64, 7))
    drawn = categorical_from_uniform(logits, (jnp.arange(64) + 0.5) / 64)
    return jnp.bincount(drawn, length=7) / 64, p


@derivation.numeric(
    r"\int f(x - l_i) \prod_{j \ne i} F(x - l_j)\, dx = \frac{e^{l_i}}{\sum_j e^{l_j}}, \quad F(x) = e^{-e^{-x}}, \; f = F'",
    because="-log(-log u) has the distribution function F. That i wins means that the others stay below its value x; the "
    "product of all F is e^(-Z e^-x) with Z = sum e^l, so that the integrand is e^(l_i) e^-x e^(-Z e^-x), with integral "
    "e^(l_i) / Z. The trapezoidal rule converges exponentially here.",
)
def gumbel_noise_wins_in_proportion():
    x = jnp.linspace(-12.0, 60.0, 4001)
    gaps = x[:, None] - _logits[:, None]
    log_f = -gaps - jnp.exp(-gaps)
    others = jnp.sum(-jnp.exp(-gaps), axis=-1, keepdims=True) + jnp.exp(-gaps)
    return jnp.sum(jnp.exp(log_f + others), axis=1) * (x[1] - x[0]), jax.nn.softmax(_logits, axis=1)


@derivation.monte_carlo(
    r"\Pr( \arg\max_i\, l_i - \log(-\log u_i) = i ) = \mathrm{softmax}(l)_i",
    because="The same law, drawn: forty thousand seeded rows of uniforms.",
)
def gumbel_draws_have_the_law():
    uniforms = jnp.array(np.random.default_rng(1).uniform(size=(40_000, 6)))
    drawn = gumbel_argmax(jnp.broadcast_to(_logits[0], (40_000, 6)), uniforms)
    return jax.nn.one_hot(drawn, 6, dtype=float), jax.nn.softmax(_logits[0])


if __name__ == "__main__":
    derivation.main()
