"""Tasks of memory: the sequences, the equally large networks, and what is measured of them."""

import dataclasses

import pytest
import torch

from practice_torch.data.errors import DataError
from practice_torch.data.symbols import Sequences
from practice_torch.engine.batches.datasets import Described
from practice_torch.experiments.language.recall import MODELS, fitted, parameter_count, remembered_first, selective_copying
from practice_torch.experiments.state_space.selective import RECIPES, build
from practice_torch.state_space import _selective_mixer

SIZES = {"vocabulary_size": 10, "length": 12, "layers": 2}


def draws(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def test_copying_has_the_items_in_order_at_random_places_among_noise():
    symbols = torch.tensor([[3, 1, 2], [0, 0, 5]])
    tokens, places = selective_copying(symbols, draws(2, 9), size=8)
    assert tokens.shape == (2, 12) and torch.equal(tokens.gather(1, places), symbols)
    assert [[token for token in row if token < 8] for row in tokens.tolist()] == symbols.tolist()
    assert (tokens[:, 9:] == 9).all() and (tokens[:, :9] == 8).sum() == 12
    assert not torch.equal(places[0], places[1])


def test_items_are_everywhere_equally_often():
    _, places = selective_copying(torch.zeros(8000, 2, dtype=torch.long), draws(8000, 5), size=4)
    share = places.flatten().bincount() / 16_000
    assert (share - 0.2).abs().max() < 0.02


def test_the_first_symbol_follows_a_marker_and_precedes_others_of_its_kind():
    symbols = torch.tensor([[3], [1]])
    tokens, places = remembered_first(symbols, draws(2, 900), size=8)
    assert (tokens[:, 0] == 8).all() and torch.equal(tokens[:, 1:2], symbols) and (places == 1).all()
    assert (tokens[:, 900:] == 9).all() and tokens.shape == (2, 901)
    assert tokens[:, 2:900].unique().tolist() == list(range(8))
    assert remembered_first(symbols, torch.ones(2, 9), size=8)[0].max() == 9  # a draw that has rounded to 1 is a symbol, too


@pytest.mark.parametrize("parameters", [8000, 19_600])
def test_networks_have_the_requested_size_within_five_percent(parameters):
    """Of the kinds of blocks that their names say, as many as are requested."""
    networks = {model: fitted(model, parameters=parameters, **SIZES) for model in MODELS}
    assert all(abs(parameter_count(network) / parameters - 1) < 0.05 for network in networks.values())
    blocks = [
        type((list(network.children())[1] if model == "lstm" else network.blocks)[0]).__name__
        for model, network in networks.items()
    ]
    assert blocks == ["MambaBlock", "S4DBlock", "DecoderBlock", "LSTM"]


def test_the_smallest_networks_have_a_width_of_one_and_larger_ones_than_the_largest_are_refused():
    assert all(parameter_count(fitted(model, parameters=1, **SIZES)) < 300 for model in MODELS)
    with pytest.raises(ValueError, match="^parameters is 1000000000000; it must be at most [0-9]+, lstm of width 4096$"):
        fitted("lstm", parameters=10**12, **SIZES)


def experiment_of(**changes):
    small = dict(length=3, symbols=5, places=9, parameters=500, models=("mamba", "lstm")) | changes
    torch.manual_seed(0)
    made = build(dataclasses.replace(RECIPES["copying"], **small), Described({"symbols": 5, "shape": [3]}))
    made.generator = torch.Generator().manual_seed(0)
    return made


def held_out(count=40):
    symbols = torch.randint(5, (count, 3), generator=torch.Generator().manual_seed(1))
    return symbols, Sequences(symbols, {"symbols": 5, "shape": [3]})


class Knowing(torch.nn.Module):
    """A network that recalls the symbols below 5 in order, except for a given set of errors."""

    def __init__(self, wrong):
        super().__init__()
        self.wrong, self.weight = wrong, torch.nn.Parameter(torch.zeros(7))

    def forward(self, tokens):
        found = torch.stack([row[row < 5] for row in tokens])
        found = torch.where(torch.arange(3) < self.wrong, (found + 1) % 5, found)
        return torch.nn.functional.pad(torch.nn.functional.one_hot(found, 7).float(), (0, 0, tokens.shape[1] - 3, 0))


def test_the_share_of_right_symbols_and_sequences():
    made, (_, data) = experiment_of(), held_out()
    made.mamba, made.lstm = Knowing(wrong=0), Knowing(wrong=2)
    metrics = made.evaluate(data)
    assert metrics == {
        "mamba_right": 1.0,
        "mamba_exact_match": 1.0,
        "mamba_parameters": 7.0,
        "lstm_right": pytest.approx(1 / 3),
        "lstm_exact_match": 0.0,
        "lstm_parameters": 7.0,
    }
    assert metrics.keys() == made.explains.keys()


@torch.no_grad()
def test_the_preview_compares_the_networks_and_draws_what_is_kept(tmp_path):
    made, (_, data) = experiment_of(), held_out()
    shown = made.preview(data)
    table = [line.split() for line in shown["networks"].text.splitlines()]
    assert [row[0] for row in table[1:]] == ["mamba", "lstm"] and len(shown["answers"].text.splitlines()) == 9
    shown["kept"].save(tmp_path / "kept.png")
    assert "kept" not in experiment_of(models=("lstm",), metric="lstm_right").preview(data)


def test_the_last_state_is_the_sum_of_its_tokens_by_the_weights_that_are_drawn(monkeypatch):
    """Of both blocks: h_T = sum_s weight_s b_s u_s, with u and b as the mixer hands them to the scan."""
    made, seen, plain = experiment_of().mamba.double(), [], _selective_mixer.scanned

    def watched(u, step, b, *given):
        outputs, last = plain(u, step, b, *given)
        seen.append((torch.einsum("btd,btn->btdn", u, b), last))
        return outputs, last

    monkeypatch.setattr(_selective_mixer, "scanned", watched)
    tokens = torch.randint(7, (2, 12), generator=torch.Generator().manual_seed(0))
    made(tokens)
    for weights, (added, last) in zip(made.left(tokens), seen[:2], strict=True):
        torch.testing.assert_close((weights * added).sum(1), last, rtol=0, atol=1e-13)


def test_more_items_than_places_are_refused():
    with pytest.raises(DataError, match="^places is 3; it must be more than the 3 symbols"):
        experiment_of(places=3)
    with pytest.raises(ValueError, match="models .* a tuple with mamba"):
        dataclasses.replace(RECIPES["copying"], models=("lstm",))
