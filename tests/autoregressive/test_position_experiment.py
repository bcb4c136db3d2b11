"""Beyond the trained length: every scheme sees its past and no more, all are asked about the same bytes, and it trains."""

import dataclasses
import json
import math

import pytest
import torch

from practice_torch.__main__ import main
from practice_torch.autoregressive.position import AlibiPositions, RotaryPositions, alibi_bias
from practice_torch.autoregressive.transformer import decoder_logits
from practice_torch.data import text
from practice_torch.experiments.autoregressive.position import RECIPES, build

TINY = dict(context=8, width=16, heads=2, layers=2)
SCHEMES = RECIPES["extrapolation"].schemes


def untrained(own_text, **changes):
    recipe = dataclasses.replace(RECIPES["extrapolation"], **TINY | dict(data=str(own_text)) | changes)
    train, held_out = text.load(own_text, **recipe.loading())
    torch.manual_seed(0)
    experiment = build(recipe, train)
    experiment.generator = torch.Generator().manual_seed(0)
    return experiment, train, held_out


def tokens(length, rows=2, seed=0):
    return torch.randint(256, (rows, length), generator=torch.Generator().manual_seed(seed))


def test_learned_positions_make_it_the_decoder_of_its_topic(own_text):
    network = untrained(own_text)[0].learned.double()
    for parameter in network.parameters():
        parameter.data += 0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
    parameters = {
        "token_embedding": network.token_embedding.weight,
        "position_embedding": network.positions.table,
        "blocks": tuple(block.parameters_by_name() for block in network.blocks),
        "final_norm_weight": network.final_norm.weight,
        "final_norm_bias": network.final_norm.bias,
    }
    wanted = decoder_logits(tokens(8), parameters, heads=2)
    torch.testing.assert_close(network(tokens(8)), wanted, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_scheme_sees_the_future_and_each_depends_on_the_order(own_text, scheme):
    network = getattr(untrained(own_text)[0], scheme).double()
    for block in network.blocks:  # of the size that training gives them
        block.query_key_value.weight.data *= 30
    length = 8 if scheme == "learned" else 32
    one = tokens(length)
    other, swapped = one.clone(), one.clone()
    other[:, 5:] = (other[:, 5:] + 1) % 256
    swapped[:, [1, 2]] = swapped[:, [2, 1]]
    torch.testing.assert_close(network(one)[:, :5], network(other)[:, :5], rtol=1e-10, atol=1e-12)
    assert not torch.allclose(network(one)[:, 5:], network(other)[:, 5:])
    assert (network(one)[:, 4] - network(swapped)[:, 4]).abs().max() > 1e-8


def test_interpolation_is_fewer_turns():
    """At scale 4, position 4k is turned as position k is at scale 1; and only a scale of 1 turns by the position itself."""
    x, positions = torch.randn(1, 2, 13, 6, generator=torch.Generator().manual_seed(0)), RotaryPositions()
    near = positions.turn(x[:, :, :4])
    far = torch.zeros_like(x)
    far[:, :, ::4] = x[:, :, :4]
    positions.scale = 4.0
    torch.testing.assert_close(positions.turn(far)[:, :, ::4], near)
    assert not torch.allclose(positions.turn(x[:, :, :4]), near)


def test_rotated_networks_depend_on_distances_only(own_text):
    """A start 100 positions later gives the same logits."""

    class Later(RotaryPositions):
        def turn(self, x):
            return super().turn(torch.nn.functional.pad(x, (0, 0, 100, 0)))[:, :, 100:]

    network = untrained(own_text)[0].rotary.double()
    for block in network.blocks:  # of the size that training gives them
        block.query_key_value.weight.data *= 30
    now = network(tokens(32))
    network.positions = Later()
    torch.testing.assert_close(network(tokens(32)), now, rtol=0, atol=5e-6)  # angles are float32


def test_alibis_slopes_are_the_topics():
    assert torch.equal(AlibiPositions(6).bias(5), alibi_bias(heads=6, query_length=5, key_length=5))


def test_all_begin_at_the_same_weights(own_text):
    experiment = untrained(own_text)[0]
    for scheme in SCHEMES:
        assert torch.equal(experiment.learned.blocks[1].up.weight, getattr(experiment, scheme).blocks[1].up.weight)


def test_every_length_is_evaluated_on_the_same_bytes(own_text):
    """With a model of one byte only, windows of any length have the same bits: those of the text, by hand."""
    experiment, _, held_out = untrained(own_text)
    table = torch.randn(256, 256, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    experiment._logits = lambda scheme, seen, scale: table[seen]
    whole = held_out.stream[: len(held_out) * 32 + 1].long()
    bits = -table.log_softmax(-1)[whole[:-1], whole[1:]].mean().item() / math.log(2)
    found = experiment.evaluate(held_out)
    assert found == pytest.approx(dict.fromkeys(found, bits), rel=1e-6)  # cross-entropies are float32
    names = {
        "learned_1x",
        *(f"{name}_{k}x" for name in ("sinusoidal", "rotary", "rotary_interpolated", "adapted", "alibi") for k in (1, 2, 4)),
    }
    assert found.keys() == names


def test_windows_and_scales_are_as_their_names_say(own_text):
    experiment, _, held_out = untrained(own_text)
    asked = set()

    def logits(scheme, seen, scale):
        asked.add((scheme, seen.shape[1], scale))
        return torch.zeros(*seen.shape, 256)

    experiment._logits = logits
    assert list(experiment.evaluate(held_out).values()) == pytest.approx([8.0] * 16)
    wanted = {("learned", 8, 1.0)} | {(name, length, 1.0) for name in ("sinusoidal", "rotary", "alibi") for length in (8, 16, 32)}
    wanted |= {("rotary", 16, 2.0), ("rotary", 32, 4.0)} | {("adapted", length, 4.0) for length in (8, 16, 32)}
    assert asked == wanted


def test_the_adapted_scheme_learns_from_long_windows_at_the_end(own_text):
    experiment, train, _ = untrained(own_text, steps=5, warmup_steps=0, adapting=0.4)
    asked = []
    logits = experiment._logits
    experiment._logits = lambda scheme, seen, scale: asked.append((scheme, *seen.shape, scale)) or logits(scheme, seen, scale)
    batch = train.batch(torch.arange(3))
    for _ in range(5):
        experiment(batch, "rotary")
        experiment(batch, "adapted")
    assert asked[0::2] == [("rotary", 12, 8, 1.0)] * 5
    assert asked[1::2] == [("adapted", 12, 8, 1.0)] * 3 + [("adapted", 3, 32, 4.0)] * 2


def test_learned_positions_end_where_training_ended(own_text):
    experiment, _, held_out = untrained(own_text)
    with pytest.raises(ValueError, match="offset is 0; with 9 tokens and 8 positions"):
        experiment.learned(tokens(9))
    lines = experiment.eval().preview(held_out)["lengths"].text.splitlines()
    assert lines[0].split()[-3:] == ["8", "16", "32"]
    assert lines[1].split()[-3:] == ["3.5", "7.5", "15.5"]
    assert [line.count("cannot") for line in lines] == [0, 0, 2, 0, 0, 0, 0, 0]


def test_it_trains_and_writes(own_text, tmp_path, capsys):
    run = tmp_path / "run"
    sizes = ["--context", "8", "--width", "16", "--heads", "2", "--steps", "60", "--warmup-steps", "5", "--learning-rate", "1e-2"]
    words = ["--data", str(own_text), *sizes, "--batch-size", "16", "--target", "4"]
    assert main(["train", "autoregressive/position", "alibi", "--run", str(run), "--cpu", *words]) == 0
    found = json.loads((run / "evaluation.json").read_text())
    assert found["passed"], found
    assert found["metrics"]["alibi_4x"] < 1.05 * found["metrics"]["alibi_1x"]
    assert (run / "previews/00000060-places.png").stat().st_size > 5000
    assert main(["sample", str(run), "--count", "2"]) == 0
    assert (run / "samples/seed0-text.txt").read_text().count("[alibi]") == 2


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--schemes", "rotary"], "schemes is ('rotary',); it must be a tuple with alibi"),
        (["--schemes", "alibi", "alibi"], "one scheme or more, each once"),
        (["--heads", "5"], "heads is 5; it must be a divisor of half the width, 48"),
    ],
)
def test_invalid_data_are_refused_in_one_line(words, complaint, capsys):
    assert main(["train", "autoregressive/position", "alibi", *words]) == 2
    error = capsys.readouterr().err.strip()
    assert complaint in error and "\n" not in error
