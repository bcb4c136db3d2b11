r"""Recurrent language models (lecture 42): why a plain recurrence forgets in training, and what the gates of LSTM and GRU change.

A cell has D inputs and a state of H numbers. Matrices [.., D] and [.., H] act on the input and on the state; the gates of a cell
stand below each other in them.
"""

import jax
import jax.numpy as jnp
from flax import nnx

from theory_jax.arguments import require, require_rank, require_shape, require_tokens, widened


def rnn_cell(x, h, weight_input, weight_hidden, bias):
    r"""h' = tanh(W x + U h + b).

    Raises ValueError if the shapes do not fit.  Source: Elman 1990.
    [B, D], [B, H], [H, D], [H, H], [H] -> [B, H]
    """
    require_rank(2, x=x)
    _require_cell(1, x, h, weight_input=weight_input, weight_hidden=weight_hidden, bias=bias)
    return jnp.tanh(x @ weight_input.T + h @ weight_hidden.T + bias)


def lstm_cell(x, h, c, weight_input, weight_hidden, bias):
    r"""c' = sigma(f) c + sigma(i) tanh(g) and h' = sigma(o) tanh(c'), where (i, f, g, o) = W x + U h + b.

    Raises ValueError if the shapes do not fit.  Source: Hochreiter & Schmidhuber 1997; Gers et al. 2000 for the forget gate f.
    [B, D], [B, H], [B, H], [4*H, D], [4*H, H], [4*H] -> [B, H], [B, H]
    """
    require_rank(2, x=x)
    _require_cell(4, x, h, weight_input=weight_input, weight_hidden=weight_hidden, bias=bias)
    require_shape(jnp.shape(h), c=c)
    i, f, g, o = jnp.split(x @ weight_input.T + h @ weight_hidden.T + bias, 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def gru_cell(x, h, weight_input, weight_hidden, bias_input, bias_hidden):
    r"""h' = (1 - sigma(z)) n + sigma(z) h, where n = tanh(n_x + sigma(r) n_h).

    (r, z, n_x) is W x + b_x, and (., ., n_h) is U h + b_h; its first two parts are added to r and z: the state is reset after
    the product with U.

    Raises ValueError if the shapes do not fit.  Source: Cho et al. 2014, with the reset of cuDNN and torch.
    [B, D], [B, H], [3*H, D], [3*H, H], [3*H], [3*H] -> [B, H]
    """
    require_rank(2, x=x)
    biases = dict(bias_input=bias_input, bias_hidden=bias_hidden)
    _require_cell(3, x, h, weight_input=weight_input, weight_hidden=weight_hidden, **biases)
    from_input = jnp.split(x @ weight_input.T + bias_input, 3, axis=-1)
    from_state = jnp.split(h @ weight_hidden.T + bias_hidden, 3, axis=-1)
    r, z = (a + b for a, b in zip(from_input[:2], from_state[:2], strict=True))
    n = jnp.tanh(from_input[2] + jax.nn.sigmoid(r) * from_state[2])
    return jax.nn.sigmoid(-z) * n + jax.nn.sigmoid(z) * h


def lstm_sequence(x, h, c, weight_input, weight_hidden, bias, mask):
    r"""lstm_cell for t = 1, ..., T, from h and c: h of all times, and the last h and c. mask: True = valid; None = all valid.

    A masked step keeps the state. Values of x there have no influence.

    Raises ValueError if the shapes do not fit or x has no step.  Source: Hochreiter & Schmidhuber 1997.
    [B, T, D], [B, H], [B, H], [4*H, D], [4*H, H], [4*H], [B, T] -> [B, T, H], [B, H], [B, H]
    """
    require_rank(3, x=x)
    require(x.shape[1] > 0, f"x has shape {list(x.shape)}; it must be [B, T, D] with at least one step")
    _require_cell(4, x, h, weight_input=weight_input, weight_hidden=weight_hidden, bias=bias)
    require_shape(jnp.shape(h), c=c)
    mask = jnp.ones(x.shape[:2], bool) if mask is None else mask
    require_shape(x.shape[:2], mask=mask)
    mask = mask.astype(bool)[..., None]

    def step(state, now):
        read, valid = now
        moved = lstm_cell(read, *state, weight_input, weight_hidden, bias)
        state = tuple(jnp.where(valid, new, old) for new, old in zip(moved, state, strict=True))
        return state, state[0]

    # masked before the cell: the gradient of the unused branch must be finite
    (h, c), outputs = jax.lax.scan(step, (h, c), (jnp.swapaxes(jnp.where(mask, x, 0.0), 0, 1), jnp.swapaxes(mask, 0, 1)))
    return jnp.swapaxes(outputs, 0, 1), h, c


def character_model_logits(tokens, embedding, weight_input, weight_hidden, bias, weight_output, bias_output):
    r"""W_o h_t + b_o, the logits of token t + 1, where h is the lstm_sequence of the tokens' embeddings from a state of zero.

    Raises ValueError if the shapes do not fit, there is no token, or one is outside 0..V-1.
    Source: Graves 2013; Karpathy 2015.
    [B, T], [V, E], [4*H, E], [4*H, H], [4*H], [V, H], [V] -> [B, T, V]
    """
    require_rank(2, tokens=tokens, embedding=embedding, weight_hidden=weight_hidden)
    require(tokens.shape[1] > 0, f"tokens has shape {list(tokens.shape)}; it must be [B, T] with at least one token")
    require_tokens(len(embedding), tokens=tokens)
    require_shape((len(embedding), weight_hidden.shape[1]), weight_output=weight_output)
    require_shape((len(embedding),), bias_output=bias_output)
    zero = jnp.zeros((len(tokens), weight_hidden.shape[1]), embedding.dtype)
    outputs, _, _ = lstm_sequence(embedding[widened(tokens)], zero, zero, weight_input, weight_hidden, bias, None)
    return outputs @ weight_output.T + bias_output


def _require_cell(gates, x, h, **parameters):
    """x [B, ..., D] and h [B, H]; of every gate H rows of weight_input [., D] and weight_hidden [., H], and H biases."""
    require_rank(2, h=h)
    hidden = h.shape[1]
    require_shape((x.shape[0], hidden), h=h)
    columns = {"weight_input": (x.shape[-1],), "weight_hidden": (hidden,)}
    for name, array in parameters.items():
        require_shape((gates * hidden, *columns.get(name, ())), **{name: array})


# ---------------------------------------------------------------------------------------------------- the network


class CharacterLSTM(nnx.Module):
    """Tokens [B, T] -> logits [B, T, V] of each next token: LSTMs between an embedding and a linear head."""

    def __init__(self, *, vocabulary_size, embedding, hidden, layers=1, rngs: nnx.Rngs):
        common = dict(param_dtype=jnp.result_type(float), rngs=rngs)
        self.embedding = nnx.Embed(vocabulary_size, embedding, **common)
        self.layers = nnx.List(_Layer(hidden if layer else embedding, hidden, common) for layer in range(layers))
        self.head = nnx.Linear(hidden, vocabulary_size, **common)

    def __call__(self, tokens):
        x = self.embedding(widened(tokens))
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


class _Layer(nnx.Module):
    """lstm_sequence with its own parameters, from a state of zero."""

    def __init__(self, inputs, hidden, common):
        self.input = nnx.Linear(inputs, 4 * hidden, **common)
        self.hidden = nnx.Linear(hidden, 4 * hidden, use_bias=False, **common)

    def __call__(self, x):
        zero = jnp.zeros((len(x), self.hidden.in_features), x.dtype)
        weights = self.input.kernel[...].T, self.hidden.kernel[...].T, self.input.bias[...]
        return lstm_sequence(x, zero, zero, *weights, None)[0]
