"""Wrong forms of recurrent networks that the rows must refuse, and other right forms that they must accept."""

import torch
from torch.nn import functional

from tests.support.mistakes import Mistake


def _rnn(x, h, weight_input, weight_hidden, bias, *, act=torch.tanh):
    return act(x @ weight_input.T + h @ weight_hidden.T + bias)


def _lstm(
    x, h, c, weight_input, weight_hidden, bias, *, order="ifgo", content=torch.tanh, read=torch.tanh, forgets=True, early=False
):
    gates = dict(zip(order, (x @ weight_input.T + h @ weight_hidden.T + bias).chunk(4, -1), strict=True))
    kept = gates["f"].sigmoid() * c if forgets else c + 0 * gates["f"]
    after = kept + gates["i"].sigmoid() * content(gates["g"])
    return gates["o"].sigmoid() * read(c if early else after), after


def _gru(
    x, h, weight_input, weight_hidden, bias_input, bias_hidden, *, reset="after", turned=False, exchanged=False, act=torch.tanh
):
    from_input = (x @ weight_input.T + bias_input).chunk(3, -1)
    from_state = (h @ weight_hidden.T + bias_hidden).chunk(3, -1)
    r, z = ((a + b).sigmoid() for a, b in zip(from_input[:2], from_state[:2], strict=True))
    r, z = (z, r) if exchanged else (r, z)
    of_state = {
        "after": lambda: r * from_state[2],
        "never": lambda: from_state[2] + 0 * r,
        "before": lambda: (r * h) @ weight_hidden.chunk(3)[2].T + bias_hidden.chunk(3)[2],
        "without its bias": lambda: r * (h @ weight_hidden.chunk(3)[2].T) + bias_hidden.chunk(3)[2],
    }[reset]()
    n = act(from_input[2] + of_state)
    z = 1 - z if turned else z
    return (1 - z) * n + z * h


def _sequence(x, h, c, weight_input, weight_hidden, bias, mask, *, masked="holds", cell=_lstm, backwards=False, detached=False):
    valid = torch.ones(x.shape[:2], dtype=torch.bool) if mask is None or masked == "ignored" else mask.bool()
    valid = ~valid if masked == "turned over" and mask is not None else valid
    outputs, silenced = [], x.masked_fill(~valid[..., None], 0)
    for t in range(x.shape[1])[:: -1 if backwards else 1]:
        now = valid[:, t, None]
        new = cell(silenced[:, t], h.detach() if detached else h, c, weight_input, weight_hidden, bias)
        old = (0 * h, 0 * c) if masked == "zeroes" else (h, c)
        h, c = (torch.where(now, a, b) for a, b in zip(new, old, strict=True))
        outputs.append(torch.where(now, h, 0 * h) if masked == "zeroes the output" else h)
    return torch.stack(outputs[:: -1 if backwards else 1], 1), h, c


def _logits(tokens, embedding, weight_input, weight_hidden, bias, weight_output, bias_output, *, late=False, **form):
    zero = torch.zeros(len(tokens), weight_hidden.shape[1], dtype=embedding.dtype)
    given = embedding[tokens.long()], zero, zero, weight_input, weight_hidden, bias, None
    outputs, _, _ = _sequence(*given, **form)
    outputs = functional.pad(outputs, (0, 0, 1, 0))[:, :-1] if late else outputs
    return outputs @ weight_output.T + bias_output


def _no_carry(x, h, c, *weights):
    """A cell that forgets its state at every step."""
    return _lstm(x, 0 * h, 0 * c, *weights)


MISTAKES = (
    Mistake("rnn_cell", "U transposed", lambda x, h, weight_input, weight_hidden, bias: (
        _rnn(x, h, weight_input, weight_hidden.T, bias))),
    Mistake("rnn_cell", "a sigmoid", lambda **given: _rnn(**given, act=torch.sigmoid)),
    Mistake("rnn_cell", "linear", lambda **given: _rnn(**given, act=lambda q: q)),
    *(Mistake("lstm_cell", name, lambda form=form, **given: _lstm(**given, **form)) for name, form in {
        "order i, f, o, g": dict(order="ifog"), "order i, g, f, o": dict(order="igfo"), "order f, i, g, o": dict(order="figo"),
        "a sigmoid on g": dict(content=torch.sigmoid), "no tanh on c": dict(read=lambda c: c),
        "no forget gate": dict(forgets=False), "the old c is read": dict(early=True),
    }.items()),
    *(Mistake("gru_cell", name, lambda form=form, **given: _gru(**given, **form)) for name, form in {
        "the state's share for the new one's": dict(turned=True), "reset before the product": dict(reset="before"),
        "never reset": dict(reset="never"), "the bias of the state not reset": dict(reset="without its bias"),
        "r and z exchanged": dict(exchanged=True), "no tanh": dict(act=lambda q: q),
    }.items()),
    *(Mistake("lstm_sequence", name, lambda form=form, **given: _sequence(**given, **form)) for name, form in {
        "a mask that zeroes the state": dict(masked="zeroes"), "a mask that zeroes the output": dict(masked="zeroes the output"),
        "the mask ignored": dict(masked="ignored"), "the mask turned over": dict(masked="turned over"),
        "from the end": dict(backwards=True), "no gradient through the state": dict(detached=True),
        "no state handed on": dict(cell=_no_carry),
    }.items()),
    Mistake("lstm_sequence", "the first state ignored", lambda h, c, **given: _sequence(h=0 * h, c=0 * c, **given)),
    Mistake("lstm_sequence", "h and c of the end exchanged", lambda **given: _exchanged(*_sequence(**given))),
    Mistake("character_model_logits", "a token late", lambda **given: _logits(**given, late=True)),
    Mistake("character_model_logits", "no state handed on", lambda **given: _logits(**given, cell=_no_carry)),
    Mistake("character_model_logits", "from the end", lambda **given: _logits(**given, backwards=True)),
    Mistake("character_model_logits", "no bias", lambda bias_output, **given: _logits(bias_output=0 * bias_output, **given)),
)  # fmt: skip


def _exchanged(outputs, h, c):
    return outputs, c, h


EQUIVALENT = (
    Mistake("lstm_cell", "in one product", lambda x, h, c, weight_input, weight_hidden, bias: (
        _lstm(torch.cat([x, h], 1), 0 * h, c, torch.cat([weight_input, weight_hidden], 1), 0 * weight_hidden, bias)),
        core_alone=True),
    Mistake("rnn_cell", "torch's own", lambda x, h, weight_input, weight_hidden, bias: (
        torch.rnn_tanh_cell(x, h, weight_input, weight_hidden, bias, 0 * bias)), core_alone=True),
    Mistake("gru_cell", "torch's own", lambda x, h, weight_input, weight_hidden, bias_input, bias_hidden: (
        torch.gru_cell(x, h, weight_input, weight_hidden, bias_input, bias_hidden)), core_alone=True),
    Mistake("lstm_sequence", "a loop of cells", _sequence, core_alone=True),
)  # fmt: skip
