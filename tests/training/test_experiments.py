"""Every recipe of every experiment keeps the interface of engine/experiment.py; every check refuses the mistake it is for.

That it also runs on a GPU, and no step waits there, is in tests/training/test_simulated_gpu.py; that every option is taken and
trains the stated objective, in tests/training/test_objectives.py.
"""

import dataclasses
import re
from functools import partialmethod
from typing import get_type_hints

import pytest
import torch
import tyro

from practice_torch.engine.artifacts import Text
from practice_torch.engine.bounds import Interval
from practice_torch.engine.distributed.evaluation_shares import ALONE
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Recipe
from tests.support.engine.toys import RECIPE, Noisy, Points, Staged, StagedRecipe
from tests.support.experiments import (
    CHECKS,
    Case,
    explains_its_metrics,
    has_scalar_losses_and_detached_logs,
    has_the_members_of_the_interface,
    is_built_from_the_description,
    is_evaluated_in_shares,
    is_not_changed_by_looks,
    is_saved_whole,
    is_shared_among_processes,
    resumes_in_every_stage,
    resumes_to_the_same_state,
    samples_artifacts,
    samples_by_its_generator,
)
from tests.support.objectives import objective_of
from tests.support.recipes import module_of, names, of_every_recipe
from tests.support.small_recipes import instead_of_loading, small


@pytest.mark.weekly
@of_every_recipe
def test_a_recipe_keeps_the_interface(topic, name):
    recipe, data = small(topic, name)
    case = Case(module_of(topic).build, recipe, data, draws=objective_of(topic).draws)
    with instead_of_loading(data):
        for check in CHECKS:
            check(case)


@pytest.mark.rule
def test_every_number_of_a_recipe_has_a_bound_that_help_shows():
    """Also a field that is declared again for another default."""
    silent = set()
    for topic, name in names():
        kind = type(module_of(topic).RECIPES[name])
        hints = get_type_hints(kind, include_extras=True)
        for field in dataclasses.fields(kind):
            marks = getattr(hints[field.name], "__metadata__", ())
            shown = tyro.conf.Suppress not in marks
            bounded = any(isinstance(getattr(mark, "help_behavior_hint", None), Interval) for mark in marks)
            if shown and not bounded and re.search(r"\b(int|float)\b", str(hints[field.name])):
                silent.add(f"{kind.__name__}.{field.name}")
    assert silent == set()


# ---------------------------------------------------------------------------------------------------- a toy, and its mistakes


class Toy(Noisy):
    """Sound: it has every member, and draws its samples."""

    explains = {"loss": Metric("squared distance", "error of the reconstructed points")}

    def sample(self, count):
        return {"noise": Text(str(torch.randn(count, generator=self.generator).tolist()))}


def case_of(changes, build=None):
    """The toy with other members."""
    make = type("Mistaken", (changes.get("toy", Toy),), changes)
    points, fields = Points.drawn(), RECIPE.fields() | {"steps": 8 if issubclass(make, Staged) else 3}
    recipe = (StagedRecipe if issubclass(make, Staged) else Recipe)(**fields)
    return Case(build or (lambda recipe, data: make()), recipe, (points, points))


@pytest.mark.parametrize("check", CHECKS)
def test_a_sound_toy_keeps_it(check):
    check(case_of({}))


def test_a_sound_toy_with_stages_keeps_it():
    resumes_in_every_stage(case_of({"toy": Staged}))


def test_a_sound_toy_that_shares_keeps_it():
    is_shared_among_processes(case_of(SHARING))


def planted(check, name, blames, build=None, **changes):
    return pytest.param(check, changes, build, blames, id=f"{check.__name__}: {name}")


def per_example(self, batch, phase):
    return (self.network(batch["point"]) - batch["point"]).square().sum(1), {}


def without_gradient(self, batch, phase):
    loss, logs = Toy.forward(self, batch, phase)
    return loss.detach(), logs


def of_half(self, batch, phase):
    return self.network[0](batch["point"]).square().mean(), {}


def logging(value):
    """A forward that logs value(loss)."""

    def forward(self, batch, phase):
        loss, _ = Toy.forward(self, batch, phase)
        return loss, {"again": value(loss)}

    return forward


def counting_aside(self, batch, phase):
    """The loss depends on a number that is neither a parameter nor a buffer."""
    self.turns = getattr(self, "turns", 0) + 1
    loss, logs = Toy.forward(self, batch, phase)
    return loss * self.turns, logs


def remembering_aside(self, batch, phase):
    self.last = batch["point"].mean()
    return Toy.forward(self, batch, phase)


def beginning_aside(self, batch, phase):
    """The initial values of a stage are neither a parameter nor a buffer."""
    loss, logs = Staged.forward(self, batch, phase)
    if self.place == ("both", 0) and phase == "other":
        self.began = loss.detach()
    return loss * (self.began if self.place.stage == "second" and hasattr(self, "began") else 1.0), logs


def evaluating_what_is_remembered(self, data):
    return {"loss": float(getattr(self, "last", 0.0))}


def evaluating_in_place(self, data):
    self.seen += 1
    return Toy.evaluate(self, data)


def drawing(values):
    return lambda self, count: {"values": Text(str(values(self)))}


def taking(self, data, together=True, in_step=True, of_means=False):
    """The mean loss over batches of 8, of which each process takes some."""
    total, count = 0.0, 0
    for number, indices in enumerate(torch.arange(len(data)).split(8)):
        noise = torch.randn(len(indices), 3, generator=self.generator) if in_step or self.shares.takes(number) else None
        if self.shares.takes(number):
            total += (self.network(data.batch(indices)["point"] + noise)).square().sum().item()
            count += len(indices)
    if of_means:
        return {"loss": sum(self.shares.together([total / count])) / self.shares.count}
    return {"loss": sum(self.shares.together([total]) if together else [total]) / len(data)}


def drawing_rows(self, count, share=lambda self, rows: rows):
    """Points from noise, of which each process draws some."""
    draw = lambda rows: self.network(torch.randn(len(share(self, rows)), 3, generator=self.generator))  # noqa: E731
    return {"points": Text(str(self.shares.rows(draw, torch.arange(count)).tolist()))}


SHARING = {"shares": ALONE, "evaluate": taking, "sample": drawing_rows}


def reading_the_data(recipe, data):
    toy = Toy()
    toy.mean = data.points.mean()
    return toy


def sized_by_the_data(recipe, data):
    toy = Toy()
    toy.register_buffer("table", torch.zeros(len(data) if hasattr(data, "batch") else 1))
    return toy


TRAIN = Phase("train", moves=("network",))
PLANTED = (
    planted(is_built_from_the_description, "reads the data", "no attribute 'points'", build=reading_the_data),
    planted(is_built_from_the_description, "a table of their size", "other parameters", build=sized_by_the_data),
    planted(has_the_members_of_the_interface, "no sample", "Mistaken has no sample;", sample=property()),
    planted(has_the_members_of_the_interface, "no explains", "Mistaken has no explains;", explains=property()),
    planted(has_the_members_of_the_interface, "a list of phases", "phases", phases=[TRAIN]),
    planted(has_the_members_of_the_interface, "two phases of a name", "are called", phases=(TRAIN, TRAIN)),
    planted(has_the_members_of_the_interface, "moves what is not there", "does not have", phases=(Phase("a", ("net",)),)),
    planted(has_the_members_of_the_interface, "a bare unit", "holds no Metric", explains={"loss": "nats"}),
    planted(has_the_members_of_the_interface, "one remark for several", "remarks are", remarks="slow"),
    planted(has_the_members_of_the_interface, "options without bounds", "sampling is no", sampling=Text("top_k")),
    planted(has_scalar_losses_and_detached_logs, "a loss per example", "must be a finite scalar", forward=per_example),
    planted(has_scalar_losses_and_detached_logs, "a loss without gradient", "no gradient", forward=without_gradient),
    planted(has_scalar_losses_and_detached_logs, "a log with its graph", "not detached", forward=logging(lambda x: x)),
    planted(has_scalar_losses_and_detached_logs, "a number", "must be a scalar tensor", forward=logging(lambda x: x.item())),
    planted(
        has_scalar_losses_and_detached_logs,
        "a layer that is left out",
        r"False; without gradients: \['network.3",
        forward=of_half,
    ),
    planted(
        has_scalar_losses_and_detached_logs,
        "a search in vain",
        r"True; without gradients: \[\]",
        phases=(Phase("train", moves=("network",), partial=True),),
    ),
    planted(explains_its_metrics, "another metric", "metric loss is not among", evaluate=lambda self, data: {"error": 0.0}),
    planted(explains_its_metrics, "a metric without words", "does not hold", explains={}),
    planted(explains_its_metrics, "a tensor", "are numbers", evaluate=lambda self, data: {"loss": torch.zeros(())}),
    planted(samples_artifacts, "words", "must be an artifact", sample=lambda self, count: {"x": "good"}),
    planted(is_not_changed_by_looks, "counts in an evaluation", "evaluate changes", evaluate=evaluating_in_place),
    planted(samples_by_its_generator, "torch's own generator", "the same seed", sample=drawing(lambda self: torch.randn(3))),
    planted(samples_by_its_generator, "no generator", "another seed draws", sample=drawing(lambda self: self.seen)),
    planted(resumes_to_the_same_state, "a number that is not saved", "differ", forward=counting_aside),
    planted(resumes_in_every_stage, "what a stage began with", "from step 6 .* differ", toy=Staged, forward=beginning_aside),
    planted(
        is_saved_whole,
        "a memory of the last batch",
        "after loading",
        forward=remembering_aside,
        evaluate=evaluating_what_is_remembered,
    ),
    planted(is_evaluated_in_shares, "draws", "no mean of these weights", evaluation_weight=lambda self, data: len(data)),
    planted(
        is_evaluated_in_shares,
        "a maximum",
        "no mean of these weights",
        evaluation_weight=lambda self, data: len(data),
        evaluate=lambda self, data: {"loss": data.batch(torch.arange(len(data)))["point"].max().item()},
    ),
    planted(
        is_shared_among_processes,
        "a part for the whole",
        "find different things",
        **SHARING | {"evaluate": partialmethod(taking, together=False)},
    ),
    planted(
        is_shared_among_processes,
        "draws for its part",
        "are out of step",
        **SHARING | {"evaluate": partialmethod(taking, in_step=False)},
    ),
    planted(
        is_shared_among_processes, "a mean of means", "loss is", **SHARING | {"evaluate": partialmethod(taking, of_means=True)}
    ),
    planted(is_shared_among_processes, "nothing is shared", "neither rows nor batches", shares=ALONE),
    planted(
        is_shared_among_processes,
        "other than its rows",
        "2 rows were drawn as 1",
        **SHARING | {"sample": partialmethod(drawing_rows, share=lambda self, rows: rows[: 1 + self.shares.rank])},
    ),
)


@pytest.mark.parametrize(("check", "changes", "build", "blames"), PLANTED)
def test_a_mistake_is_refused(check, changes, build, blames):
    with pytest.raises(Exception, match=blames):
        check(case_of(changes, build))


def test_every_check_was_seen_to_refuse():
    assert {case.values[0] for case in PLANTED} == set(CHECKS)
