"""Specifications of the networks that recipes train, in tests/<family>/network_<topic>.py.

HELD: networks without a counterpart in the theory wing, with their formula.
OWN: {parameter: how it begins} of the parameters that an experiment learns outside networks.
MISTAKES: {network with a Model row: {name: (plant, quantity)}}; plant(monkeypatch) puts the mistake into the network, and the
check must find it in this quantity.
ELSEWHERE: {network with a Model row: {method: test}} of methods that neither the forward pass nor a relation calls, and the test
of the topic that compares them.
"""

from collections.abc import Callable
from dataclasses import dataclass

from shared_specs.rows import Model
from tests.support.topic_files import module_with, topics_with


@dataclass(frozen=True)
class Held:
    """A network, built by constructor(**row.sizes); formula(network, inputs...) is what it must give in evaluation.

    No formula: the same network has its formula elsewhere, and only its initial distribution differs.
    """

    constructor: Callable
    row: Model
    formula: Callable | None


def of_topics(name):
    """{topic: what its file defines under this name} of HELD, OWN or MISTAKES."""
    found = {topic: getattr(module_with("network", topic), name, None) for topic in topics_with("network")}
    return {topic: value for topic, value in found.items() if value}
