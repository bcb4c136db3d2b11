"""Recurrent networks against torch's own, the hand-written backward pass, and the language model that is trained."""

import dataclasses
import math

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from practice_torch.autoregressive import recurrent as practice
from practice_torch.experiments.autoregressive.recurrent import RECIPES, build


def draw(*shape, seed=0):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def with_weights(made):
    """One of torch's own layers, its parameters drawn, so that its two biases differ."""
    for number, parameter in enumerate(made.double().parameters()):
        parameter.data = draw(*parameter.shape, seed=10 + number)
    return made


def parameters_of(made, suffix=""):
    return tuple(getattr(made, f"{name}{suffix}").detach() for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))


def test_cells_are_torchs_own():
    x, h, c = draw(3, 4), draw(3, 5, seed=1), draw(3, 5, seed=2)
    plain, gated, short = (with_weights(kind(4, 5)) for kind in (nn.RNNCell, nn.GRUCell, nn.LSTMCell))
    w, u, b, d = parameters_of(plain)
    torch.testing.assert_close(practice.rnn_cell(x, h, w, u, b + d), plain(x, h), rtol=0, atol=1e-12)
    torch.testing.assert_close(practice.gru_cell(x, h, *parameters_of(gated)), gated(x, h), rtol=0, atol=1e-12)
    w, u, b, d = parameters_of(short)
    for ours, theirs in zip(practice.lstm_cell(x, h, c, w, u, b + d), short(x, (h, c)), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


def sequence(batch=3, steps=9, inputs=4, hidden=5):
    """x, h, c, W, U, b, all of which want gradients."""
    shapes = (batch, steps, inputs), (batch, hidden), (batch, hidden), (4 * hidden, inputs), (4 * hidden, hidden), (4 * hidden,)
    return [draw(*shape, seed=seed).requires_grad_() for seed, shape in enumerate(shapes)]


def slopes(results, arguments):
    """Gradients of a fixed combination of outputs and last state."""
    return torch.autograd.grad(sum((part * draw(*part.shape, seed=20 + i)).sum() for i, part in enumerate(results)), arguments)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("steps", [1, 9])
def test_the_gradients_by_hand_are_those_of_autograd(batch, steps):
    """Of the loop over cells that a mask asks for, here with nothing masked; of the last state's part as well."""
    arguments = sequence(batch, steps)
    everything = torch.ones(batch, steps)
    ours, looped = practice.lstm_sequence(*arguments, None), practice.lstm_sequence(*arguments, everything)
    for got, wanted in zip([*ours, *slopes(ours, arguments)], [*looped, *slopes(looped, arguments)], strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-11, atol=1e-12)


def test_no_argument_is_written_to():
    """The gates are computed in place of what drives them, and in a batch of one the two layouts of memory are the same."""
    arguments = [argument.detach() for argument in sequence(batch=1)]
    before = [argument.clone() for argument in arguments]
    practice.lstm_sequence(*arguments, None)
    driven = practice.functional.linear(arguments[0], arguments[3], arguments[5])
    kept = driven.clone()
    practice.LongShortTermMemory.apply(driven, *arguments[1:3], arguments[4])
    for now, then in zip([*arguments, driven], [*before, kept], strict=True):
        assert torch.equal(now, then)


def test_a_mask_is_a_packed_sequence():
    theirs = with_weights(nn.LSTM(4, 5, batch_first=True))
    x, lengths = draw(3, 7, 4), torch.tensor([7, 2, 5])
    packed, (h, c) = theirs(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
    outputs, _ = pad_packed_sequence(packed, batch_first=True)
    mask, zero = torch.arange(7) < lengths[:, None], torch.zeros(3, 5).double()
    w, u, b, d = parameters_of(theirs, "_l0")
    ours = practice.lstm_sequence(x.masked_fill(~mask[..., None], torch.inf), zero, zero, w, u, b + d, mask)
    torch.testing.assert_close(ours[0] * mask[..., None], outputs, rtol=0, atol=1e-12)
    for got, wanted in zip(ours[1:], (h[0], c[0]), strict=True):
        torch.testing.assert_close(got, wanted, rtol=0, atol=1e-12)


def test_a_forget_gate_that_is_open_carries_a_gradient_where_a_plain_cell_loses_it():
    """Over 50 steps: 2^-50 of a recurrence of norm 1/2 at zero, and 0.98^50 of a cell with a gate of 0.98."""
    h, x = torch.zeros(1, 1).double().requires_grad_(), torch.zeros(1, 50, 1).double()
    last = h
    for t in range(50):
        last = practice.rnn_cell(x[:, t], last, x[0, :1], torch.full((1, 1), 0.5).double(), torch.zeros(1).double())
    assert torch.autograd.grad(last.sum(), h)[0].item() == pytest.approx(2.0**-50)
    bias = torch.tensor([-800.0, math.log(0.98 / 0.02), 0.0, 0.0]).double()
    c, zeros = torch.ones(1, 1).double().requires_grad_(), torch.zeros(4, 1).double()
    _, _, last = practice.lstm_sequence(x, torch.zeros(1, 1).double(), c, zeros, zeros, bias, None)
    assert torch.autograd.grad(last.sum(), c)[0].item() == pytest.approx(0.98**50)


# ---------------------------------------------------------------------------------------------------- the network


def network(**changes):
    torch.manual_seed(0)
    return practice.CharacterLSTM(**{"vocabulary_size": 11, "embedding": 3, "hidden": 5} | changes).double()


def test_one_layer_is_the_function():
    made, tokens = network(), torch.randint(11, (2, 9), generator=torch.Generator().manual_seed(1))
    layer = made.layers[0]
    weights = made.embedding.weight, layer.input.weight, layer.hidden.weight, layer.input.bias, made.head.weight, made.head.bias
    torch.testing.assert_close(made(tokens), practice.character_model_logits(tokens, *weights), rtol=0, atol=1e-13)


def test_two_layers_are_torchs_own():
    made, theirs = network(layers=2), nn.LSTM(3, 5, num_layers=2, batch_first=True).double()
    for number, layer in enumerate(made.layers):
        mine = layer.input.weight, layer.hidden.weight, layer.input.bias, 0 * layer.input.bias
        for name, values in zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), mine, strict=True):
            getattr(theirs, f"{name}_l{number}").data = values.detach().clone()
    tokens = torch.randint(11, (2, 9), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(made(tokens), made.head(theirs(made.embedding(tokens))[0]), rtol=0, atol=1e-13)


def test_tokens_one_by_one_have_the_logits_of_the_whole_text():
    made, tokens = network(layers=3), torch.randint(11, (2, 20), generator=torch.Generator().manual_seed(1))
    whole, states = made(tokens), made.start(2)
    for t in range(20):
        logits, states = made.step(tokens[:, t], states)
        torch.testing.assert_close(logits, whole[:, t], rtol=0, atol=1e-12)


def test_under_bfloat16_the_recurrence_stays_in_float32():
    made, tokens = network().float(), torch.randint(11, (2, 20))
    with torch.autocast("cpu", torch.bfloat16):
        mixed = made(tokens)
        mixed.float().square().sum().backward()
        outputs, h, c = made.layers[0](made.embedding(tokens), *made.layers[0].start(2))
    assert (mixed - made(tokens)).abs().max() < 0.02
    assert outputs.dtype == h.dtype == c.dtype == made.layers[0].hidden.weight.grad.dtype == torch.float32


@pytest.mark.parametrize("size", ["vocabulary_size", "embedding", "hidden", "layers"])
def test_sizes_are_positive(size):
    with pytest.raises(ValueError, match=rf"^{size} is 0; it must be at least 1$"):
        network(**{size: 0})


# ---------------------------------------------------------------------------------------------------- the experiment


def test_the_recipe_builds_its_network():
    experiment = build(dataclasses.replace(RECIPES["pydoc"], embedding=6, hidden=7, layers=2), None)
    assert [tuple(layer.input.weight.shape) for layer in experiment.network.layers] == [(28, 6), (28, 7)]
