"""Contracts of recurrent networks and of the language model on top of an LSTM (lecture 42)."""

import numpy as np

from shared_specs.rows import (
    LOG_2,
    LOG_3,
    Agree,
    Anchor,
    Law,
    Model,
    Rejects,
    begins_at,
    begins_by_inputs,
    begins_normal,
    given,
    integers,
    normal,
    zeros,
)

# Three inputs and two units. Weights are small: the slope of a gate that is nearly closed has lost its digits in any library.
STATE = dict(x=normal(4, 3), h=normal(4, 2, scale=0.5))
PLAIN = dict(**STATE, weight_input=normal(2, 3, scale=0.5), weight_hidden=normal(2, 2, scale=0.5), bias=normal(2, scale=0.5))
LSTM = dict(weight_input=normal(8, 3, scale=0.5), weight_hidden=normal(8, 2, scale=0.5), bias=normal(8, scale=0.5))
GRU = dict(
    **STATE,
    weight_input=normal(6, 3, scale=0.5),
    weight_hidden=normal(6, 2, scale=0.5),
    bias_input=normal(6, scale=0.5),
    bias_hidden=normal(6, scale=0.5),
)
CELL = dict(**STATE, c=normal(4, 2), **LSTM)
SEQUENCE = dict(x=normal(4, 5, 3), h=normal(4, 2, scale=0.5), c=normal(4, 2), **LSTM)
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0], [0, 1, 0, 1, 0]], dtype=float)
NO_PLAIN = dict(x=zeros(4, 3), h=zeros(4, 2), weight_input=zeros(2, 3), weight_hidden=zeros(2, 2), bias=zeros(2))
NO_LSTM = dict(weight_input=zeros(8, 3), weight_hidden=zeros(8, 2), bias=zeros(8))
NO_CELL = dict(x=zeros(4, 3), h=zeros(4, 2), c=zeros(4, 2), **NO_LSTM)
NO_SEQUENCE = dict(x=zeros(4, 5, 3), h=zeros(4, 2), c=zeros(4, 2), **NO_LSTM, mask=None)
NO_GRU = dict(
    x=zeros(4, 3), h=zeros(4, 2), weight_input=zeros(6, 3), weight_hidden=zeros(6, 2), bias_input=zeros(6), bias_hidden=zeros(6)
)
NO_MODEL = dict(
    tokens=np.array([[0, 3, 1], [4, 4, 2]]), embedding=zeros(5, 3), **NO_LSTM, weight_output=zeros(5, 2), bias_output=zeros(5)
)

# The lecture's examples. LSTM: gates 1/2, 3/4, 3/5, 1/2. GRU: r = 1/2, z = 3/4, n_x = 0, n_h = 2 log 2.
CELL_OF_ONE = dict(
    x=[[2.0]],
    h=[[1.0]],
    c=[[1.0]],
    weight_input=[[0.5], [0.0], [0.0], [-1.0]],
    weight_hidden=[[-1.0], [0.0], [LOG_2], [1.0]],
    bias=[0.0, LOG_3, 0.0, 1.0],
)
GRU_OF_ONE = dict(
    x=[[1.0]],
    h=[[1.0]],
    weight_input=[[1.0], [0.0], [1.0]],
    weight_hidden=[[-1.0], [0.0], [-LOG_2]],
    bias_input=[0.0, LOG_3, -1.0],
    bias_hidden=[0.0, 0.0, 3 * LOG_2],
)
# Gates 1/2, 3/4, tanh(x log 2), 1/2, for every state.
DRIVEN = dict(weight_input=[[0.0], [0.0], [LOG_2], [0.0]], weight_hidden=zeros(4, 1), bias=[0.0, LOG_3, 0.0, 0.0])
SATURATED = "a gate that has rounded to 0 or 1 has no slope left"


def _logits(first, second):
    """W_o = (1, -2), b_o = (0, 1), of both states."""
    return [[[first, 1 - 2 * first], [second, 1 - 2 * second]]]


def _step_by_step(network, tokens):
    """The logits of one token after the other, and those of all tokens at once."""
    states, logits = network.start(len(tokens)), []
    for t in range(tokens.shape[1]):
        now, states = network.step(tokens[:, t], states)
        logits.append(now)
    return logits, network(tokens).unbind(1)


SPEC = (
    # The plain cell.
    Agree("rnn_cell", "regular", given(**PLAIN)),
    Agree("rnn_cell", "saturated", given(**PLAIN | dict(x=normal(4, 3, scale=100.0))), no_gradient=SATURATED),
    Anchor(
        "rnn_cell", "two units", given(x=[[1.0]], h=[[1.0, 0.0]], weight_input=[[LOG_2], [0.0]],
                                       weight_hidden=[[0.0, 0.0], [LOG_2, 0.0]], bias=[0.0, 2 * LOG_2]),
        gives=[[3 / 5, 63 / 65]], source="tanh(log 2) and tanh(3 log 2)",
        near_misses={"U transposed": [[3 / 5, 15 / 17]], "no bias": [[3 / 5, 3 / 5]], "linear": [[LOG_2, 3 * LOG_2]],
                     "a sigmoid": [[2 / 3, 8 / 9]]},
    ),
    Law.equal("in the middle the Jacobian is U", given(weight_input=normal(2, 3), weight_hidden=normal(2, 2)),
              left=lambda f, w, u: f.jacobian("rnn_cell", np.zeros((1, 3)), np.zeros((1, 2)), w, u, np.zeros(2), wrt=1)[0, :, 0],
              right=lambda f, w, u: u),
    Law.at_least("elsewhere its norm is at most that of U", given(**PLAIN),
                 left=lambda f, x, h, w, u, b: np.linalg.norm(u, 2) * np.ones(4),
                 right=lambda f, *given: np.stack([
                     np.linalg.norm(block, 2) for block in _blocks(f.jacobian("rnn_cell", *given, wrt=1))])),
    Rejects("rnn_cell", "a state of another batch", given(**NO_PLAIN | dict(h=zeros(3, 2))), blames="h"),
    Rejects("rnn_cell", "a sequence", given(**NO_PLAIN | dict(x=zeros(4, 5, 3))), blames="x"),
    Rejects("rnn_cell", "W transposed", given(**NO_PLAIN | dict(weight_input=zeros(3, 2))), blames="weight_input"),
    Rejects("rnn_cell", "U of another state", given(**NO_PLAIN | dict(weight_hidden=zeros(2, 3))), blames="weight_hidden"),
    Rejects("rnn_cell", "a bias for all", given(**NO_PLAIN | dict(bias=zeros(1))), blames="bias"),
    # The LSTM's cell.
    Agree("lstm_cell", "regular", given(**CELL)),
    Agree("lstm_cell", "one unit, one input",
          given(x=normal(2, 1), h=normal(2, 1), c=normal(2, 1), weight_input=normal(4, 1), weight_hidden=normal(4, 1),
                bias=normal(4))),
    Agree("lstm_cell", "saturated", given(**CELL | dict(x=normal(4, 3, scale=100.0), c=normal(4, 2, scale=100.0))),
          no_gradient=SATURATED),
    Anchor(
        "lstm_cell", "the example", given(**CELL_OF_ONE), gives=([[0.3909031788043871]], [[1.05]]),
        source="3/4 + 1/2 3/5, and half of its tanh",
        near_misses={"order i, f, o, g": ([[0.42343263]], [[0.75]]), "order i, g, f, o": ([[0.39410103]], [[16 / 15]]),
                     "a sigmoid on g": ([[0.39721597]], [[13 / 12]]), "no tanh on c": ([[0.525]], [[1.05]]),
                     "no forget gate": ([[0.43086157]], [[1.3]]), "the old c is read": ([[0.3807971]], [[1.05]])},
    ),
    Law.equal("an open forget gate and a closed input gate hold the cell", given(**CELL),
              left=lambda f, x, h, c, w, u, b: f.lstm_cell(x, h, c, 0 * w, 0 * u, np.repeat([-800.0, 800.0, 0.0, 0.0], 2))[1],
              right=lambda f, x, h, c, *weights: c),
    Law.at_least("a cell grows by at most one a step", given(**CELL),
                 left=lambda f, x, h, c, *weights: abs(c) + 1,
                 right=lambda f, *given: abs(f.lstm_cell(*given)[1])),
    Rejects("lstm_cell", "a cell of another size", given(**NO_CELL | dict(c=zeros(4, 3))), blames="c"),
    Rejects("lstm_cell", "a cell of another batch", given(**NO_CELL | dict(c=zeros(1, 2))), blames="c"),
    Rejects("lstm_cell", "three gates", given(**NO_CELL | dict(weight_input=zeros(6, 3))), blames="weight_input"),
    Rejects("lstm_cell", "U of one gate", given(**NO_CELL | dict(weight_hidden=zeros(2, 2))), blames="weight_hidden"),
    Rejects("lstm_cell", "two biases", given(**NO_CELL | dict(bias=zeros(2, 8))), blames="bias"),
    Rejects("lstm_cell", "a sequence", given(**NO_CELL | dict(x=zeros(4, 5, 3))), blames="x"),
    # The GRU's cell.
    Agree("gru_cell", "regular", given(**GRU)),
    Agree("gru_cell", "one unit, one input",
          given(x=normal(2, 1), h=normal(2, 1), weight_input=normal(3, 1), weight_hidden=normal(3, 1), bias_input=normal(3),
                bias_hidden=normal(3))),
    Agree("gru_cell", "saturated", given(**GRU | dict(x=normal(4, 3, scale=100.0))), no_gradient=SATURATED),
    Anchor(
        "gru_cell", "the example", given(**GRU_OF_ONE), gives=[[0.9]], source="1/4 tanh(log 2) + 3/4",
        near_misses={"the state's share for the new one's": [[0.7]], "reset before the product": [[0.25 * 31 / 33 + 0.75]],
                     "never reset": [[0.25 * 15 / 17 + 0.75]], "r and z exchanged": [[0.5 * 7 / 9 + 0.5]],
                     "no tanh": [[0.25 * LOG_2 + 0.75]]},
    ),
    Law.at_least("the state stays within [-1, 1], or returns to it", given(**GRU | dict(h=normal(4, 2, scale=3.0))),
                 left=lambda f, x, h, *weights: np.maximum(abs(h), 1), right=lambda f, *given: abs(f.gru_cell(*given))),
    Rejects("gru_cell", "four gates", given(**NO_GRU | dict(weight_input=zeros(8, 3))), blames="weight_input"),
    Rejects("gru_cell", "U of one gate", given(**NO_GRU | dict(weight_hidden=zeros(2, 2))), blames="weight_hidden"),
    Rejects("gru_cell", "a bias of one gate", given(**NO_GRU | dict(bias_input=zeros(2))), blames="bias_input"),
    Rejects("gru_cell", "a bias of two gates", given(**NO_GRU | dict(bias_hidden=zeros(4))), blames="bias_hidden"),
    Rejects("gru_cell", "a state of another batch", given(**NO_GRU | dict(h=zeros(3, 2))), blames="h"),
    Rejects("gru_cell", "a sequence", given(**NO_GRU | dict(x=zeros(4, 5, 3))), blames="x"),
    # Sequences.
    Agree("lstm_sequence", "masked here and there", given(**SEQUENCE, mask=MASK), differentiate=tuple(SEQUENCE)),
    Agree("lstm_sequence", "all valid", given(**SEQUENCE, mask=None)),
    Agree("lstm_sequence", "one step",
          given(x=normal(2, 1, 3), h=normal(2, 2), c=normal(2, 2), **LSTM, mask=None)),
    Anchor(
        "lstm_sequence", "the second of three steps is masked",
        given(x=[[[1.0], [100.0], [0.0]]], h=[[0.25]], c=[[1.0]], **DRIVEN, mask=[[1.0, 0.0, 1.0]]),
        gives=([[[0.3909031788043871], [0.3909031788043871], [0.3284952300245992]]], [[0.3284952300245992]], [[0.7875]]),
        source="c = 3/4 + 3/10, the same, 3/4 of it",
        near_misses={
            "a mask that zeroes the state": ([[[0.39090318], [0.0], [0.0]]], [[0.0]], [[0.0]]),
            "a mask that zeroes the output": ([[[0.39090318], [0.0], [0.32849523]]], [[0.32849523]], [[0.7875]]),
            "the mask ignored": ([[[0.39090318], [0.42923518], [0.37338771]]], [[0.37338771]], [[0.965625]]),
            "the first state ignored": ([[[0.14565631], [0.14565631], [0.11063923]]], [[0.11063923]], [[0.225]]),
            "the mask turned over": ([[[0.25], [0.42414181], [0.42414181]]], [[0.42414181]], [[1.25]]),
        },
    ),
    Law.equal("two parts with the state handed over are one pass", given(**SEQUENCE),
              left=lambda f, *given: _parts(*f.lstm_sequence(*given, None)),
              right=lambda f, *given: _in_two(f, *given)),
    Law.equal("a sequence is its cells, one after the other", given(**SEQUENCE),
              left=lambda f, *given: _parts(*f.lstm_sequence(*given, None)),
              right=lambda f, *given: _cell_by_cell(f, *given)),
    Law.equal("a masked tail is a shorter sequence", given(**SEQUENCE),
              left=lambda f, *given: _parts(*f.lstm_sequence(*given, np.arange(5) < 3 * np.ones((4, 1))))[:, -2:],
              right=lambda f, x, *given: _parts(*f.lstm_sequence(x[:, :3], *given, None))[:, -2:]),
    Rejects("lstm_sequence", "no step", given(**NO_SEQUENCE | dict(x=zeros(4, 0, 3))), blames="x"),
    Rejects("lstm_sequence", "a step", given(**NO_SEQUENCE | dict(x=zeros(4, 3))), blames="x"),
    Rejects("lstm_sequence", "a mask of the batch", given(**NO_SEQUENCE | dict(mask=zeros(4))), blames="mask"),
    Rejects("lstm_sequence", "a mask a step longer", given(**NO_SEQUENCE | dict(mask=zeros(4, 6))), blames="mask"),
    Rejects("lstm_sequence", "a cell of another size", given(**NO_SEQUENCE | dict(c=zeros(4, 3))), blames="c"),
    Rejects("lstm_sequence", "a state of another batch", given(**NO_SEQUENCE | dict(h=zeros(5, 2))), blames="h"),
    Rejects("lstm_sequence", "other inputs", given(**NO_SEQUENCE | dict(weight_input=zeros(8, 4))), blames="weight_input"),
    Rejects("lstm_sequence", "three gates", given(**NO_SEQUENCE | dict(weight_hidden=zeros(6, 2))), blames="weight_hidden"),
    Rejects("lstm_sequence", "a bias of one gate", given(**NO_SEQUENCE | dict(bias=zeros(2))), blames="bias"),
    # The language model.
    Agree("character_model_logits", "bytes",
          given(tokens=np.array([[0, 255, 3, 255], [7, 100, 0, 254], [200, 1, 1, 1]]), embedding=normal(256, 3), **LSTM,
                weight_output=normal(256, 2), bias_output=normal(256))),
    Anchor(
        "character_model_logits", "two tokens",
        given(tokens=np.array([[1, 0]]), embedding=[[0.0], [1.0]], **DRIVEN, weight_output=[[1.0], [-2.0]],
              bias_output=[0.0, 1.0]),
        gives=_logits(0.14565630622579537, 0.110639233949222), source="c = 1/2 3/5, 3/4 of it",
        near_misses={"a token late": _logits(0.0, 0.14565631), "no state handed on": _logits(0.14565631, 0.0),
                     "from the cell": _logits(0.3, 0.225),
                     "no bias": [[[0.14565631, -0.29131261], [0.11063923, -0.22127847]]]},
    ),
    Law.equal("later tokens have no influence", given(tokens=integers(2, 6, high=5), embedding=normal(5, 3), **LSTM,
                                                      weight_output=normal(5, 2), bias_output=normal(5)),
              left=lambda f, tokens, *weights: f.character_model_logits(tokens, *weights)[:, :4],
              right=lambda f, tokens, *weights: f.character_model_logits(tokens[:, :4], *weights)),
    Rejects("character_model_logits", "a token beyond", given(**NO_MODEL | dict(tokens=np.array([[5, 0, 1]]))), blames="tokens"),
    Rejects("character_model_logits", "a negative token", given(**NO_MODEL | dict(tokens=np.array([[-1, 0, 1]]))),
            blames="tokens"),
    Rejects("character_model_logits", "no token", given(**NO_MODEL | dict(tokens=np.zeros((2, 0), int))), blames="tokens"),
    Rejects("character_model_logits", "one text", given(**NO_MODEL | dict(tokens=np.array([0, 1]))), blames="tokens"),
    Rejects("character_model_logits", "an output transposed", given(**NO_MODEL | dict(weight_output=zeros(2, 5))),
            blames="weight_output"),
    Rejects("character_model_logits", "a bias too few", given(**NO_MODEL | dict(bias_output=zeros(4))), blames="bias_output"),
    Rejects("character_model_logits", "other inputs", given(**NO_MODEL | dict(weight_input=zeros(8, 4))), blames="weight_input"),
    # The network. Forget gates begin with a bias of 1.
    Model("CharacterLSTM", "two layers", given(tokens=np.array([[0, 255, 3, 255, 9], [7, 7, 100, 0, 254]])), steps=0,
          sizes=dict(vocabulary_size=256, embedding=3, hidden=2, layers=2), sees={"tokens": 0},
          initial={"embedding.weight": begins_normal(1.0), "*.input.bias": begins_at([0, 0, 1, 1, 0, 0, 0, 0]),
                   "*": begins_by_inputs()},
          relations={"one token after the other": _step_by_step}),
)  # fmt: skip


def _blocks(jacobian):
    """[B, H, B, H] -> that of every example, [B, H, H]."""
    return [jacobian[b, :, b] for b in range(len(jacobian))]


def _parts(outputs, h, c):
    """Outputs and the last state in one array [B, T+2, H]."""
    return np.concatenate([outputs, h[:, None], c[:, None]], axis=1)


def _in_two(f, x, h, c, *weights):
    first, h, c = f.lstm_sequence(x[:, :2], h, c, *weights, None)
    second, h, c = f.lstm_sequence(x[:, 2:], h, c, *weights, None)
    return _parts(np.concatenate([first, second], axis=1), h, c)


def _cell_by_cell(f, x, h, c, *weights):
    outputs = []
    for t in range(x.shape[1]):
        h, c = f.lstm_cell(x[:, t], h, c, *weights)
        outputs.append(h)
    return _parts(np.stack(outputs, axis=1), h, c)
