"""A small causal network, a network that copies, and the figure of the lecture on training."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.autoregressive.training import corpus_cross_entropy, next_token_pairs, tied_logits, token_cross_entropy
from theory_jax.derivation.draws import draw

TOKENS = jnp.array([[3, 1, 4, 1, 0, 2], [0, 0, 2, 4, 3, 3], [2, 4, 1, 3, 1, 0]])
MASK = jnp.arange(6) < jnp.array([[6], [3], [4]])  # sequences of 6, 3 and 4 tokens
INPUTS, TARGETS, VALID = next_token_pairs(TOKENS, MASK)
EMBEDDING, MIXING = draw(5, 3, seed=1), draw(3, 3, seed=2)


def causal_logits(inputs, embedding=EMBEDDING, head=EMBEDDING):
    """A causal network as small as can be: the state sums what was read so far."""
    return tied_logits(jnp.tanh(jnp.cumsum(embedding[inputs] @ MIXING, axis=1)), head)


def one_pass_losses(targets, valid):
    """The losses of the padded texts, in one pass."""
    return token_cross_entropy(targets, causal_logits(INPUTS), valid)


def prefix_by_prefix():
    """The logits at every position, from a pass over the prefix alone."""
    return jnp.stack([causal_logits(INPUTS[:, : t + 1])[:, -1] for t in range(INPUTS.shape[1])], axis=1)


def copying_loss(confidence, inputs, targets):
    """The mean loss of a network that copies its inputs, with four tokens."""
    logits = confidence * jax.nn.one_hot(jnp.array([inputs]), 4, dtype=float)
    losses = token_cross_entropy(jnp.array([targets]), logits, None)
    return corpus_cross_entropy(losses, jnp.ones(losses.shape, bool))


def two_steps():
    """The box: a tied model of two words without layers between, and two steps of gradient descent."""
    inputs, targets, valid = next_token_pairs(jnp.array([[0, 1, 1], [1, 0, 0]]), jnp.array([[True] * 3, [True, True, False]]))
    loss = lambda e: corpus_cross_entropy(token_cross_entropy(targets, tied_logits(e[inputs], e), valid), valid)  # noqa: E731
    embedding = jnp.array([[1.0], [-1.0]])
    yield r"\text{abb and ba, no layers between, no smoothing: targets}", targets[valid], "(1, 1, 0)"
    yield r"\text{logits at } W = (1, -1)", tied_logits(embedding[inputs], embedding)[valid].ravel(), "(1, -1, -1, 1, -1, 1)"
    for step, stated in enumerate(("1.4603", "1.0711", "0.9124")):
        yield rf"\text{{mean loss after {step} steps of rate }} 0.2", loss(embedding), stated
        embedding = embedding - 0.2 * jax.grad(loss)(embedding)


def copying_and_smoothing(left, right):
    """The loss of a copying network, and the best gap of the logits under label smoothing."""
    confidence = np.linspace(0, 4, 41)
    hot = jnp.array(confidence)[:, None, None] * jnp.eye(4)[jnp.zeros((1, 2), int)]
    same, other = (token_cross_entropy(jnp.full((41, 2), target), hot, None)[:, 0] for target in (0, 1))
    left.plot(confidence, same, label="not shifted")
    for share in (0.0, 0.25, 0.5):
        left.plot(confidence, share * same + (1 - share) * other, label=f"shifted, $r = {share:g}$")
    left.axhline(math.log(4), linestyle="--", color="gray")
    left.set(xlabel="$s$, how sure the copying is", ylabel="mean loss (nats)", ylim=(0, 4))
    left.legend()
    shares = np.geomspace(1e-3, 1, 60)
    for size in (4, 256, 50_000):
        right.semilogx(shares, np.log1p(size * (1 - shares) / shares), label=f"$V = {size}$")
    right.set(xlabel=r"smoothing $\varepsilon$", ylabel="gap of the logits")
    right.legend()
