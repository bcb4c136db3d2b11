"""Every option of every recipe, taken once: it changes what is built or trained, and what is trained is the stated objective."""

import dataclasses
import typing
from functools import cache

import pytest
import torch

from practice_torch.engine.experiment import phase_parameters
from practice_torch.engine.modality import options_of
from practice_torch.engine.stages import enter, stages_of
from tests.support import tiny
from tests.support.objectives import objective_of
from tests.support.recipes import OF_THE_ENGINE, module_of, names

STEPS = 2
ENGINE = OF_THE_ENGINE | options_of("audio")
TOPICS = list(dict.fromkeys(topic for topic, _ in names()))


@pytest.fixture(autouse=True)
def double():
    """Experiments are built, and draw, in float64."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def recipes(topic):
    """The topic's recipes in small, each once."""
    found = [tiny.small(module_of(topic).RECIPES[name]) for path, name in names() if path == topic]
    return [recipe for k, recipe in enumerate(found) if _own(recipe) not in map(_own, found[:k])]


@cache
def words(kind):
    """{option: all of its words} of the options of a class of recipes that are a choice between words."""
    own = {field.name for field in dataclasses.fields(kind)} - ENGINE
    hints = {name: hint for name, hint in typing.get_type_hints(kind).items() if name in own and _is_choice(hint)}
    return {name: (False, True) if hint is bool else typing.get_args(hint) for name, hint in hints.items()}


def _is_choice(hint):
    return hint is bool or typing.get_origin(hint) is typing.Literal


def others(recipe, topic):
    """(option, recipe): the recipe with every other word, one other number or size, and what must be changed together."""
    for name, value in _own(recipe).items():
        if name in words(type(recipe)):
            values = [word for word in words(type(recipe))[name] if word != value]
            yield from ((name, other) for word in values if (other := _possibly(recipe, **{name: word})))
            continue
        match value:
            case tuple():
                values = [value + value[-1:], value[1:] + value[:1]]
            case int():
                values = [2 * value, value + 1, value - 1]
            case float():
                values = [2 * value, value / 2, 0.9 * value, 0.5]
            case _:
                continue
        possible = [other for each in values if each != value and (other := _possibly(recipe, **{name: each}))]
        yield from ((name, other) for other in possible[:1])
    for changes in objective_of(topic).together:
        if other := _possibly(recipe, **changes):
            yield from ((name, other) for name in changes)


def _possibly(recipe, **changes):
    """The recipe with these changes; None where it refuses them."""
    try:
        return dataclasses.replace(recipe, **changes)
    except (ValueError, TypeError):
        return None


def trained(topic, recipe, steps=STEPS):
    """Some steps of the recipe: loss and gradient, phase by phase, and the state, compared with the objective."""
    objective, (experiment, batch) = objective_of(topic), tiny.built(topic, recipe)
    draws = torch.Generator().manual_seed(2)
    _move(experiment, draws)  # away from where they begin: behind a zero nothing is seen
    seen = [[(phase.name, phase.times) for phase in experiment.phases]]
    for step in range(steps):
        for phase in enter(experiment, stages_of(recipe), step):
            before = _state(experiment)
            torch.default_generator.manual_seed(step)  # for dropout
            loss, _ = experiment(batch, phase.name)
            gradient = _gradient(loss, experiment, phase)
            assert loss.isfinite() and all(part.isfinite().all() for part in gradient), (recipe, phase)
            if phase.moves:
                assert objective.loss, f"tests/{topic.replace('/', '/objective_')}.py does not state what {phase.name} minimizes"
                after = _state(experiment)
                _put_back(experiment, before)
                torch.default_generator.manual_seed(step)
                wanted = objective.loss(experiment, batch, phase.name)
                if not objective.surrogate:
                    _close(loss.detach(), wanted.detach(), recipe, phase)
                both = gradient, _gradient(wanted, experiment, phase)
                _close(*(torch.cat([part.flatten() for part in parts]) for parts in both), recipe, phase)
                _put_back(experiment, after)
            seen.append([loss.detach(), *gradient])
            if not phase.moves:  # what it keeps was computed by parameters that the next phase has left
                _move(experiment, draws)
        seen.append([tensor.clone() for tensor in experiment.state_dict().values()])
    return seen


@torch.no_grad()
def _move(experiment, draws):
    for parameter in experiment.parameters():
        parameter += 0.1 * torch.randn(parameter.shape, generator=draws)


def _state(experiment):
    """The effects of a forward pass: the state apart from parameters, and the generator's position."""
    learned = dict(experiment.named_parameters())
    rest = {name: tensor.clone() for name, tensor in experiment.state_dict().items() if name not in learned}
    return rest, experiment.generator.get_state()


def _put_back(experiment, state):
    rest, drawn = state
    now = experiment.state_dict() if rest else {}
    for name, kept in rest.items():
        now[name].copy_(kept)
    experiment.generator.set_state(drawn)


def _close(got, wanted, recipe, phase):
    # a thousand roundings of float32, which experiments cast what a network gives to
    error, scale = (got - wanted).abs().max(), wanted.abs().max().clamp(min=1e-9)
    assert error <= 1e-4 * scale, f"{phase.name} of {_own(recipe)} is off by {float(error):.3g}, of {float(scale):.3g}"


def _gradient(loss, experiment, phase):
    moved = [parameter for _, parameter in phase_parameters(experiment, phase)]
    return torch.autograd.grad(loss, moved, allow_unused=True, materialize_grads=True) if moved else ()


def _own(recipe):
    return {field.name: getattr(recipe, field.name) for field in dataclasses.fields(recipe) if field.name not in ENGINE}


def _differ(these, those):
    """Whether two trainings differ in their order of play, in a shape or in a value, as long as the second one goes."""
    these = these[: len(those)]
    if these[0] != those[0] or list(map(len, these)) != list(map(len, those)):
        return True
    pairs = zip((a for part in these[1:] for a in part), (b for part in those[1:] for b in part), strict=True)
    return any(a.shape != b.shape or not torch.equal(a, b) for a, b in pairs)


@pytest.mark.weekly
@pytest.mark.parametrize("topic", TOPICS)
def test_every_option_trains_its_objective_and_changes_something(topic):
    """Of every recipe and every other value of every option: the loss and its gradient are those of the stated objective."""
    objective = objective_of(topic)
    torch.set_default_dtype(objective.dtype)
    asked, changed, taken, seen, results = set(), set(), set(), [], {}
    unread = set()  # (kind of recipe, option): unread options are tried once

    def once(recipe, steps=STEPS):
        key = type(recipe), recipe.data, repr(_own(recipe)), steps
        results[key] = results.get(key) or trained(topic, recipe, steps)
        return results[key]

    for recipe in recipes(topic):
        before, chosen = once(recipe), {name: getattr(recipe, name) for name in words(type(recipe))}
        asked |= {name for name, value in _own(recipe).items() if value is not None and value != ()}
        taken |= set(chosen.items())
        if (type(recipe), chosen) in seen:  # its other options were taken with another recipe
            continue
        seen.append((type(recipe), chosen))
        for name, other in others(recipe, topic):
            if (type(recipe), name) in unread:
                continue
            if name in objective.unread:
                unread.add((type(recipe), name))
            taken.add((name, getattr(other, name)))
            # another number shows in the first step, or in what that leaves to the second
            tried = (STEPS,) if name in words(type(recipe)) else range(1, STEPS + 1)
            if any(_differ(before, once(other, steps)) for steps in tried):
                changed.add(name)
    assert {(name, word) for recipe in recipes(topic) for name, each in words(type(recipe)).items() for word in each} <= taken
    assert asked - changed == set(objective.unread)


@cache
def require_sound(topic, recipe):
    """Before a mistake is planted: its refusal says something only if the recipe itself trains the objective."""
    trained(topic, recipe)


PLANTED = [(topic, name) for topic in TOPICS for name in objective_of(topic).mistakes]


@pytest.mark.parametrize(("topic", "name"), PLANTED)
def test_a_mistake_in_what_is_trained_is_refused(topic, name, monkeypatch):
    mistake = objective_of(topic).mistakes[name]
    recipe = dataclasses.replace(tiny.small(next(iter(module_of(topic).RECIPES.values()))), **mistake.options)
    require_sound(topic, recipe)
    monkeypatch.setattr(mistake.owner, mistake.place, mistake.wrong)
    with pytest.raises(AssertionError, match=" is off by "):
        trained(topic, recipe)
