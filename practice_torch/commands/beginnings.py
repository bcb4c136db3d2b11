"""train --from RUN: a recipe that begins from the weights of another run, imported or trained here.

The run of a recipe of the same class hands over all of its state, and the fields of that class, sizes of the network among them.
A topic that begins from runs of others defines, next to its RECIPES, begin(recipe, run): the recipe with the fields that the run
fixes, `start` among them, by which its experiment loads the weights in `start(batch)`. TUNABLE, a tuple there, names fields of
a recipe's class that a run of the same class leaves free; one that changes the shape of a weight is refused all the same.
"""

import dataclasses
import sys

from practice_torch.commands.run_folder import opened, restored
from practice_torch.engine.errors import RunError
from practice_torch.engine.recipe import Recipe
from shared_specs.commands.errors import UsageError

OF_EVERY_RECIPE = {field.name for field in dataclasses.fields(Recipe)}


def begun_from(run, path, module, recipe, given):
    """(recipe with what the run fixes, whether the run hands over all of its state). given(name): whether the command line gives
    the field; UsageError where it contradicts the run.
    """
    _, theirs = restored(run)
    whole = _is_whole(run, path, theirs, recipe)
    if whole:
        fixed = {field.name for field in dataclasses.fields(recipe)} - OF_EVERY_RECIPE
        fixed -= {name for name in getattr(module, "TUNABLE", ()) if given(name)}
        begun = _replaced(recipe, {name: getattr(theirs, name) for name in fixed}, run)
    elif hasattr(module, "begin"):
        begun = module.begin(recipe, run)
    else:
        kind = f"a run of {run.asked['topic']} {run.asked['recipe']} ({type(theirs).__name__})"
        mend = f"{path} begins from runs of its own, whose recipe is a {type(recipe).__name__} like this one"
        raise UsageError(f"from is {run.folder}, {kind}: {mend}")
    for field in dataclasses.fields(recipe):
        here, there = getattr(recipe, field.name), getattr(begun, field.name)
        if here != there and given(field.name):
            flag = field.name.replace("_", "-")
            raise UsageError(f"{flag} is {here}, and {there} in {run.folder}, where the training begins: leave --{flag} out")
    return begun if given("target") else dataclasses.replace(begun, target=None), whole


def _is_whole(run, path, theirs, recipe):
    """Whether a run, whose recipe is theirs, hands over all of its state."""
    return run.asked["topic"] == path and type(theirs) is type(recipe) and not recipe.begins_anew


def _replaced(recipe, fields, run):
    try:
        return dataclasses.replace(recipe, **fields)
    except ValueError as error:
        raise RunError(f"{run.folder} does not fit this recipe: {error}") from None


def origin_of(run, whole):
    """The trained model of a run, as engine.beginning takes it."""
    from practice_torch.engine.storage.origin import Origin

    say = lambda line: print(f"warning: {line}", file=sys.stderr)  # noqa: E731
    experiment, step = opened(run, say)
    return Origin(run, experiment, step, whole)


def recorded_origin(run, path, recipe):
    """The origin of a run that stopped before its first checkpoint; None if it began from noise. RunError if it has changed."""
    if "from" not in run.asked:
        return None
    from practice_torch.engine.storage.run import Run

    source = Run.open(run.asked["from"]["folder"])
    _, theirs = restored(source)
    origin = origin_of(source, _is_whole(source, path, theirs, recipe))
    origin.require_recorded(run)
    return origin
