"""The cost of recipes: each takes a step at full size, on fake tensors with the same measurements as a real step."""

import contextlib
import dataclasses
import json
import math
import re
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from practice_torch.engine.batches.datasets import blank_data
from practice_torch.engine.costs.flops import flops_of_step
from practice_torch.engine.costs.sizes import Tally, line, on_fake_tensors, sizes, step_by_step
from practice_torch.engine.experiment import phase_parameters
from practice_torch.engine.published import Published
from practice_torch.engine.recipe import Recipe
from practice_torch.engine.stages import stages_of
from practice_torch.state_space import _selective_scan
from shared_specs.syllabus import load
from tests.commands.test_practice_commands import call
from tests.support.objectives import objective_of
from tests.support.recipes import module_of, names
from tests.support.tiny import stand_ins_of

TOPICS = list(dict.fromkeys(path for path, _ in names()))
# fields of the engine that change what a step takes
SIZES = {"data", "batch_size", "precision"}
OTHERS = {field.name for field in dataclasses.fields(Recipe)} - SIZES


# How often the same is done, at most; a topic's objective names its own fields. The couplings of a flow alternate, and a level
# of latents follows another; tests in small take more (tests/support/tiny.py), and full size shows in the first.
REPEATED = {"layers": 2, "groups": 2, "blocks": 1, "residual_blocks": 1}

# the first recipe of every topic with stages
STAGED = [(path, name) for path in TOPICS for name in [*module_of(path).RECIPES][:1] if stages_of(module_of(path).RECIPES[name])]


def different(topic):
    """{name: recipe in shallow} of a topic, one of those that differ in nothing but their depth and training."""
    found = {}
    for name, recipe in module_of(topic).RECIPES.items():
        cut = shallow(topic, recipe)
        kind = (type(cut), *(value for field, value in cut.fields().items() if field not in OTHERS))
        found.setdefault(kind, (name, cut))
    return dict(found.values())


def shallow(topic, recipe):
    """At full size in all but what is done again: of a network's blocks, and of the batches that a step adds up."""
    limits = REPEATED | dict.fromkeys(objective_of(topic).repeated, 1)
    fields = {name: getattr(recipe, name, None) for name in limits}
    cut = {name: min(value, limits[name]) for name, value in fields.items() if type(value) is int}
    return dataclasses.replace(recipe, **cut, accumulate=1)


def module_with(topic, name, recipe):
    """The module of a topic's experiment with this recipe in the place of all."""
    module = module_of(topic)
    return SimpleNamespace(RECIPES={name: recipe}, PUBLISHED=getattr(module, "PUBLISHED", {}), build=module.build)


def trains_here(recipe):
    """Whether its data are embedded, or made by the model: a processor trains it in minutes, and takes a step in milliseconds."""
    if recipe.modality == "galaxies":
        return False  # no galaxy has properties of 0, which blank data hold: a step on values refuses them
    return recipe.modality is None or getattr(stand_ins_of(recipe).embedded(recipe, 0.0), "data", None) == recipe.data


@contextlib.contextmanager
def on_tensors(module, name):
    """As on_fake_tensors, with values: where these are few, they cost a tenth of an operation on fake tensors."""
    recipe = module.RECIPES[name]
    with Tally() as tally:
        data = blank_data(recipe, {})
        experiment = module.build(recipe, data)
        experiment.generator = torch.Generator().manual_seed(0)
        yield tally, experiment, data


@pytest.mark.weekly
@pytest.mark.parametrize("topic", [pytest.param(path, marks=pytest.mark.xdist_group(f"sizes, {path}")) for path in TOPICS])
def test_every_recipe_of_a_topic_takes_a_step_at_full_size(topic, monkeypatch):
    """A scan in one segment: several, which tests/state_space runs, repeat it.

    Fake tensors are for what is too large here. That the others count without values, too, is seen on a simulated GPU
    (tests/training/test_simulated_gpu.py), where a step that reads one is an error.
    """
    monkeypatch.setattr(_selective_scan, "ACCELERATOR", (2**40, 2**50))
    for name, recipe in different(topic).items():
        if (topic, name) in STAGED:
            continue  # test_stages_are_listed_apart takes its steps
        module = module_with(topic, name, recipe)
        with (on_tensors if trains_here(recipe) else on_fake_tensors)(module, name) as (tally, experiment, data):
            if any(phase.moves for phase in experiment.phases):  # the others count, in passes with data-dependent sizes
                steps = step_by_step(experiment, module.RECIPES[name], data, tally)
                next(steps)
                for _ in stages_of(module.RECIPES[name])[1:]:
                    next(steps), next(steps)  # the first step of every other stage
                moved = {key for phase in experiment.phases for key, _ in phase_parameters(experiment, phase)}
                # weights and, of those that are trained, two moments at the least
                least = sum(part.nbytes * (3 if key in moved else 1) for key, part in experiment.named_parameters())
                assert tally.peak >= tally.now >= least, name


def with_allocator(take):
    """The most bytes that torch's allocator of the CPU had given out at once while `take` ran, beyond those before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        take()
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    now = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        most = max(most, now)
    return most


# The difference is what CPU kernels take while they run: of convolutions 5%, of matrix products nothing.
@pytest.mark.parametrize(("topic", "name", "most"), [("latent/vae", "digits", 1e-3), ("diffusion/training", "digits", 0.06)])
def test_the_memory_of_a_step_is_that_of_a_real_one(topic, name, most):
    module = module_of(topic)
    recipe, found = module.RECIPES[name], sizes(module, name)

    def take(tally):
        data = blank_data(recipe, {})
        steps = step_by_step(module.build(recipe, data), recipe, data, tally)
        next(steps)
        tally.peak = held.append(tally.now) or tally.now
        next(steps)

    held = []
    with Tally() as tally:
        take(tally)
    assert held == [found.held] and tally.peak == pytest.approx(found.peak, rel=1e-3)  # attention has another kernel
    assert found.peak == pytest.approx(with_allocator(lambda: take(Tally())), rel=most)


def test_a_phase_without_gradients_counts_its_operations():
    """The cart-pole's: its updates, and twice the actor and twice the critic on all that is collected."""
    name = "cart_pole"
    recipe = dataclasses.replace(module_of("reinforcement/ppo").RECIPES[name], horizon=8)  # a longer one repeats it
    module = module_with("reinforcement/ppo", name, recipe)
    experiment = module.build(recipe, None)
    updates = flops_of_step(experiment, {}, recipe)
    weights = sum(part.numel() for part in experiment.parameters() if part.ndim == 2)
    assert updates > 0
    assert sizes(module, name).operations == updates + 2 * 2 * weights * recipe.copies * recipe.horizon


@pytest.mark.parametrize("topic", ["latent/vae", "adversarial/dcgan", "diffusion/elbo"])
def test_operations_are_those_that_are_counted_on_meta_tensors(topic):
    module, name = module_of(topic), "digits"
    recipe = module.RECIPES[name]
    data = blank_data(recipe, {})
    counted = flops_of_step(module.build(recipe, data), data.batch(range(recipe.batch_size)), recipe)
    # the backward pass of attention takes the scores once more than tables of them would: one in 2000 operations here
    assert sizes(module, name).operations == pytest.approx(counted, rel=1e-3 if topic == "diffusion/elbo" else 0)


def test_a_product_that_is_added_in_place_is_counted():
    """An LSTM's; torch's own table of formulas does not know it."""
    with Tally() as tally:
        torch.zeros(2, 3).addmm_(torch.zeros(2, 4), torch.zeros(4, 3))
    assert tally.operations == {"product": 2 * 2 * 4 * 3}


def test_averages_and_accumulation_are_held_and_counted():
    module = module_of("latent/vae")
    plain = sizes(module, "digits")
    for changes, held, times in (({"average_decay": 0.9}, 4 * plain.parameters, 1), ({"accumulate": 3}, 0, 3)):
        changed = dataclasses.replace(module.RECIPES["digits"], **changes)
        other = type("Module", (), {"RECIPES": {"digits": changed}, "build": staticmethod(module.build)})
        found = sizes(other, "digits")
        assert found.held - plain.held == held and found.operations == times * plain.operations


@pytest.mark.parametrize(("topic", "name"), STAGED)
def test_stages_are_listed_apart(topic, name):
    """Those that have steps; a step's operations are the mean over all of them, and the bytes those of the largest stage."""
    recipe = shallow(topic, module_of(topic).RECIPES[name])
    found = sizes(module_with(topic, name, recipe), name)
    stages = [stage for stage in stages_of(recipe) if stage.steps]
    assert [(stage.name, stage.steps) for stage in found.stages] == [(stage.name, stage.steps) for stage in stages]
    assert found.operations * recipe.steps == pytest.approx(sum(stage.steps * stage.operations for stage in found.stages))
    assert found.hours == pytest.approx(sum(stage.hours for stage in found.stages))
    assert found.peak >= found.held >= 4 * found.parameters
    assert (found.held, found.peak) == (max(stage.held for stage in found.stages), max(stage.peak for stage in found.stages))
    first, last = found.stages[0], found.stages[-1]
    assert len(stages) == 1 or first.held <= last.held and first.operations != last.operations or topic.startswith("flows/")
    lines = line(name, recipe, found).splitlines()
    assert [words.split()[:2] for words in lines[1:]] == [["stage", stage.name] for stage in stages]


def test_published_results_belong_to_recipes_and_name_their_source():
    for topic in load().topics:
        if topic in TOPICS:
            module = module_of(topic)
            for name, published in getattr(module, "PUBLISHED", {}).items():
                assert name in module.RECIPES and isinstance(published, Published), (topic, name)
                assert published.source and published.data, (topic, name)
                assert published.value is None or math.isfinite(published.value), (topic, name)


def numbers(quoted):
    """The numbers in a line; a percentage is a fraction, too. A log-likelihood has the other sign of a loss: no sign is read."""
    for number, percent in re.findall(r"(\d+(?:\.\d+)?)\s?(%?)", quoted):
        yield Decimal(number)
        if percent:
            yield Decimal(number) / 100


def test_published_numbers_are_in_the_quoted_lines_of_their_sources():
    claims = 0
    for topic in TOPICS:
        for name, published in getattr(module_of(topic), "PUBLISHED", {}).items():
            if published.value is not None:
                claims += 1
                found = set(numbers(published.quoted))
                assert abs(Decimal(repr(published.value))) in found, (topic, name, published.value, published.quoted)
    assert claims


def test_the_page_of_published_results_has_the_numbers_and_the_fields_of_the_recipes():
    """Each row of its tables: the number next to ours is the recipe's, and its command takes options of the recipe alone."""
    page = (Path(__file__).parents[2] / "docs" / "published_results.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if "`train " in line]
    for row in rows:
        published, command = re.fullmatch(r"\|[^|]+\|[^|]+\| ([\d.]+) \|.*\| `train ([^`]+)` \|", row).groups()
        topic, name, *options = command.split()
        module = module_of(topic)
        assert module.PUBLISHED[name].value == float(published), row
        asked = {option.removeprefix("--").replace("-", "_") for option in options if option.startswith("--")}
        assert asked <= module.RECIPES[name].fields().keys(), row
    assert rows


def test_a_recipe_is_the_published_model_or_says_how_it_differs():
    for topic in TOPICS:
        for name, published in getattr(module_of(topic), "PUBLISHED", {}).items():
            assert published.parameters is not None or published.differences, (topic, name)
            assert all(all(row) for row in published.differences), (topic, name)


def test_recipes_that_are_the_published_model_have_its_parameters():
    for topic in TOPICS:
        for name, published in getattr(module_of(topic), "PUBLISHED", {}).items():
            if published.parameters is not None:
                with on_fake_tensors(module_of(topic), name) as (_, experiment, _data):
                    assert sum(part.numel() for part in experiment.parameters()) == published.parameters, (topic, name)


def test_the_command_lists_sizes_of_a_topic_and_marks_hours_as_an_estimate():
    code, out, err = call("list", "--sizes", "latent/vae")
    lines = out.splitlines()
    assert code == 0 and [line.split()[1] for line in lines[1:5]] == ["digits", "notes", "mnist", "cifar10"]
    assert "19.8 k" in lines[1] and "estimated" in lines[0] and "estimate for one H100" in out, err
    found = json.loads(call("list", "--sizes", "--json", "latent/vae")[1])
    digits = found["recipes"][0]
    assert digits["parameters"] == 19792 and digits["held"] == 16 * 19792 + 4 * 10 and "estimate" in found["assumption"]
    code, _, err = call("list", "--sizes", "jensen")
    assert code == 2 and "trains nothing" in err
