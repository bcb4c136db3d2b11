"""python -m practice_torch train: a recipe from its first step, or from other weights, or a stopped run from its checkpoint."""

import contextlib
import dataclasses
import sys
from pathlib import Path
from shlex import quote

from practice_torch.commands.beginnings import begun_from, origin_of, recorded_origin
from practice_torch.commands.loading.examples import folder_of
from practice_torch.commands.options import PROGRAM, changed
from practice_torch.commands.recipes import module_of, published_of, recipe_names, topic_of
from practice_torch.commands.run_folder import restored, same_data, show, tokenizer_of_run, write_page, writing
from practice_torch.data.errors import DataError
from practice_torch.engine.errors import RunError
from practice_torch.engine.recipe import OF_DATA
from shared_specs.commands.errors import UsageError, nearest


def train(command, words, fields):
    """The command; returns the exit code."""
    if command.resume:
        return _resume(command, words, fields)
    with begun(command, words, fields) as training:
        return to_the_end(training)


@contextlib.contextmanager
def begun(command, words, fields):
    """The training of a recipe, before its first step; its folder is gone if it never takes one."""
    source = _source(command)
    if source and not words:
        path, name = source.asked["topic"], source.asked["recipe"]
        default = restored(source)[1]
    elif len(words) != 2:
        given = " ".join(words) or "neither"
        raise UsageError(f"train takes TOPIC and RECIPE, then fields (given: {given}); `list` shows what there is")
    else:
        path, name = topic_of(words[0]), words[1]
        names = recipe_names(path)
        if name not in names:
            raise UsageError(f"{path} has no recipe {name!r}; {nearest(name, names)}")
        default = module_of(path).RECIPES[name]
    module, whole, recipe = module_of(path), False, recipe_with(path, name, fields, default)
    if source and not recipe.data and recipe.modality:
        raise UsageError(f"{source.folder} was imported without data: name what to train on with --data")
    if source:
        recipe, whole = begun_from(source, path, module, recipe, lambda field: _names(f"--{field.replace('_', '-')}", fields))

    from practice_torch.engine.batches.datasets import load_data
    from practice_torch.engine.beginning import begin, remove_unless_begun
    from practice_torch.engine.costs.disk import disk_plan
    from practice_torch.engine.distributed.processes import Processes

    processes = Processes(command.cpu)
    origin = origin_of(source, whole) if source else None
    tokenizer = origin.tokenizer() if whole else None
    try:
        data = processes.rank_zero_first(lambda: load_data(recipe, tokenizer))
    except DataError:
        _require_prepared(path, name, recipe)
        raise
    if processes.first:
        for remark in (*_shortened(recipe, default, fields), *data[0].description.get("remarks", ())):
            print(f"note: {remark}", file=sys.stderr)
    training = begin(command.run, path, name, module, recipe, data, command.cpu, _warning(processes), origin)
    try:
        if processes.first:
            _keep_chat_template(training.run, data[0], source)
        if processes.first and (recipe.keep_every or recipe.keeps_best()):
            print(disk_plan(training), file=sys.stderr)
        yield training
    except BaseException:
        remove_unless_begun(training.run, processes)
        raise


def _keep_chat_template(run, data, source):
    """Write the template by which messages become tokens into the run: that of the data, or that of the run it began from."""
    if not (source or getattr(data, "template", None)):
        return
    from practice_torch.data.reading.chat_templates import read_chat_template

    template = getattr(data, "template", None) or read_chat_template(source.folder)
    if template is not None:
        with writing(run.folder):
            template.write(run.folder)


def _source(command):
    """The run of --from; None without one."""
    if command.from_ is None:
        return None
    from practice_torch.engine.storage.run import Run

    return Run.open(folder_of(command.from_))


def _warning(processes):
    """Prints a warning: of several processes rank 0 does."""
    return lambda line: processes.first and print(f"warning: {line}", file=sys.stderr)


def _require_prepared(path, name, recipe):
    """DataError with the command that makes the recipe's own data, if they are not there and one does."""
    published = published_of(path, name)
    own = recipe.data == module_of(path).RECIPES[name].data
    if published and published.prepare and own and not Path(recipe.data).exists():
        missing = f"data {recipe.data!r} does not exist"
        raise DataError(f"{missing}: it is {published.data}; make it with `{published.prepare}`") from None


def recipe_with(path, recipe_name, fields, recipe=None):
    """The topic's recipe of this name, or that of a run, with the fields that were given on the command line."""
    recipe = recipe or module_of(path).RECIPES[recipe_name]
    program = f"{PROGRAM} train {path} {recipe_name}"
    given = [flag for name in OF_DATA if _names(flag := f"--{name.replace('_', '-')}", fields)]
    if recipe.modality is None and given:
        raise UsageError(f"{path} {recipe_name} reads no data: leave {given[0]} out")
    about = {"description": _about(recipe, fields)}
    if _names("--warmup-steps", fields) or "--help" in fields:
        given = changed(recipe, fields, f"{path} {recipe_name}", program, **about)
    else:  # of fewer steps than the warm-up has, the same part is warm-up as in the recipe
        without = dataclasses.replace(recipe, warmup_steps=0)
        given = changed(without, fields, f"{path} {recipe_name}", program, **about)
        fits = recipe.warmup_steps < given.steps
        warmup_steps = recipe.warmup_steps if fits else recipe.warmup_steps * given.steps // recipe.steps
        given = dataclasses.replace(given, warmup_steps=warmup_steps)
    learned = [getattr(one, name) for name in ("data", "only_class", "examples_per_class") for one in (given, recipe)]
    if learned[::2] != learned[1::2] and not _names("--target", fields):
        given = dataclasses.replace(given, target=None)  # the recipe's target was measured on the recipe's data
    return given


def _names(flag, fields):
    """Whether words of the command line give the flag a value."""
    return any(word.split("=")[0].replace("_", "-") == flag for word in fields)


def _shortened(recipe, default, fields):
    """A remark on a warm-up that --steps has shortened."""
    if recipe.warmup_steps != default.warmup_steps and not _names("--warmup-steps", fields):
        part = f"{default.warmup_steps} of the recipe's {default.steps} steps"
        yield f"the warm-up of {part} is now {recipe.warmup_steps} of {recipe.steps}; --warmup-steps sets another"


def _about(recipe, fields):
    """The beginning of the help of a recipe."""
    from practice_torch.engine.batches.datasets import data_help

    return f"{type(recipe).__doc__}\n\n{data_help(recipe)}" if "--help" in fields else None


def _resume(command, words, fields):
    steps = _steps_alone(fields)
    if given := [*words, *([] if steps else fields), *filter(None, [command.run, command.from_])]:
        raise UsageError(f"--resume takes RUN and --steps alone (given: {given[0]}): a resumed run keeps its recipe")
    from practice_torch.engine.beginning import resume
    from practice_torch.engine.distributed.processes import Processes
    from practice_torch.engine.storage.run import Run

    run = Run.open(command.resume)
    if "imported" in run.asked:
        mend = f"`train --from {quote(str(run.folder))}` begins one"
        raise RunError(f"{run.folder} was imported, and has no training to resume: {mend}")
    processes = Processes(command.cpu)
    processes.broadcast(run.lock.take)  # nothing is read that another process may be about to change
    try:
        module, recipe = restored(run)
        if steps:
            recipe = _extended(run, recipe, steps)
        origin = None if run.has_begun() else recorded_origin(run, run.asked["topic"], recipe)
        if origin:
            tokenizer = origin.tokenizer() if origin.whole else None
        else:
            tokenizer = tokenizer_of_run(run, recipe, _warning(processes))
        data = processes.rank_zero_first(lambda: same_data(run, recipe, tokenizer))
        training = resume(run, module, recipe, data, command.cpu, _warning(processes), origin)
        processes.broadcast(lambda: run.write_json("recipe.json", run.asked) if steps else None)
        if processes.first:
            stage = f", in stage {training.experiment.place.stage}" if training.stages else ""
            print(f"continuing after step {training.step} of {recipe.steps}{stage}", file=sys.stderr)
        return to_the_end(training)
    finally:
        run.lock.release()


def _steps_alone(fields):
    """The number of `--resume RUN --steps N`; None if it is not the only field."""
    words = [part for word in fields for part in word.split("=", 1)]
    if len(words) != 2 or words[0] != "--steps":
        return None
    if not words[1].isdecimal() or not 0 < int(words[1]) < 2**63:
        raise UsageError(f"steps is {words[1]!r}; it must be a whole number of at least 1")
    return int(words[1])


def _extended(run, recipe, steps):
    """The recipe with more steps, of a run that says so in its recipe.json once it goes on."""
    if steps <= recipe.steps:
        raise UsageError(f"steps is {steps}; {run.folder} has {recipe.steps}, and --resume takes more")
    if hasattr(recipe, "stages") or recipe.patience:
        why = "its stages are shares of its steps" if hasattr(recipe, "stages") else "its patience decides when it ends"
        raise UsageError(f"{run.folder} cannot take more steps: {why}; `train --from` begins from its weights")
    if recipe.schedule != "constant":
        print(f"note: the learning rate's schedule ends at step {steps} now, and it rises to where that has it", file=sys.stderr)
    run.extend(steps)
    return dataclasses.replace(recipe, steps=steps)


def to_the_end(training):
    """Train, judge, and write the report; returns the exit code of a finished or an interrupted run."""
    from practice_torch.engine.loop import Interrupted

    run, first = training.run, training.processes.first  # only rank 0 prints
    try:
        training.train()
    except Interrupted as stop:
        if first:
            print(f"{stop}; continue with\n  {PROGRAM} train --resume {quote(str(run.folder))}", file=sys.stderr)
        return 128 + stop.signal_number
    if not first:
        return 0
    try:
        write_page(run)
    except Exception as error:  # the training is done and saved; a page is no reason to end in an error
        complaint = f"{type(error).__name__}: {' '.join(str(error).split())}"
        print(f"warning: no report ({complaint}); `{PROGRAM} report {quote(str(run.folder))}` writes it again", file=sys.stderr)
    show(run)
    print(f"run folder: {run.folder}   report: {run.folder / 'report.html'}")
    return 0
