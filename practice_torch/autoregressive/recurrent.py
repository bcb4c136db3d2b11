r"""Recurrent networks: plain, LSTM and GRU cells, an LSTM over a sequence, and the language model of characters on top of it.

A cell has D inputs and a state of H numbers. Matrices [.., D] and [.., H] act on the input and on the state; the gates of a cell
stand below each other in them.
"""

import torch
from torch import nn
from torch.nn import functional

from practice_torch.arguments import as_int64, require, require_at_least, require_rank, require_shape, require_tokens
from practice_torch.autoregressive._lstm import LongShortTermMemory


def rnn_cell(x, h, weight_input, weight_hidden, bias):
    r"""h' = tanh(W x + U h + b).

    Raises ValueError if the shapes do not fit.  Source: Elman 1990.
    [B, D], [B, H], [H, D], [H, H], [H] -> [B, H]
    """
    require_rank(2, x=x)
    _require_cell(1, x, h, weight_input, weight_hidden, bias=bias)
    return torch.tanh(functional.linear(x, weight_input, bias) + functional.linear(h, weight_hidden))


def lstm_cell(x, h, c, weight_input, weight_hidden, bias):
    r"""c' = sigma(f) c + sigma(i) tanh(g) and h' = sigma(o) tanh(c'), where (i, f, g, o) = W x + U h + b.

    Raises ValueError if the shapes do not fit.  Source: Hochreiter & Schmidhuber 1997; Gers et al. 2000 for the forget gate f.
    [B, D], [B, H], [B, H], [4*H, D], [4*H, H], [4*H] -> [B, H], [B, H]
    """
    require_rank(2, x=x)
    _require_cell(4, x, h, weight_input, weight_hidden, bias=bias)
    require_shape(h.shape, c=c)
    return _gated(functional.linear(x, weight_input, bias) + functional.linear(h, weight_hidden), c)


def gru_cell(x, h, weight_input, weight_hidden, bias_input, bias_hidden):
    r"""h' = (1 - sigma(z)) n + sigma(z) h, where n = tanh(n_x + sigma(r) n_h).

    (r, z, n_x) is W x + b_x, and (., ., n_h) is U h + b_h; its first two parts are added to r and z: the state is reset after
    the product with U.

    Raises ValueError if the shapes do not fit.  Source: Cho et al. 2014, with the reset of cuDNN and torch.
    [B, D], [B, H], [3*H, D], [3*H, H], [3*H], [3*H] -> [B, H]
    """
    require_rank(2, x=x)
    _require_cell(3, x, h, weight_input, weight_hidden, bias_input=bias_input, bias_hidden=bias_hidden)
    r_x, z_x, n_x = functional.linear(x, weight_input, bias_input).chunk(3, dim=-1)
    r_h, z_h, n_h = functional.linear(h, weight_hidden, bias_hidden).chunk(3, dim=-1)
    n = torch.tanh(torch.addcmul(n_x, torch.sigmoid(r_x + r_h), n_h))
    z = z_x + z_h
    return torch.addcmul(torch.sigmoid(z) * h, torch.sigmoid(-z), n)


def lstm_sequence(x, h, c, weight_input, weight_hidden, bias, mask):
    r"""lstm_cell for t = 1, ..., T, from h and c: h of all times, and the last h and c. mask: True = valid; None = all valid.

    A masked step keeps the state. Values of x there have no influence.

    Raises ValueError if the shapes do not fit or x has no step.  Source: Hochreiter & Schmidhuber 1997.
    [B, T, D], [B, H], [B, H], [4*H, D], [4*H, H], [4*H], [B, T] -> [B, T, H], [B, H], [B, H]
    """
    require_rank(3, x=x)
    require(x.shape[1] > 0, f"x has shape {list(x.shape)}; it must be [B, T, D] with at least one step")
    _require_cell(4, x, h, weight_input, weight_hidden, bias=bias)
    require_shape(h.shape, c=c)
    if mask is None:
        driven = functional.linear(x, weight_input, bias)  # of all times in one matrix product
        dtype = torch.promote_types(driven.dtype, weight_hidden.dtype)  # half precision, under autocast, is for products alone
        return LongShortTermMemory.apply(*(array.to(dtype) for array in (driven, h, c, weight_hidden)))
    require_shape(x.shape[:2], mask=mask)
    valid = mask.bool().unsqueeze(-1)
    driven, outputs = functional.linear(x.masked_fill(~valid, 0), weight_input, bias), []
    for now, moves in zip(driven.unbind(1), valid.unbind(1), strict=True):
        following = _gated(now + functional.linear(h, weight_hidden), c)
        h, c = (torch.where(moves, new, old) for new, old in zip(following, (h, c), strict=True))
        outputs.append(h)
    return torch.stack(outputs, 1), h, c


def character_model_logits(tokens, embedding, weight_input, weight_hidden, bias, weight_output, bias_output):
    r"""W_o h_t + b_o, the logits of token t + 1, where h is the lstm_sequence of the tokens' embeddings from a state of zero.

    Raises ValueError if the shapes do not fit, there is no token, or one is outside 0..V-1.
    Source: Graves 2013; Karpathy 2015.
    [B, T], [V, E], [4*H, E], [4*H, H], [4*H], [V, H], [V] -> [B, T, V]
    """
    require_rank(2, tokens=tokens, embedding=embedding, weight_hidden=weight_hidden)
    require(tokens.shape[1] > 0, f"tokens has shape {list(tokens.shape)}; it must be [B, T] with at least one token")
    require_tokens(len(embedding), tokens=tokens)
    hidden = weight_hidden.shape[1]
    require_shape((len(embedding), hidden), weight_output=weight_output)
    require_shape((len(embedding),), bias_output=bias_output)
    h, c = embedding.new_zeros(2, len(tokens), hidden)
    read = functional.embedding(as_int64(tokens), embedding)
    outputs, _, _ = lstm_sequence(read, h, c, weight_input, weight_hidden, bias, None)
    return functional.linear(outputs, weight_output, bias_output)


def _gated(gates, c):
    """The next h and c, of i, f, g and o in one array."""
    i, f, g, o = gates.chunk(4, dim=-1)
    c = torch.addcmul(i.sigmoid() * g.tanh(), f.sigmoid(), c)
    return o.sigmoid() * c.tanh(), c


def _require_cell(gates, x, h, weight_input, weight_hidden, **biases):
    """x [B, ..., D] and h [B, H], and of every gate H rows of both matrices and H biases."""
    require_rank(2, h=h)
    hidden = h.shape[1]
    require_shape((len(x), hidden), h=h)
    require_shape((gates * hidden, x.shape[-1]), weight_input=weight_input)
    require_shape((gates * hidden, hidden), weight_hidden=weight_hidden)
    require_shape((gates * hidden,), **biases)


class LSTM(nn.Module):
    """lstm_sequence with its own parameters. Forget gates begin with a bias of 1, so that the state initially persists."""

    def __init__(self, inputs, hidden):
        super().__init__()
        self.input = nn.Linear(inputs, 4 * hidden)
        self.hidden = nn.Linear(hidden, 4 * hidden, bias=False)
        with torch.no_grad():
            self.input.bias.zero_()
            self.input.bias[hidden : 2 * hidden] = 1.0

    def forward(self, x, h, c):
        """[B, T, D], [B, H], [B, H] -> [B, T, H], [B, H], [B, H]"""
        return lstm_sequence(x, h, c, self.input.weight, self.hidden.weight, self.input.bias, None)

    def start(self, batch):
        """The state before the first step, h and c [B, H]: zeros."""
        return tuple(self.hidden.weight.new_zeros(2, batch, self.hidden.in_features))

    def step(self, x, state):
        """forward of one more step: [B, D], (h, c) -> [B, H], (h, c)"""
        state = lstm_cell(x, *state, self.input.weight, self.hidden.weight, self.input.bias)
        return state[0], state


class CharacterLSTM(nn.Module):
    """Tokens [B, T] -> logits [B, T, V] of each next token: LSTMs between an embedding and a linear head.

    With one layer this is character_model_logits. All of a sequence at once by `forward`, or one token after the other by `step`,
    from `start`.
    """

    def __init__(self, *, vocabulary_size, embedding, hidden, layers=1):
        super().__init__()
        require_at_least(1, vocabulary_size=vocabulary_size, embedding=embedding, hidden=hidden, layers=layers)
        self.embedding = nn.Embedding(vocabulary_size, embedding)
        self.layers = nn.ModuleList(LSTM(hidden if layer else embedding, hidden) for layer in range(layers))
        self.head = nn.Linear(hidden, vocabulary_size)

    def forward(self, tokens):
        """[B, T] -> [B, T, V]: logits[:, t] scores the token after tokens[:, t], given it and those before."""
        x = self.embedding(as_int64(tokens))
        for layer in self.layers:
            x, _, _ = layer(x, *layer.start(len(x)))
        return self.head(x)

    def start(self, batch):
        """The state before the first token, a list of those of the layers."""
        return [layer.start(batch) for layer in self.layers]

    def step(self, tokens, states):
        """forward of one more token, at the same cost however many there were: [B], states -> [B, V], states"""
        x, following = self.embedding(as_int64(tokens)), []
        for layer, state in zip(self.layers, states, strict=True):
            x, state = layer.step(x, state)
            following.append(state)
        return self.head(x), following
