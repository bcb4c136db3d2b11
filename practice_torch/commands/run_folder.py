"""The folder of a run as several commands need it: its recipe and data again, its evaluation as a table, its report."""

import contextlib
import json

from practice_torch.commands.recipes import module_of, published_of, recipe_names
from practice_torch.engine.errors import RunError
from shared_specs.commands.errors import UsageError


def restored(run):
    """The experiment's module and the recipe of a run folder."""
    path, name = run.asked["topic"], run.asked["recipe"]
    if name not in recipe_names(str(path)):
        raise RunError(f"{run.folder} is a run of {path} {name}, which does not exist here")
    module = module_of(path)
    return module, run.restored_recipe(type(module.RECIPES[name]))


def asked_checkpoint(command):
    """Which weights --best and --step ask for, as load_weights takes them."""
    if command.best and command.step is not None:
        raise UsageError("--best and --step name two checkpoints: leave one of them out")
    if command.step is not None and not 0 <= command.step < 2**63:
        raise UsageError(f"step is {command.step}; it must be between 0 and 2^63 - 1")
    return "best" if command.best else command.step


def opened(run, say, which=None):
    """(experiment with its weights, their step) of a run, without its data; say and which as weights_of takes them."""
    from practice_torch.engine.batches.datasets import Described
    from practice_torch.engine.storage.state import load_weights

    module, recipe = restored(run)
    experiment = module.build(recipe, Described(run.asked["data"]))
    return experiment, load_weights(run, recipe, experiment, say, which)


def tokenizer_of_run(run, recipe, say):
    """The tokenizer of a run that has it from another model; None of one that learned it, or has none."""
    from practice_torch.engine.modality import options_of
    from practice_torch.engine.storage.origin import tokenizer_of

    if not {"from", "imported"} & run.asked.keys() or "tokenizer" not in options_of(recipe.modality) or not run.has_begun():
        return None
    return tokenizer_of(run, opened(run, say)[0])


def same_data(run, recipe, tokenizer=None):
    """The data of a run, loaded again; RunError if it has changed. tokenizer: of a model that the run began from."""
    from practice_torch.engine.batches.datasets import load_data

    if not recipe.data and "imported" in run.asked:
        raise RunError(f"{run.folder} was imported without data: name some with --data FILE")
    data = load_data(recipe, tokenizer)
    here, then = data[0].description, run.asked["data"]
    if any(here.get(fact) != then.get(fact) for fact in ("sha256", "count", "shape")):  # the same files may be cut in other ways
        raise RunError(
            f"{recipe.data} has changed since {run.folder} was trained: {here['count']} examples of shape {here['shape']}, "
            f"sha256 {here['sha256'][:12]}; then {then.get('count')} of {then.get('shape')}, {str(then.get('sha256'))[:12]}"
        )
    return data


def finished(run, recipe, step):
    """Whether weights of this step are those of an ended training: of its last step, or the best of one that stopped early."""
    if "imported" in run.asked or step >= recipe.steps:
        return True
    return bool(recipe.patience and (run.folder / "environment.json").is_file())  # written at the end


def show(run):
    """The evaluation as a table, and whether the target is met."""
    from rich.console import Console
    from rich.table import Table

    evaluation = json.loads((run.folder / "evaluation.json").read_text(encoding="utf-8"))
    print(f"{run.asked['topic']} {run.asked['recipe']}, step {evaluation['step']}")
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("on held-out data" if run.asked["data"] else "metric")
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


def write_page(run, path=None):
    """The report of a run, into its folder or this file; returns its path."""
    from practice_torch.engine.stages import stages_of
    from practice_torch.reports.report import write_report

    module, recipe = restored(run)
    with writing(path or run.folder):
        elsewhere = {"from", "imported"} & run.asked.keys()  # the published result is that of a training from random weights
        published = None if elsewhere else published_of(run.asked["topic"], run.asked["recipe"])
        defaults = module.RECIPES[run.asked["recipe"]].fields()
        return write_report(run.folder, defaults=defaults, published=published, stages=stages_of(recipe), path=path)


@contextlib.contextmanager
def writing(where):
    """Context in which a failed write raises a RunError that names the place."""
    try:
        yield
    except OSError as error:
        raise RunError(f"cannot write into {where}: {error.strerror}") from None
