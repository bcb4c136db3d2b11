"""Training a language model: next-token prediction, what its loss is the likelihood of, and how its mean is taken.

The functions come first; the derivation below them executes the argument on these very functions.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import require, require_rank, require_same_shape, require_share, require_tokens, require_values, widened
from theory_jax.autoregressive.chain_rule import sequence_log_prob
from theory_jax.derivation import Derivation
from theory_jax.draws import draw
from theory_jax.foundations.maximum_likelihood import entropy, kl_divergence


def next_token_pairs(tokens, mask):
    r"""Inputs x_1..x_(T-1), targets x_2..x_T, and where both are valid. mask: True = valid; None = all valid.

    This is the only shift there is: logits of the inputs are aligned with the targets.

    Raises ValueError if there are fewer than two steps or the shapes differ.  Source: Williams & Zipser 1989 (teacher forcing).
    [B, T], [B, T] -> [B, T-1], [B, T-1], [B, T-1]
    """
    require_rank(2, tokens=tokens)
    steps = tokens.shape[1]
    require(steps >= 2, f"tokens has {steps} steps; it must have at least 2, one to predict the other from")
    if mask is None:
        mask = jnp.ones(tokens.shape, bool)
    require_same_shape(tokens=tokens, mask=mask)
    tokens, valid = widened(tokens), mask.astype(bool)
    return tokens[:, :-1], tokens[:, 1:], jnp.logical_and(valid[:, :-1], valid[:, 1:])


def token_cross_entropy(targets, logits, mask, *, label_smoothing=0.0):
    r"""-sum_v q_v log softmax(logits)_v with q = (1 - s) e_y + s/V, in nats: s = label_smoothing, y the target; 0 where masked.

    What stands at a masked position, target or logits, has no influence.

    Raises ValueError if the shapes do not fit, a valid target is outside 0..V-1 or label_smoothing is outside [0, 1].
    Source: Szegedy et al. 2016, section 7.
    [B, T], [B, T, V], [B, T] -> [B, T]
    """
    require_rank(2, targets=targets)
    require_rank(3, logits=logits)
    given, wanted = list(logits.shape[:2]), list(targets.shape)
    require(given == wanted, f"logits has shape {list(logits.shape)}; it must begin with the shape of targets, {wanted}")
    require_share(label_smoothing=label_smoothing)
    if mask is None:
        mask = jnp.ones(targets.shape, bool)
    require_same_shape(targets=targets, mask=mask)
    mask = mask.astype(bool)
    vocabulary_size = logits.shape[2]
    targets = jnp.where(mask, widened(targets), 0)
    require_tokens(vocabulary_size, targets=targets)
    # Silenced before the logarithm: padding may hold infinities, whose gradient would be NaN after it.
    log_probs = jax.nn.log_softmax(jnp.where(mask[..., None], logits, 0.0))
    one_hot = jax.nn.one_hot(targets, vocabulary_size, dtype=logits.dtype)
    law = (1 - label_smoothing) * one_hot + label_smoothing / vocabulary_size
    # A token that is ruled out has log-probability -inf, and 0 * inf is NaN: what has no weight is not added.
    return -jnp.sum(law * log_probs, axis=-1, where=(law > 0) & mask[..., None])


def corpus_cross_entropy(losses, mask):
    r"""sum_bt m_bt l_bt / sum_bt m_bt: the mean over the valid tokens of a batch, in nats a token. The reduction is inherent.

    Raises ValueError if the shapes differ or mask has no valid token (not seen when traced: then the mean is NaN).
    Source: by linearity of the log-likelihood.
    [B, T], [B, T] -> []
    """
    require_rank(2, losses=losses)
    require_same_shape(losses=losses, mask=mask)
    require(losses.size > 0, f"mask has shape {list(mask.shape)}: a mean over no token is not defined")
    valid = mask.astype(bool)
    require_values("mask", valid, lambda m: np.any(m), "True somewhere: a mean over no token is not defined")
    return jnp.mean(losses, where=valid)


def tied_logits(hidden, embedding):
    r"""h W^T: the score of a token is the inner product with its own input embedding.

    Raises ValueError if the widths differ.  Source: Press & Wolf 2017, section 3; Inan et al. 2017, section 3.
    [B, T, E], [V, E] -> [B, T, V]
    """
    require_rank(3, hidden=hidden)
    require_rank(2, embedding=embedding)
    width, wanted = embedding.shape[1], hidden.shape[2]
    require(width == wanted, f"embedding has width {width}; it must have that of hidden, {wanted}")
    return jnp.einsum("bte,ve->btv", hidden, embedding)


# ---------------------------------------------------------------------------------------------------- the derivation

derivation = Derivation(
    title="Next-token prediction: the chain rule, trained at every position at once",
    lectures=(48,),
    sources=(
        "Williams & Zipser 1989, A Learning Algorithm for Continually Running Fully Recurrent Neural Networks",
        "Szegedy et al. 2016, Rethinking the Inception Architecture for Computer Vision",
        "Press & Wolf 2017, Using the Output Embedding to Improve Language Models",
        "Inan, Khosravi & Socher 2017, Tying Word Vectors and Word Classifiers",
    ),
)

_V, _E, _SMOOTHING = 5, 3, 0.1
_TOKENS = jnp.array([[3, 1, 4, 1, 0, 2], [0, 0, 2, 4, 3, 3], [2, 4, 1, 3, 1, 0]])
_MASK = jnp.arange(6) < jnp.array([[6], [3], [4]])  # sequences of 6, 3 and 4 tokens
_INPUTS, _TARGETS, _VALID = next_token_pairs(_TOKENS, _MASK)
# A pangram with two doubled letters among its 116 pairs: fewer than one in 27, which would be chance.
_TEXT = (
    "jelly like above the high wire six quaking pachyderms kept the climax of the extravaganza in a dazzling state of flux"
)
_LETTERS = jnp.array([[" abcdefghijklmnopqrstuvwxyz".index(letter) for letter in _TEXT]])


_EMBEDDING, _MIXING = draw(_V, _E, seed=1), draw(_E, _E, seed=2)


def _logits(inputs, embedding=_EMBEDDING, head=_EMBEDDING):
    """A causal network as small as can be: the state sums what was read so far."""
    return tied_logits(jnp.tanh(jnp.cumsum(embedding[inputs] @ _MIXING, axis=1)), head)


@derivation.numeric(
    r"-\sum_{t=2}^{T} \ell_t = \sum_{t=2}^{T} \log p(x_t \mid x_{<t}) = \log p(x_2, \ldots, x_T \mid x_1)",
    because="Each conditional is asked of the true prefix, which is known beforehand: a causal network answers all of them in "
    "one pass (teacher forcing). On the left one pass over the batch, on the right the network reads every prefix alone. The "
    "sum of the losses is a negative log-likelihood, so minimizing it is maximum likelihood; a start token adds the term of x_1.",
)
def teacher_forcing_is_the_chain_rule():
    losses = token_cross_entropy(_TARGETS, _logits(_INPUTS), _VALID)
    one_by_one = jnp.stack([_logits(_INPUTS[:, : t + 1])[:, -1] for t in range(_INPUTS.shape[1])], axis=1)
    return -jnp.sum(losses, axis=1), sequence_log_prob(_TARGETS, one_by_one, _VALID)


def _copying(confidence):
    """Mean losses of a network that copies its input: on targets that are not shifted, and on those that are."""
    inputs, targets, valid = next_token_pairs(_LETTERS, None)
    logits = confidence * jax.nn.one_hot(inputs, 27, dtype=float)
    return jnp.stack([corpus_cross_entropy(token_cross_entropy(y, logits, valid), valid) for y in (inputs, targets)])


@derivation.numeric(
    r"l_t = s\, e_{x_t}: \quad \bar\ell_{\text{not shifted}} = \log(1 + (V - 1) e^{-s}) \to 0, \qquad"
    r" \bar\ell_{\text{shifted}} = \bar\ell_{\text{not shifted}} + s\, (1 - r)",
    because="A network that copies has learned nothing about language, yet without the shift it is told that it knows the text: "
    "at s = 40 its loss is 1e-16. With the shift it is right only where a letter is doubled, a share r of the pairs. A loss that "
    "falls to nothing within a few steps is the sign of a forgotten shift.",
)
def copying_is_perfect_without_the_shift():
    scales = jnp.array([0.5, 3.0, 40.0])
    doubled = sum(a == b for a, b in zip(_TEXT, _TEXT[1:], strict=False)) / (len(_TEXT) - 1)
    perfect = jnp.log1p(26 * jnp.exp(-scales))
    return jax.jit(jax.vmap(_copying))(scales), jnp.stack([perfect, perfect + scales * (1 - doubled)], axis=1)


@derivation.bound(
    r"\ln V \;\le\; \bar\ell_{\text{shifted}} \quad\text{for every } s \ge 0, \text{ where } r \le 1/V",
    because="As a function of s the shifted loss is log(e^s + V - 1) - r s, which is ln V at s = 0 and has the slope p - r, p "
    "the probability of the copied token: at least 1/V - r. Where tokens repeat less often than by chance, copying is worse than "
    "guessing at every confidence, and the more so the surer it is.",
)
def copying_is_worse_than_chance_with_it():
    shifted = jax.jit(jax.vmap(_copying))(jnp.array([0.0, 0.01, 0.5, 3.0, 40.0]))[:, 1]
    return jnp.full(4, math.log(27)), shifted[1:], (shifted[0], math.log(27))


@derivation.autodiff(
    r"\frac{\partial \ell_t}{\partial l_{tv}} = m_t \left( p_{tv} - (1 - \varepsilon) [v = y_t] - \frac{\varepsilon}{V} \right)",
    because="The log-sum-exp has the softmax as its gradient and the target law enters linearly: prediction minus target, and no "
    "factor beside it that vanishes where the model is sure and wrong. Masked positions have no gradient at all.",
)
def gradient_in_the_logits():
    logits = draw(3, 5, _V, seed=3)
    gradient = jax.grad(lambda z: jnp.sum(token_cross_entropy(_TARGETS, z, _VALID, label_smoothing=_SMOOTHING)))(logits)
    wanted = (1 - _SMOOTHING) * (_TARGETS[..., None] == jnp.arange(_V)) + _SMOOTHING / _V
    return gradient, jnp.where(_VALID[..., None], jax.nn.softmax(logits) - wanted, 0.0)


@derivation.numeric(
    r"\ell^{(\varepsilon)} = (1 - \varepsilon)\, \ell + \varepsilon \left( \mathrm{KL}(u \,\|\, p) + \ln V \right)",
    because="The second part is the cross-entropy of the uniform law u with the prediction, which is KL(u || p) + H(u). "
    "Smoothing thus pulls every prediction towards uniform, and by the divergence that punishes most where p is small.",
)
def smoothing_is_a_pull_towards_uniform():
    logits = draw(3, 5, _V, seed=3)
    rows = jax.nn.log_softmax(logits).reshape(-1, _V)
    divergence = kl_divergence(jnp.full(rows.shape, -math.log(_V)), rows).reshape(3, 5)
    smoothed = token_cross_entropy(_TARGETS, logits, None, label_smoothing=_SMOOTHING)
    plain = token_cross_entropy(_TARGETS, logits, None)
    return smoothed, (1 - _SMOOTHING) * plain + _SMOOTHING * (divergence + math.log(_V))


@derivation.autodiff(
    r"\nabla_l\, \ell^{(\varepsilon)} = 0 \quad\text{at}\quad"
    r" l_y - l_v = \ln\left( 1 + V\, \frac{1 - \varepsilon}{\varepsilon} \right) \quad (v \ne y)",
    because="The gradient vanishes where the prediction is the smoothed target, and the log of the ratio of the target's two "
    "probabilities is the gap. Without smoothing it would have to be infinite, and the logits would grow as long as training "
    "lasts.",
)
def smoothing_bounds_the_logits():
    shares = (0.05, 0.3, 0.9)
    gaps = [math.log1p(_V * (1 - share) / share) for share in shares]
    targets = jnp.array([[2, 0]])
    slopes = [
        jax.grad(lambda z, share=share: jnp.sum(token_cross_entropy(targets, z, None, label_smoothing=share)))(
            gap * jax.nn.one_hot(targets, _V, dtype=float) + 7.0
        )
        for share, gap in zip(shares, gaps, strict=True)
    ]
    return jnp.stack(slopes), jnp.zeros((3, 1, 2, _V))


@derivation.autodiff(
    r"\nabla_l\, \mathbb{E}_{y \sim q}\, \ell(y, l) = p - q, \qquad \text{zero exactly at } p = q",
    because="The expectation over the next token goes through to the target: e_y becomes q. Cross-entropy is a proper score: the "
    "only prediction it leaves alone is the data's own conditional, and its least value is the entropy of that conditional.",
)
def cross_entropy_is_proper():
    log_q = jax.nn.log_softmax(draw(_V, seed=4))
    every = jnp.arange(_V)[:, None]

    def expected(logits):
        return jnp.exp(log_q) @ token_cross_entropy(every, jnp.broadcast_to(logits, (_V, 1, _V)), None)[:, 0]

    logits = draw(_V, seed=5)
    at_random, at_truth = jax.grad(expected)(logits), jax.grad(expected)(log_q + 3.0)
    left = jnp.concatenate([at_random, at_truth, expected(log_q + 3.0)[None]])
    return left, jnp.concatenate([jax.nn.softmax(logits) - jnp.exp(log_q), jnp.zeros(_V), entropy(log_q[None])])


@derivation.autodiff(
    r"\nabla_W L = \sum_t (p_t - e_{y_t})\, h_t^\top + \sum_t e_{x_t}\, (\partial L / \partial r_t)^\top, \qquad"
    r" r_t = W^\top e_{x_t}",
    because="A matrix that is used twice collects two gradients. As the output it moves every row at every step, towards the "
    "hidden state or away from it; as the input, through r, only the rows that were read. Rare tokens are therefore trained "
    "mostly as outputs, and tying lets their inputs profit.",
)
def tying_adds_two_gradients():
    def loss(embedding, head):
        return jnp.sum(token_cross_entropy(_TARGETS, _logits(_INPUTS, embedding, head), _VALID))

    hidden, pull_back = jax.vjp(lambda read: jnp.tanh(jnp.cumsum(read @ _MIXING, axis=1)), _EMBEDDING[_INPUTS])
    error = jax.nn.softmax(tied_logits(hidden, _EMBEDDING)) - jax.nn.one_hot(_TARGETS, _V)
    error = jnp.where(_VALID[..., None], error, 0.0)
    as_output = jnp.einsum("btv,bte->ve", error, hidden)
    as_input = jnp.zeros((_V, _E)).at[_INPUTS].add(*pull_back(error @ _EMBEDDING))
    return jax.grad(lambda tied: loss(tied, tied))(_EMBEDDING), as_output + as_input


@derivation.numeric(
    r"\frac{\sum_b n_b \bar\ell_b}{\sum_b n_b} - \frac{1}{B} \sum_b \bar\ell_b = \frac{\mathrm{Cov}_b(n_b, \bar\ell_b)}{\bar n}",
    because="The mean over tokens weighs a sequence by its length, the mean of the sequences' means does not: they differ as "
    "soon as length and loss are correlated, which they are, since early tokens have little context. Only the first is the "
    "likelihood of the corpus, and does not depend on which tokens share a row.",
)
def a_mean_of_means_is_another_number():
    losses = token_cross_entropy(_TARGETS, draw(3, 5, _V, seed=3), _VALID)
    lengths = jnp.sum(_VALID, axis=1)
    means = jnp.sum(losses, axis=1) / lengths
    covariance = jnp.mean(lengths * means) - jnp.mean(lengths) * jnp.mean(means)
    return corpus_cross_entropy(losses, _VALID) - jnp.mean(means), covariance / jnp.mean(lengths)


@derivation.exact(
    r"l = 0: \quad \bar\ell = \ln V, \qquad e^{\bar\ell} = V, \qquad \bar\ell / \ln 2 = 8 \text{ bits at } V = 256",
    because="A network that knows nothing gives every token 1/V. This is where training starts if the initial logits are small: "
    "a first loss far from ln V is a mistake in the loss or in the initialization.",
)
def the_uniform_model():
    sizes = (2, 27, 256)
    tokens = [jnp.arange(size).reshape(2, -1) if size % 2 == 0 else jnp.arange(size)[None] for size in sizes]
    losses = [token_cross_entropy(y, jnp.zeros((*y.shape, size)), None) for y, size in zip(tokens, sizes, strict=True)]
    means = jnp.stack([corpus_cross_entropy(loss, jnp.ones(loss.shape, bool)) for loss in losses])
    left = jnp.concatenate([means, jnp.exp(means), means[2:] / math.log(2)])
    return left, jnp.array([*(math.log(size) for size in sizes), *sizes, 8.0])


if __name__ == "__main__":
    derivation.main()
