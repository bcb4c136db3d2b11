"""Planted implementations: wrong ones, which the public rows must refuse, and other right ones, which they must accept."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from shared_specs.checking.implementation import Implementation
from shared_specs.checking.reference import wing_function
from tests.support.topic_files import module_with, topics_with


@dataclass(frozen=True)
class Mistake:
    """wrong takes the place of one function of the practice wing: same arguments, tensors in and out.

    name describes the mistake (or, among EQUIVALENT, the other way to compute the same). Its values or gradients must be
    refused; a mistake that is nothing but a missing check (only_checks) may be refused by Rejects rows alone, one that is right
    for int64 (narrow) must be refused for narrower integers alone, and one that shows in a batch of one or of none alone
    (only_small_batches) must be refused there and nowhere else. A library's form (core_alone) must be accepted by the rows of
    the core; it need not follow those marked `edge`, nor check its arguments.
    """

    function: str
    name: str
    wrong: Callable
    only_checks: bool = False
    core_alone: bool = False
    narrow: bool = False
    only_small_batches: bool = False


def after_checks(module, function, wrong):
    """wrong, behind the checks of the module's right function, with keyword arguments however it is called."""

    def checked(*arguments, **named):
        given = inspect.signature(getattr(module, function)).bind(*arguments, **named).arguments
        getattr(module, function)(**given)
        return wrong(**given)

    return checked


def planted(kind):
    """(topic, Mistake) for everything in the tuples named `kind` of tests/<family>/mistakes_<topic>.py."""
    found = []
    for topic in topics_with("mistakes"):
        found += [(topic, mistake) for mistake in getattr(module_with("mistakes", topic), kind, ())]
    return found


def with_mistake(topic, mistake, precision="float64"):
    """The practice wing with one function replaced."""
    original = partial(wing_function, "torch", topic)
    return Implementation(lambda name: mistake.wrong if name == mistake.function else original(name), "torch", precision)
