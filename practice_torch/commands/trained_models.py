"""python -m practice_torch sample | evaluate | report: samples of a trained model, its metrics, and a page about it."""

import sys
from pathlib import Path
from shlex import quote

from practice_torch.commands.drawing import drawer
from practice_torch.commands.judge import show as show_session
from practice_torch.commands.judging.session import Session, is_session
from practice_torch.commands.options import PROGRAM, changed
from practice_torch.commands.run_folder import finished, restored, same_data, show, write_page, writing
from practice_torch.engine.errors import RunError
from shared_specs.commands.errors import UsageError
from shared_specs.commands.parsing import flags, parsed, unknown_argument

FEWEST_SAMPLES = 20  # of which distances and their intervals are still estimated


def sample(command, words):
    """The command; returns the exit code."""
    if not 1 <= command.count < 2**63:
        raise UsageError(f"count is {command.count}; it must be at least 1, and less than 2^63")
    if command.seed is not None and not 0 <= command.seed < 2**63:
        raise UsageError(f"seed is {command.seed}; it must be between 0 and 2^63 - 1")
    if not 1 <= command.batch < 2**31:
        raise UsageError(f"batch is {command.batch}; it must be at least 1, and less than 2^31")
    which = _which(command)
    from practice_torch.engine.storage.run import Run, save_artifacts

    run = Run.open(command.run)

    def prepare(experiment):
        _set_sampling(experiment, command, words, run.asked["topic"])

    say = lambda line: print(f"warning: {line}", file=sys.stderr)  # noqa: E731
    seed = run.asked["fields"]["seed"] if command.seed is None else command.seed
    with drawer(run, command.seed, command.cpu, say, prepare, which, command.float32) as (experiment, step):
        if command.out:
            return _write_each(run, experiment, command, words, seed, step)
        artifacts = experiment.sample(command.count)
    folder = run.folder / "samples"
    try:
        for path in save_artifacts(artifacts, folder, prefix=f"seed{seed}-"):
            print(path)
            if path.suffix == ".txt":
                print(for_terminal(path), end="")
    except OSError as error:
        raise RunError(f"cannot write into {folder}: {error.strerror}") from None
    return 0


def _write_each(run, experiment, command, words, seed, step):
    """Files of --out; returns the exit code."""
    from practice_torch.commands.sample_files import write_samples

    asked = {name: run.asked[name] for name in ("topic", "recipe", "fields")} | {"step": step, "count": command.count}
    asked |= {"batch": command.batch, "seed": seed, "options": list(words), "float32": command.float32}
    asked |= {"device": experiment.generator.device.type}
    drawn = write_samples(experiment, Path(command.out), asked)
    print(f"{command.out}: {command.count} samples" + ("" if drawn == command.count else f", {drawn} of them drawn now"))
    return 0


def _which(command):
    """The weights that a command asks for, as load_weights takes them."""
    if command.best and command.step is not None:
        raise UsageError("--best and --step name two checkpoints: leave one of them out")
    if command.step is not None and not 0 <= command.step < 2**63:
        raise UsageError(f"step is {command.step}; it must be between 0 and 2^63 - 1")
    return "best" if command.best else command.step


def for_terminal(path):
    """A text as a terminal can show it: a model of bytes may draw what would move the cursor, or what cannot be written there."""
    text, encoding = path.read_text(encoding="utf-8"), sys.stdout.encoding or "utf-8"
    text = "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return text.encode(encoding, "replace").decode(encoding)


def _set_sampling(experiment, command, words, path):
    """The experiment's sampling as the words of the command line want it."""
    from practice_torch.engine.experiment import HasSampling

    program, own = f"{PROGRAM} sample {command.run}", ", ".join(flags(type(command)))
    if isinstance(experiment, HasSampling):
        about = f"{type(experiment.sampling).__doc__} Next to these options there are {own}."
        experiment.sampling = changed(experiment.sampling, words, f"{path} sampling", program, description=about)
    elif words == ["--help"]:
        parsed(type(command), words, program)
    elif words:
        raise unknown_argument(words[0], f"sample (and {path} has no further options)", flags(type(command)))


def evaluate(command, judge):
    """The command; returns the exit code. judge(training, step, count, weights): of samples, where they are requested."""
    from practice_torch.engine.distributed.processes import Processes
    from practice_torch.engine.experiment import HasStudy
    from practice_torch.engine.loop import Training
    from practice_torch.engine.storage.run import Run
    from practice_torch.engine.storage.state import load_weights, verdict

    if command.samples is not None and command.samples < FEWEST_SAMPLES:
        raise UsageError(f"samples is {command.samples}; it must be at least {FEWEST_SAMPLES}")
    if command.inception and command.samples is None:
        raise UsageError("--inception is for judging samples: also give --samples")
    which = _which(command)
    run, processes = Run.open(command.run), Processes(command.cpu)
    module, recipe = restored(run)
    data = processes.rank_zero_first(lambda: same_data(run, recipe))
    experiment = module.build(recipe, data[0])
    if command.study and not isinstance(experiment, HasStudy):
        raise UsageError(f"{run.asked['topic']} has no study: leave --study out")
    first = processes.first  # only rank 0 prints and writes
    say = lambda line: first and print(f"warning: {line}", file=sys.stderr)  # noqa: E731
    step = load_weights(run, recipe, experiment, say, which)
    if command.samples and which is None and not finished(run, recipe, step):
        mend = f"finish it with `train --resume {quote(str(run.folder))}`, or leave --samples out"
        raise RunError(f"{run.folder} is unfinished, at step {step} of {recipe.steps}: {mend}")
    training = Training(run, recipe, experiment, *data, cpu=command.cpu)
    metrics = training.evaluate()
    reached = processes.broadcast(lambda: _write_evaluation(run, verdict(recipe, metrics, step, experiment.explains)))
    if command.samples:
        found = judge(training, step, command.samples, command.inception)
        processes.broadcast(lambda: _judge_samples(run, found))
    if command.study:
        artifacts = training.study()
        processes.broadcast(lambda: _write_study(run, artifacts))
    if first and (command.samples or command.study):
        write_page(run)
    return 1 if first and reached is False else 0  # a launcher stops the others if one of them fails


def _write_evaluation(run, found):
    """A file of the run, and a table; returns whether the target is met."""
    with writing(run.folder):
        run.write_json("evaluation.json", found)
    return show(run)


def _write_study(run, artifacts):
    """Files of the run."""
    from practice_torch.engine.storage.run import save_artifacts

    with writing(run.folder):
        paths = save_artifacts(artifacts, run.folder / "study")
    for path in paths:
        print(for_terminal(path) if path.suffix == ".txt" else path)


def _judge_samples(run, found):
    """Metrics of samples, as a file of the run and as a table."""
    from rich.table import Table

    from shared_specs.terminal import print_table

    with writing(run.folder):
        run.write_json("sample_metrics.json", found)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("", f"{found['samples']} samples", "baseline", "real data"):
        table.add_column(column, no_wrap=True)
    for name, metric in found["metrics"].items():
        table.add_row(name, *(_spoken(metric.get(kind)) for kind in ("samples", "baseline", "real")))
    print_table(table)
    print("intervals of 95% for this number of samples: distances of few samples, also of real data, are too large on average")
    print(f"compared: {found['features']}; {run.folder / 'sample_metrics.json'}")


def _spoken(estimate):
    """A value and its interval, in as many digits: with fewer, the ends can pass the value."""
    return "{value:.3g}\n[dim]{low:.3g} to {high:.3g}[/]".format(**estimate) if estimate else "-"


def report(command):
    """The command; returns the exit code."""
    from practice_torch.engine.storage.run import Run
    from practice_torch.reports.comparison import write_comparison

    if not command.runs:
        raise UsageError("report takes RUN, the folder of a run, or several to compare")
    if len(command.runs) == 1 and is_session(command.runs[0]):
        return show_session(Session.open(command.runs[0]))
    first = Run.open(command.runs[0])
    if len(command.runs) == 1:
        print(write_page(first, command.out))
        return 0
    path = Path(command.out or first.folder.absolute().parent / "comparison.html")
    with writing(path):
        print(write_comparison(command.runs, path))
    return 0
