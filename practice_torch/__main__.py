"""python -m practice_torch list | prepare | train | sample | evaluate | report | project : train, sample and evaluate models.

Exit codes: 0 done, 1 `evaluate` found the target missed, 2 usage, 3 bad data or a bad run folder, 128 + n stopped by signal n
(with everything saved). Errors are one line; --debug shows where they came from.
"""

import ast
import contextlib
import dataclasses
import functools
import importlib
import json
import os
import sys
from pathlib import Path

from practice_torch.command_line import PROGRAM, UsageError, changed, flags, nearest, parse, tyro_line
from practice_torch.data.errors import DataError
from practice_torch.engine.errors import OptionError, RunError, too_large
from shared_specs.extras import remedy
from shared_specs.syllabus import load, resolve

HERE = Path(__file__).parent
FEWEST_SAMPLES = 20  # of which distances and their intervals are still estimated


def main(arguments=None):
    """Returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    debug = "--debug" in arguments
    try:
        command, fields = parse(arguments, __doc__)
        return globals()[f"_{type(command).__name__.lower()}"](command, *fields)
    except (UsageError, OptionError, DataError, RunError) as error:
        if debug:
            raise
        return _fail(error, 2 if isinstance(error, (UsageError, OptionError)) else 3)
    except KeyboardInterrupt:
        return _fail("interrupted before the first step", 130)
    except BrokenPipeError:  # the reader (`| head`) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if debug:
            raise
        if line := remedy(error):
            return _fail(line, 2)
        if complaint := too_large(error):
            return _fail(complaint, 3)
        return _fail(f"internal error {type(error).__name__}: {error}; please report it (--debug shows where)", 1)


def _fail(message, code):
    print(f"error: {' '.join(str(message).split())}", file=sys.stderr)
    return code


# ---------------------------------------------------------------------------------------------------- topics and recipes


def _topic(text):
    try:
        topics = resolve(text)
    except LookupError as error:
        raise UsageError(error.args[0]) from None
    there = [topic for topic in topics if _recipe_names(topic.path)]
    if len(there) == 1:
        return there[0].path
    names = ", ".join(topic.path for topic in there or topics)
    if there:
        raise UsageError(f"{text!r} means {names}: name one of them")
    trained = ", ".join(path for path in load().topics if _recipe_names(path))
    state = "trains nothing" if (HERE / f"{topics[0].path}.py").is_file() else "is planned, not built yet"
    raise UsageError(f"{names} {state}; topics that train: {trained}")


def _recipe_names(path):
    """The keys of a topic's RECIPES, read from its source: listing needs no torch."""
    for node in _source(path).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "RECIPES":
            if isinstance(node.value, ast.Dict) and all(isinstance(key, ast.Constant) for key in node.value.keys):
                return [key.value for key in node.value.keys]
            return list(_module(path).RECIPES)
    return []


def _has_study(path):
    """Whether an experiment of the topic has a study, also read from its source."""
    return any(isinstance(node, ast.FunctionDef) and node.name == "study" for node in ast.walk(_source(path)))


@functools.cache
def _source(path):
    """The source of a topic's experiment, parsed; of a topic without one, an empty one."""
    file = HERE / "experiments" / f"{path}.py"
    return ast.parse(file.read_text(encoding="utf-8") if file.is_file() else "")


def _module(path):
    return importlib.import_module("practice_torch.experiments." + path.replace("/", "."))


# ---------------------------------------------------------------------------------------------------- list


def _list(command):
    chosen = {_topic(text) for text in command.topics}
    rows = [
        {"topic": topic.path, "recipes": names, "title": topic.title, "study": _has_study(topic.path)}
        for topic in load().topics.values()
        if (names := _recipe_names(topic.path)) and (topic.path in chosen or not chosen)
    ]
    if command.sizes:
        return _list_sizes([(row["topic"], name) for row in rows for name in row["recipes"]], command.json)
    if command.json:
        print(json.dumps({"topics": rows}, indent=2))
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("topic", "recipes"):
        table.add_column(column, no_wrap=True)
    for row in rows:
        lines = [row["topic"], f"[dim]{row['title']}[/]", *["[dim]has a study[/]"] * row["study"]]
        table.add_row("\n".join(lines), "\n".join(row["recipes"]))
    Console().print(table)
    print(f"\n{PROGRAM} train TOPIC RECIPE; add --help for the recipe's fields")
    print(f"{PROGRAM} prepare MODALITY SOURCES... --out DIR, for data larger than memory: then train with --data DIR")
    print(f"{PROGRAM} evaluate RUN --study, where there is a study: measurements that take longer than an evaluation")
    return 0


def _list_sizes(recipes, as_json):
    """A line for each of these (topic, recipe), as soon as it is measured."""
    from practice_torch.engine.sizes import ASSUMPTION, HEADER, facts_of, line, sizes

    if as_json:
        found = [(path, name, _module(path).RECIPES[name], _published(path, name)) for path, name in recipes]
        rows = [
            {"topic": path, "recipe": name} | facts_of(recipe, sizes(_module(path), name), published)
            for path, name, recipe, published in found
        ]
        print(json.dumps({"recipes": rows, "assumption": ASSUMPTION}, indent=2))
        return 0
    print(HEADER)
    for path, name in recipes:
        print(line(f"{path} {name}", _module(path).RECIPES[name], sizes(_module(path), name)), flush=True)
        if published := _published(path, name):
            print(f"    {published.line()}")
    print(f"\n{ASSUMPTION}")
    return 0


def _published(path, name):
    """What a recipe reproduces; None where nothing was published of it."""
    return getattr(_module(path), "PUBLISHED", {}).get(name)


# ---------------------------------------------------------------------------------------------------- prepare


def _prepare(command, words):
    from practice_torch.autoregressive.tokenization import BytePairTokenizer
    from practice_torch.prepare_command import prepare

    return prepare(words, byte_pairs=BytePairTokenizer)


# ---------------------------------------------------------------------------------------------------- train


def _train(command, words, fields):
    if command.resume:
        return _resume(command, words, fields)
    if len(words) != 2:
        given = " ".join(words) or "neither"
        raise UsageError(f"train takes TOPIC and RECIPE, then fields (given: {given}); `list` shows what there is")
    path, name = _topic(words[0]), words[1]
    names = _recipe_names(path)
    if name not in names:
        raise UsageError(f"{path} has no recipe {name!r}; {nearest(name, names)}")
    recipe = _recipe(path, name, fields)
    module = _module(path)

    import torch

    from practice_torch.engine.datasets import load_data
    from practice_torch.engine.experiment import HasRemarks
    from practice_torch.engine.processes import Processes
    from practice_torch.engine.run import Run

    processes = Processes(command.cpu)
    data = processes.in_turn(lambda: load_data(recipe))
    if processes.first:
        for remark in data[0].description.get("remarks", ()):
            print(f"note: {remark}", file=sys.stderr)
    torch.manual_seed(recipe.seed)
    experiment = module.build(recipe, data[0])
    if processes.first and isinstance(experiment, HasRemarks):
        for remark in experiment.remarks:
            print(f"warning: {remark}", file=sys.stderr)
    run = processes.of_the_first(lambda: Run.create(command.run, path, name, recipe, data[0].description))
    try:
        return _to_the_end(run, recipe, experiment, data, command)
    except BaseException:
        if processes.first and not list(run.checkpoints.glob("step-*")):
            run.remove()
        raise


def _recipe(path, recipe_name, fields):
    """The recipe with the fields that were given on the command line."""
    recipe = _module(path).RECIPES[recipe_name]
    program = f"{PROGRAM} train {path} {recipe_name}"
    given = changed(recipe, fields, "field", f"{path} {recipe_name}", program, description=_about(recipe, fields))
    if given.data != recipe.data and not any(word.startswith("--target") for word in fields):
        given = dataclasses.replace(given, target=None)  # the recipe's target was measured on the recipe's data
    return given


def _about(recipe, fields):
    """What the help of a recipe begins with."""
    from practice_torch.engine.datasets import data_help

    return f"{type(recipe).__doc__}\n\n{data_help(recipe)}" if "--help" in fields else None


def _resume(command, words, fields):
    if given := [*words, *fields, *filter(None, [command.run])]:
        raise UsageError(f"--resume takes nothing but the run folder (given: {given[0]}): a resumed run keeps its recipe")
    import torch

    from practice_torch.engine.processes import Processes
    from practice_torch.engine.run import Run

    run = Run.open(command.resume)
    processes = Processes(command.cpu)
    processes.of_the_first(run.lock.take)  # nothing is read that another process may be about to change
    try:
        module, recipe = _restored(run)
        data = processes.in_turn(lambda: _same_data(run, recipe))
        torch.manual_seed(recipe.seed)  # the first weights, where the run was stopped before its first checkpoint
        return _to_the_end(run, recipe, module.build(recipe, data[0]), data, command)
    finally:
        run.lock.release()


def _restored(run):
    """The experiment's module and the recipe of a run folder."""
    path, name = run.asked["topic"], run.asked["recipe"]
    if name not in _recipe_names(str(path)):
        raise RunError(f"{run.folder} is a run of {path} {name}, which does not exist here")
    module = _module(path)
    return module, run.restored_recipe(type(module.RECIPES[name]))


def _same_data(run, recipe):
    from practice_torch.engine.datasets import load_data

    data = load_data(recipe)
    here, then = data[0].description, run.asked["data"]
    if any(here[fact] != then.get(fact) for fact in ("sha256", "count", "shape")):  # the same files may be cut in other ways
        raise RunError(
            f"{recipe.data} has changed since {run.folder} was trained: {here['count']} examples of shape {here['shape']}, "
            f"sha256 {here['sha256'][:12]}; then {then.get('count')} of {then.get('shape')}, {then['sha256'][:12]}"
        )
    return data


def _to_the_end(run, recipe, experiment, data, command):
    from practice_torch.engine.experiment import HasStart
    from practice_torch.engine.loop import Interrupted, Training

    if isinstance(experiment, HasStart) and not run.has_begun():
        experiment.start()
    training = Training(run, recipe, experiment, *data, cpu=command.cpu)
    first = training.processes.first  # of several processes one speaks
    if command.resume:
        training.restore(say=lambda line: first and print(f"warning: {line}", file=sys.stderr))
        if first:
            print(f"continuing after step {training.step} of {recipe.steps}", file=sys.stderr)
    try:
        training.train()
    except Interrupted as stop:
        if first:
            print(f"{stop}; continue with\n  {PROGRAM} train --resume {run.folder}", file=sys.stderr)
        return 128 + stop.signal_number
    if not first:
        return 0
    try:
        _write_report(run)
    except Exception as error:  # the training is done and saved; a page is no reason to end in an error
        complaint = f"{type(error).__name__}: {' '.join(str(error).split())}"
        print(f"warning: no report ({complaint}); `{PROGRAM} report {run.folder}` writes it again", file=sys.stderr)
    _show(run)
    print(f"run folder: {run.folder}   report: {run.folder / 'report.html'}")
    return 0


def _show(run):
    """The evaluation as a table, and whether the target is met."""
    from rich.console import Console
    from rich.table import Table

    evaluation = json.loads((run.folder / "evaluation.json").read_text(encoding="utf-8"))
    print(f"{run.asked['topic']} {run.asked['recipe']}, step {evaluation['step']}")
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("on held-out data")
    table.add_column("", justify="right")
    for name, value in evaluation["metrics"].items():
        table.add_row(name, f"{value:.5g}")
    Console().print(table)
    if evaluation["passed"] is None:
        print(f"{evaluation['metric']}: no target was set for this data")
    else:
        sign = "<=" if evaluation["direction"] == "lower" else ">="
        word = "reached" if evaluation["passed"] else "MISSED"
        print(f"{evaluation['metric']} {evaluation['value']:.5g}: target {sign} {evaluation['target']:g} {word}")
    return evaluation["passed"]


# ---------------------------------------------------------------------------------------------------- looking at a run


def _sample(command, words):
    if not 1 <= command.count < 2**63:
        raise UsageError(f"count is {command.count}; it must be at least 1, and less than 2^63")
    if command.seed is not None and not 0 <= command.seed < 2**63:
        raise UsageError(f"seed is {command.seed}; it must be between 0 and 2^63 - 1")
    import torch

    from practice_torch.engine.datasets import Described
    from practice_torch.engine.draws import seed_of
    from practice_torch.engine.processes import Processes
    from practice_torch.engine.run import Run, save_artifacts
    from practice_torch.engine.state import weights_of

    run = Run.open(command.run)
    module, recipe = _restored(run)
    try:
        experiment = module.build(recipe, Described(run.asked["data"]))
    except (KeyError, TypeError, IndexError, AttributeError) as error:  # of the data themselves this would be an error of ours
        raise RunError(f"{run.folder / 'recipe.json'} describes no data of {run.asked['topic']}: {error!r}") from error
    _set_sampling(experiment, command, words, run.asked["topic"])
    device = Processes(command.cpu).device
    weights, _ = weights_of(run, experiment, say=lambda line: print(f"warning: {line}", file=sys.stderr))
    experiment.load_state_dict(weights)
    seed = recipe.seed if command.seed is None else command.seed
    experiment.generator = torch.Generator(device).manual_seed(seed_of(seed, "sample"))
    torch.manual_seed(seed_of(seed, "sample", "torch"))
    experiment.to(device).eval()
    half = recipe.precision == "bfloat16" and device.type != "cpu"  # where it is faster
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=half):
        artifacts = experiment.sample(command.count)
    folder = Path(command.out) if command.out else run.folder / "samples"
    try:
        for path in save_artifacts(artifacts, folder, prefix=f"seed{seed}-"):
            print(path)
            if path.suffix == ".txt":
                print(_for_terminal(path), end="")
    except OSError as error:
        raise RunError(f"cannot write into {folder}: {error.strerror}") from None
    return 0


def _for_terminal(path):
    """A text as a terminal can show it: a model of bytes may draw what would move the cursor, or what cannot be written there."""
    text, encoding = path.read_text(encoding="utf-8"), sys.stdout.encoding or "utf-8"
    text = "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return text.encode(encoding, "replace").decode(encoding)


def _set_sampling(experiment, command, words, path):
    """The experiment's sampling as the words of the command line want it."""
    from practice_torch.engine.experiment import HasSampling

    program, own = f"{PROGRAM} sample {command.run}", ", ".join(flags(command))
    if isinstance(experiment, HasSampling):
        about = f"{type(experiment.sampling).__doc__} Beside these options there are {own}."
        experiment.sampling = changed(experiment.sampling, words, "option", f"{path} sampling", program, description=about)
    elif words == ["--help"]:
        tyro_line(type(command), words, program)
    elif words:
        raise UsageError(f"unknown argument {words[0]!r}: {path} has no options of its own; {nearest(words[0], flags(command))}")


def _evaluate(command):
    from practice_torch.engine.experiment import HasStudy
    from practice_torch.engine.loop import Training
    from practice_torch.engine.run import Run, save_artifacts
    from practice_torch.engine.state import verdict, weights_of

    if command.samples is not None and command.samples < FEWEST_SAMPLES:
        raise UsageError(f"samples is {command.samples}; it must be at least {FEWEST_SAMPLES}")
    if command.inception and command.samples is None:
        raise UsageError("--inception is for judging samples: give --samples, too")
    run = Run.open(command.run)
    module, recipe = _restored(run)
    data = _same_data(run, recipe)
    experiment = module.build(recipe, data[0])
    if command.study and not isinstance(experiment, HasStudy):
        raise UsageError(f"{run.asked['topic']} has no study: leave --study out")
    weights, step = weights_of(run, experiment, say=lambda line: print(f"warning: {line}", file=sys.stderr))
    if command.samples and step < recipe.steps:
        mend = f"finish it with `train --resume {run.folder}`, or leave --samples out"
        raise RunError(f"{run.folder} is unfinished, at step {step} of {recipe.steps}: {mend}")
    experiment.load_state_dict(weights)
    training = Training(run, recipe, experiment, *data, cpu=command.cpu)
    with _writing(run.folder):
        run.write_json("evaluation.json", verdict(recipe, training.evaluate(), step, training.experiment.explains))
    reached = _show(run)
    if command.samples:
        _judge_samples(run, training, step, command)
    if command.study:
        with _writing(run.folder):
            paths = save_artifacts(training.study(), run.folder / "study")
        for path in paths:
            print(_for_terminal(path) if path.suffix == ".txt" else path)
    return 1 if reached is False else 0


def _judge_samples(run, training, step, command):
    """Metrics of samples, as a file of the run and as a table."""
    from rich.console import Console
    from rich.table import Table

    from practice_torch.experiments.parts.sample_metrics import judge

    found = judge(training, step, command.samples, command.inception)
    with _writing(run.folder):
        run.write_json("sample_metrics.json", found)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("", f"{command.samples} samples", "baseline", "real data"):
        table.add_column(column, no_wrap=True)
    spoken = lambda part: f"{part['value']:.3g}\n[dim]{part['low']:.2g} to {part['high']:.2g}[/]" if part else "-"  # noqa: E731
    for name, metric in found["metrics"].items():
        table.add_row(name, *(spoken(metric.get(kind)) for kind in ("samples", "baseline", "real")))
    Console().print(table)
    print(f"intervals of 95%, less the bias of so few; compared: {found['features']}; {run.folder / 'sample_metrics.json'}")


def _project(command):
    from practice_torch.project_command import project

    return project(command)


def _report(command):
    from practice_torch.engine.comparison import write_comparison
    from practice_torch.engine.run import Run

    if not command.runs:
        raise UsageError("report takes RUN, the folder of a run, or several to compare")
    first = Run.open(command.runs[0])
    if len(command.runs) == 1:
        print(_write_report(first, command.out))
        return 0
    path = Path(command.out or first.folder.absolute().parent / "comparison.html")
    with _writing(path):
        print(write_comparison(command.runs, path))
    return 0


def _write_report(run, path=None):
    from practice_torch.engine.report import write_report

    module, _ = _restored(run)
    with _writing(path or run.folder):
        published = _published(run.asked["topic"], run.asked["recipe"])
        defaults = module.RECIPES[run.asked["recipe"]].fields()
        return write_report(run.folder, defaults=defaults, published=published, path=path)


@contextlib.contextmanager
def _writing(where):
    try:
        yield
    except OSError as error:
        raise RunError(f"cannot write into {where}: {error.strerror}") from None


if __name__ == "__main__":
    sys.exit(main())
