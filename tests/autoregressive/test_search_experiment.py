"""Beams on a language model: what a study tells of them is what they found."""

import dataclasses
import math

import pytest
import torch

from practice_torch.data import text
from practice_torch.experiments.autoregressive.transformer import RECIPES, build
from practice_torch.experiments.language.decoding import Decoding, Written


def untrained(own_text, **changes):
    recipe = dataclasses.replace(RECIPES["pydoc"], **dict(data=str(own_text), context=16, width=16, heads=2, layers=1) | changes)
    train, held_out = text.load(own_text, **recipe.loading())
    torch.manual_seed(0)
    model = build(recipe, train).eval()
    for parameter in model.network.parameters():  # a random model, without training
        parameter.data += 0.3 * torch.randn(parameter.shape)
    model.generator = torch.Generator().manual_seed(0)
    return model, held_out


@torch.no_grad()
def test_beams_are_reported_with_drawing_and_the_data(own_text):
    model, held_out = untrained(own_text)
    head, *lines = model.study(held_out)["search"].text.splitlines()
    assert head.split() == ["texts", "bits/byte", "distinct-1", "distinct-2", "distinct-4", "repeated-4"]
    rows = {line[:17].strip(): line[17:].split() for line in lines}
    beams = ["1 beam (greedy)", "2 beams", "4 beams", "8 beams", "16 beams"]
    assert list(rows) == ["held-out text", "temperature 1", "nucleus 0.9", *beams]
    bits = {name: float(row[1]) for name, row in rows.items()}
    assert bits["16 beams"] < bits["1 beam (greedy)"] < bits["nucleus 0.9"] < bits["temperature 1"]


@torch.no_grad()
def test_one_beam_is_greedy_and_its_bits_are_its_score(own_text):
    model, held_out = untrained(own_text)
    real = held_out.stream.unfold(0, 16, 16)[:5].long()
    lines = model._by_width(real, 8)["search"].text.splitlines()
    row = next(line for line in lines if line.startswith("1 beam (greedy)"))[17:].split()
    written = model.write(real[:, :8], 8, Decoding(greedy=True))
    found, scores = model.search(real[:, :8], 8, 1)
    assert torch.equal(found[:, 0], written[:, 8:])
    assert float(row[1]) == pytest.approx(-scores.mean().item() / 8 / math.log(2), abs=6e-4)
    assert row[2] == f"{Written(found[:, 0], 0.0).distinct(1):.1%}"


@torch.no_grad()
def test_the_shortest_contexts_have_a_study_too(own_text):
    """Of texts of one token there are no pairs to count."""
    model, held_out = untrained(own_text, context=2)
    artifacts = model.study(held_out)
    assert artifacts["search"].text.splitlines()[0].split() == ["texts", "bits/byte", "distinct-1"]
    assert artifacts["strategies"].text.splitlines()[0].split()[-1] == "repeated-4"
