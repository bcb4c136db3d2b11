"""Every mistake planted into a network of the practice wing is refused by its Model rows, in what it is wrong about."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from shared_specs.backends import torch_network
from shared_specs.checking.check import spec_of
from shared_specs.checking.initial import initial_outcomes
from shared_specs.checking.models import compare_networks, generic
from shared_specs.checking.reference import wing_function
from shared_specs.checking.training import training_outcomes
from shared_specs.rows import Model
from shared_specs.syllabus import load
from tests.support.networks import of_topics
from tests.support.planted_networks import BEGINS, COMPARED

MISTAKES = {(topic, network): mistakes for topic, found in of_topics("MISTAKES").items() for network, mistakes in found.items()}


@cache
def _row(topic, network):
    """The network's first row without its trajectory, which would be compiled once more."""
    return next(replace(row, steps=0) for row in spec_of(topic) if isinstance(row, Model) and row.network == network)


def _outcomes(topic, row, where):
    """Those of the part of a comparison that the quantity belongs to: no twin is compiled where none is asked for."""
    if where in COMPARED:
        return compare_networks(topic, row, "float64")
    constructor = wing_function("torch", topic, row.network)
    if where == BEGINS:
        return initial_outcomes(torch_network, constructor, row)
    arrays = row.given.draw(f"{topic}/{row.network}/{row.case}")
    constants = {name: arrays.pop(name) for name in list(arrays) if not isinstance(arrays[name], np.ndarray)}
    start = generic(torch_network.parameters(torch_network.build(constructor, row.sizes)))
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
    """By the quantity that it is a mistake about."""
    plant(monkeypatch)
    with np.errstate(invalid="ignore"):  # as in a check
        outcomes = list(_outcomes(topic, _row(topic, network), where))
    assert [outcome.quantity for outcome in outcomes if outcome.quantity.startswith(where) and not outcome.worst <= 1]


def test_every_network_with_a_model_row_has_planted_mistakes():
    networks = {(topic.path, row.network) for topic in load().built for row in spec_of(topic.path) if isinstance(row, Model)}
    assert networks == set(MISTAKES)
