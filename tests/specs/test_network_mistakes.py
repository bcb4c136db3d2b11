"""Every mistake planted into a network of the practice wing is rejected by its Model rows, for the planted reason."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from shared_specs.backends import torch_network, torch_relations
from shared_specs.checking.check import spec_of
from shared_specs.checking.initial import initial_outcomes
from shared_specs.checking.models import compare_networks, generic
from shared_specs.checking.reference import wing_function
from shared_specs.checking.relations import relation_outcomes
from shared_specs.checking.training import training_outcomes
from shared_specs.rows import Model
from shared_specs.syllabus import load
from tests.support.networks import of_topics
from tests.support.planted_networks import BEGINS, COMPARED
from tests.support.topic_files import HERE

MISTAKES = {(topic, network): mistakes for topic, found in of_topics("MISTAKES").items() for network, mistakes in found.items()}


@cache
def _rows(topic, network):
    """The network's rows without their trajectories, which would be compiled once more."""
    return [replace(row, steps=0) for row in spec_of(topic) if isinstance(row, Model) and row.network == network]


def _outcomes(topic, row, where):
    """The parts of a comparison that the quantity belongs to: a twin is compiled only if requested."""
    if where in COMPARED:
        return compare_networks(topic, row, "float64")
    constructor = wing_function("torch", topic, row.network)
    if where == BEGINS:
        return initial_outcomes(torch_network, constructor, row)
    arrays = row.given.draw(f"{topic}/{row.network}/{row.case}")
    constants = {name: arrays.pop(name) for name in list(arrays) if not isinstance(arrays[name], np.ndarray)}
    start = generic(torch_network.parameters(torch_network.build(constructor, row.sizes)))
    if any(where in each.relations for each in _rows(topic, row.network)):
        return relation_outcomes(constructor, row, start, arrays)
    return training_outcomes(torch_network, constructor, row, start, arrays, constants)


@pytest.mark.parametrize(
    ("topic", "network", "plant", "where"),
    [
        pytest.param(*place, *found, id=f"{'-'.join(place)}-{name}", marks=pytest.mark.xdist_group(place[0]))
        for place, mistakes in MISTAKES.items()
        for name, found in mistakes.items()
    ],
)
def test_a_mistake_in_a_network_is_refused(topic, network, plant, where, monkeypatch):
    """By the quantity that it is a mistake about, in one of the network's rows."""
    plant(monkeypatch)

    def differs(row):
        with np.errstate(invalid="ignore"):  # as in a check
            return any(each.quantity.startswith(where) and not each.worst <= 1 for each in _outcomes(topic, row, where))

    assert any(map(differs, _rows(topic, network)))


def test_every_network_with_a_model_row_has_planted_mistakes():
    networks = {(topic.path, row.network) for topic in load().built for row in spec_of(topic.path) if isinstance(row, Model)}
    assert networks == set(MISTAKES)


def test_every_relation_has_been_seen_to_fail():
    planted = {(topic, where) for (topic, _), mistakes in MISTAKES.items() for _, where in mistakes.values()}
    rows = [(topic.path, row) for topic in load().built for row in spec_of(topic.path) if isinstance(row, Model)]
    assert {(topic, words) for topic, row in rows for words in row.relations} - planted == set()


def _called(topic, row):
    """(public methods of the network, those that its forward pass and the row's relations call)."""
    constructor, called = wing_function("torch", topic, row.network), set()
    ours = [kind for kind in constructor.__mro__ if kind.__module__.startswith("practice_torch")]
    methods = {name for kind in ours for name, value in vars(kind).items() if callable(value) and name[0] != "_"} - {"forward"}

    def watched(name):
        def method(self, *given, **named):
            called.add(name)
            return getattr(constructor, name)(self, *given, **named)

        return method

    network = torch_network.build(type(row.network, (constructor,), {name: watched(name) for name in methods}), row.sizes)
    arrays = row.given.draw(f"{topic}/{row.network}/{row.case}")
    constants = {name: arrays.pop(name) for name in list(arrays) if not isinstance(arrays[name], np.ndarray)}
    torch_network.outputs(network, tuple(arrays.values()), constants, 0, False)
    for relation in row.relations.values():
        torch_relations.sides(network, relation, tuple(arrays.values()))
    return methods, called


def test_every_method_of_a_network_is_compared():
    """By the forward pass, by a relation, or by a test of the topic, which is named."""
    silent, elsewhere = set(), of_topics("ELSEWHERE")
    for topic, network in MISTAKES:
        methods, called = map(set().union, *(_called(topic, row) for row in _rows(topic, network)))
        silent |= {(topic, network, method) for method in methods - called}
    named = {
        (topic, network, method): test
        for topic, found in elsewhere.items()
        for network, methods in found.items()
        for method, test in methods.items()
    }
    assert silent == set(named)
    for (topic, _, method), test in named.items():
        family, name = topic.split("/")
        texts = [path.read_text(encoding="utf-8") for path in (HERE / family).glob(f"test_{name}*.py")]
        assert any(f"def {test}(" in text and f".{method}(" in text for text in texts), (topic, method, test)
