"""Every network that a recipe trains is held: by a Model row, or here by its formula, in train mode, and at its beginning."""

import inspect

import pytest
import torch
from torch import nn

from shared_specs.backends import torch_network
from shared_specs.checking.check import spec_of
from shared_specs.checking.initial import initial_outcomes
from shared_specs.checking.models import generic
from shared_specs.checking.reference import wing_function
from shared_specs.checking.relations import relation_outcomes
from shared_specs.checking.training import training_outcomes
from shared_specs.rows import Model, begins_as, begins_by_inputs
from shared_specs.syllabus import load
from tests.support import tiny
from tests.support.networks import of_topics

HELD = [(topic, held) for topic, networks in of_topics("HELD").items() for held in networks]
OWN = of_topics("OWN")


def models():
    """(topic, row) of every Model row."""
    return [(topic.path, row) for topic in load().built for row in spec_of(topic.path) if isinstance(row, Model)]


def failed(outcomes):
    found = list(outcomes)
    assert found
    return [(outcome.quantity, outcome.message) for outcome in found if not outcome.worst <= 1]


@pytest.mark.parametrize(("topic", "held"), HELD, ids=[f"{topic}-{held.row.network}-{held.row.case}" for topic, held in HELD])
def test_a_network_without_a_twin_is_held(topic, held):
    """To its formula in evaluation; to its row in train mode, dropout included, and in its other methods; to its
    initial distribution.
    """
    row = held.row
    assert failed(initial_outcomes(torch_network, held.constructor, row)) == []
    if held.formula is None:
        return
    network = torch_network.build(held.constructor, row.sizes).eval()
    start = generic(torch_network.parameters(network))
    torch_network.load(network, start)
    arrays = row.given.draw(f"{row.network}/{row.case}")
    inputs = [torch.from_numpy(array) for array in arrays.values()]
    torch.testing.assert_close(network(*inputs), held.formula(network, *inputs), rtol=1e-10, atol=1e-11)
    if row.sees or row.apart or row.training:
        assert failed(training_outcomes(torch_network, held.constructor, row, start, arrays, {})) == []
    if row.relations:
        assert failed(relation_outcomes(held.constructor, row, start, arrays)) == []


class Squares(nn.Module):
    """Squares of normal draws, in one place a constant."""

    def __init__(self, scale=1.0, offset=0.0, first=1.0):
        super().__init__()
        self.weight = nn.Parameter(offset + scale * torch.randn(3, 4).square())
        with torch.no_grad():
            self.weight[0, 0] = first


@pytest.mark.parametrize("sizes", [{}, {"scale": 1.7}, {"offset": 0.8}, {"first": 1.1}])
def test_a_parameter_is_held_to_the_draws_that_it_begins_as(sizes):
    def draw(rng, shape):
        drawn = rng.standard_normal(shape) ** 2
        drawn[0, 0] = 1.0
        return drawn

    row = Model("Squares", "draws", None, sizes, initial={"weight": begins_as(draw)})
    assert (failed(initial_outcomes(torch_network, Squares, row)) == []) is (not sizes)


def test_every_network_that_a_recipe_trains_is_held():
    """And what it trains besides is torch's own layers, which begin as torch has them, or named above."""
    rows = {(topic, row.network) for topic, row in models()}
    classes = {wing_function("torch", *which) for which in rows} | {
        type(torch_network.build(held.constructor, held.row.sizes)) for _, held in HELD
    }
    unheld, rest = set(), {}
    for topic, name, recipe in tiny.recipes():
        experiment, _ = tiny.built(topic, recipe)
        for place, module in _trained(experiment, classes):
            if type(module).__module__.startswith("torch.nn"):
                rest.setdefault(topic, (recipe, []))[1].append(place)
            else:
                unheld.add(f"{topic} {name}: {type(module).__module__}.{type(module).__name__}")
        own = {name for name, _ in experiment.named_parameters(recurse=False)}
        if own and own != set(OWN.get(topic, ())):
            unheld.add(f"{topic} {name}: {sorted(own)}")
    assert sorted(unheld) == []
    assert len(rest) > 5
    for topic, stated in OWN.items():  # where torch's layers are next to them, both are stated together
        recipe = next(recipe for path, _, recipe in tiny.recipes() if path == topic)
        recipe, places = rest.pop(topic, (recipe, []))
        assert failed(_beginnings(topic, recipe, stated | {f"{place}.*": begins_by_inputs() for place in places})) == [], topic
    for topic, (recipe, places) in rest.items():
        stated = {f"{place}.*": begins_by_inputs() for place in places}
        assert failed(_beginnings(topic, recipe, stated)) == [], topic


def test_every_row_of_a_network_is_complete():
    """Initialization of its parameters; with dropout, its expectation; for a sequence, its causality."""
    silent = []
    for topic, network in sorted({(topic, row.network) for topic, row in models()}):
        rows = [row for path, row in models() if (path, row.network) == (topic, network)]
        constructor = wing_function("torch", topic, network)
        if not any(row.initial for row in rows):
            silent.append(f"{topic} {network}: initial")
        if "dropout" in inspect.signature(constructor).parameters and not any(row.training.get("dropout") for row in rows):
            silent.append(f"{topic} {network}: training=dict(dropout=...)")
        # the order of an image runs over pixels and colors, not along one axis: its topic's tests change every code in turn
        of_images = all(next(iter(row.given.draw(row.case).values())).ndim == 4 for row in rows)
        if topic.startswith("autoregressive/") and not of_images and not any(row.sees for row in rows):
            silent.append(f"{topic} {network}: sees")
    assert silent == []


def _trained(module, held, place=""):
    """(place, module) of the outermost modules with parameters that are no held network: torch's own, or not to be had."""
    for name, child in module.named_children():
        here = f"{place}.{name}" if place else name
        if type(child) in held or not any(True for _ in child.parameters()):
            continue
        if isinstance(child, nn.ModuleDict | nn.ModuleList):
            yield from _trained(child, held, here)
        else:
            yield here, child


def _beginnings(topic, recipe, stated):
    """Outcomes of the statement about the parameters of an experiment that it is about."""

    def constructor():
        experiment = tiny.built(topic, recipe, seed=None)[0]
        kept = nn.Module()
        for name, parameter in experiment.named_parameters(recurse=False):
            kept.register_parameter(name, parameter)
        for name, child in experiment.named_children():
            if any(pattern.startswith(f"{name}.") for pattern in stated):
                kept.add_module(name, child)
        return kept

    return initial_outcomes(torch_network, constructor, Model("experiment", topic, None, {}, initial=stated))
