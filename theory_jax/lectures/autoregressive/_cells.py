"""Plain cells, and the figure of the lecture on recurrent networks."""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.autoregressive.recurrent import character_model_logits, lstm_cell, lstm_sequence, rnn_cell
from theory_jax.derivation.draws import draw


def plain_cell(driven, state, weights):
    """rnn_cell of one example with its input projected already: [H], [H], [H, H] -> [H]"""
    size = len(state)
    return rnn_cell(driven[None], state[None], jnp.eye(size), weights, jnp.zeros(size))[0]


def flat(parts):
    """All entries of some arrays."""
    return jnp.concatenate([part.ravel() for part in parts])


def memory(plain, gated):
    """The derivative of a plain cell's state against its bound, and what forget gates keep."""
    steps = np.arange(21)
    turned = np.linalg.qr(np.asarray(draw(16, 16)))[0]
    inputs = draw(20, 16, seed=1, scale=0.3)
    for norm in (0.5, 0.9, 1.1):
        state, jacobian, norms = np.zeros(16), np.eye(16), [1.0]
        for now in inputs:
            state = np.asarray(plain_cell(now, state, norm * turned))
            jacobian = (1 - state**2)[:, None] * (norm * turned) @ jacobian
            norms.append(np.linalg.norm(jacobian, 2))
        (line,) = plain.plot(steps, norms, label=rf"$\|U\| = {norm}$")
        plain.plot(steps, norm**steps, linestyle="--", color=line.get_color(), linewidth=0.8)
    plain.set(xlabel="steps back", ylabel="norm of the derivative", yscale="log", ylim=(1e-6, 30))
    plain.legend()
    for bias in (0, 1, 5):
        gated.plot(steps, (1 / (1 + np.exp(-bias))) ** steps, label=f"$b_f = {bias}$")
    gated.set(xlabel="steps back", ylabel="share of the cell", yscale="log", ylim=(1e-6, 30))
    gated.legend()


def probabilities_of_texts():
    """Of the eight texts after each of two first tokens: by the logits before a token, and by its own."""
    weights = draw(2, 3), draw(8, 3, seed=1), draw(8, 2, seed=2), draw(8, seed=3), draw(2, 2, seed=4), draw(2, seed=5)
    texts = np.stack(np.meshgrid(*[[0, 1]] * 4, indexing="ij"), -1).reshape(16, 4)
    logs = jax.nn.log_softmax(character_model_logits(jnp.asarray(texts), *weights))
    following = np.take_along_axis(np.asarray(logs[:, :-1]), texts[:, 1:, None], 2)[..., 0]
    itself = np.take_along_axis(np.asarray(logs[:, 1:]), texts[:, 1:, None], 2)[..., 0]
    return [np.exp(found.sum(1)).reshape(2, 8) for found in (following, itself)]


def two_tokens():
    """The box: two steps of an LSTM with one unit and no recurrent weights, and what they leave of its cell."""
    zero, ones = jnp.zeros((1, 1)), jnp.ones((1, 1))
    weights = jnp.zeros((4, 1)), jnp.zeros((4, 1)), jnp.array([0.0, np.log(3), np.log(2), 0.0])
    h, c = lstm_cell(zero, zero, ones, *weights)
    yield (
        r"c = 1,\ i = \tfrac12,\ f = \tfrac34,\ g = \tfrac35,\ o = \tfrac12: \quad c_1, h_1",
        (c[0, 0], h[0, 0]),
        "(1.05, 0.3909)",
    )
    yield r"c_2, h_2", (*(part[0, 0] for part in lstm_cell(zero, h, c, *weights)[::-1]),), "(1.0875, 0.3980)"
    piece = lambda c: lstm_sequence(jnp.zeros((1, 2, 1)), zero, c * ones, *weights, None)[2][0, 0]  # noqa: E731
    yield r"\partial c_2 / \partial c_0 = f_2 f_1", jax.grad(piece)(1.0), "0.5625"
