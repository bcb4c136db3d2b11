"""python -m practice_torch sample | evaluate | report: samples of a trained model, its metrics, and a page about it."""

import dataclasses
import sys
from pathlib import Path
from shlex import quote

from practice_torch.commands.drawing import drawer, sampling_autocast
from practice_torch.commands.judge import show as show_session
from practice_torch.commands.judging.session import Session, is_session
from practice_torch.commands.options import PROGRAM, changed
from practice_torch.commands.prompt_files import require_options, write_completions
from practice_torch.commands.run_folder import (
    asked_checkpoint,
    finished,
    restored,
    same_data,
    show,
    tokenizer_of_run,
    write_page,
    writing,
)
from practice_torch.engine.errors import RunError
from shared_specs.commands.errors import UsageError
from shared_specs.commands.parsing import flags, parsed, unknown_argument

FEWEST_SAMPLES = 20  # of which distances and their intervals are still estimated
_PUBLISHED = ("against", "clean", "float32")  # options of --inception


def sample(command, words, completer):
    """The command; returns the exit code. completer(experiment, stop): what completes prompts."""
    if not 1 <= command.count < 2**63:
        raise UsageError(f"count is {command.count}; it must be at least 1, and less than 2^63")
    if command.seed is not None and not 0 <= command.seed < 2**63:
        raise UsageError(f"seed is {command.seed}; it must be between 0 and 2^63 - 1")
    if not 1 <= command.batch < 2**31:
        raise UsageError(f"batch is {command.batch}; it must be at least 1, and less than 2^31")
    if command.prompts:
        require_options(command)
    elif command.chat or command.stop or command.completions != 1:
        raise UsageError("--chat, --stop and --completions are of prompts: also give --prompts FILE")
    if command.format and not command.out:
        raise UsageError("--format is of the files of --out: also give --out DIR")
    which = asked_checkpoint(command)
    from practice_torch.commands.loading.examples import own_folder
    from practice_torch.engine.storage.run import Run, save_artifacts

    run = Run.open(own_folder(command.run))

    def prepare(experiment):
        _set_sampling(experiment, command, words, run.asked["topic"])

    say = lambda line: print(f"warning: {line}", file=sys.stderr)  # noqa: E731
    seed = run.asked["fields"]["seed"] if command.seed is None else command.seed
    with drawer(run, command.seed, command.cpu, say, prepare, which, command.float32) as (experiment, step):
        if command.prompts:
            asked = _asked(run, command, words, seed, step) | {"completions": command.completions, "chat": command.chat}
            asked |= {"stop": list(command.stop), "device": experiment.generator.device.type}
            return write_completions(run, completer(experiment, command.stop), command, asked)
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
    from practice_torch.engine.distributed.processes import Processes

    asked = _asked(run, command, words, seed, step) | {"count": command.count, "batch": command.batch}
    asked |= {"device": experiment.generator.device.type} | ({"format": command.format} if command.format else {})
    processes = Processes(command.cpu)
    drawn = sum(processes.all_gather(write_samples(experiment, Path(command.out), asked, processes)))
    if processes.first:
        print(f"{command.out}: {command.count} samples" + ("" if drawn == command.count else f", {drawn} of them drawn now"))
    return 0


def _asked(run, command, words, seed, step):
    """What samples depend on, whatever they are."""
    asked = {name: run.asked[name] for name in ("topic", "recipe", "fields")} | {"step": step}
    return asked | {"seed": seed, "options": list(words), "float32": command.float32}


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


def evaluate(command, judge, published):
    """The command; returns the exit code.

    judge(training, step, count): metrics of samples, where they are requested. published: experiments/judging/published_samples,
    for those by Inception's features.
    """
    from practice_torch.commands.loading.examples import own_folder
    from practice_torch.commands.sample_files import step_of
    from practice_torch.engine.batches.datasets import load_data
    from practice_torch.engine.distributed.processes import Processes
    from practice_torch.engine.experiment import HasStudy
    from practice_torch.engine.loop import Training
    from practice_torch.engine.storage.run import Run
    from practice_torch.engine.storage.state import load_weights, verdict

    count, which = _samples_to_judge(command), asked_checkpoint(command)
    run, processes = Run.open(own_folder(command.run)), Processes(command.cpu)
    module, recipe = restored(run)
    tokenizer = tokenizer_of_run(run, recipe, lambda line: None)  # what is damaged is said below
    if command.data is not None:
        recipe = _measured_on(run, recipe, command.data)
        data = processes.rank_zero_first(lambda: load_data(recipe, tokenizer))
    else:
        data = processes.rank_zero_first(lambda: same_data(run, recipe, tokenizer))
    experiment = module.build(recipe, data[0])
    if command.study and not isinstance(experiment, HasStudy):
        raise UsageError(f"{run.asked['topic']} has no study: leave --study out")
    first = processes.first  # only rank 0 prints and writes
    say = lambda line: first and print(line, file=sys.stderr)  # noqa: E731
    step = load_weights(run, recipe, experiment, lambda line: say(f"warning: {line}"), which)
    if command.samples and which is None and not finished(run, recipe, step):
        mend = f"finish it with `train --resume {quote(str(run.folder))}`, or leave --samples out"
        raise RunError(f"{run.folder} is unfinished, at step {step} of {recipe.steps}: {mend}")
    if command.inception:
        compared = command.inception, command.against or "train", data, None if count else command.samples
        protocol = published.published_protocol(*compared, processes, say, clean=command.clean)
    training = Training(run, recipe, experiment, *data, cpu=command.cpu)
    metrics = training.evaluate()
    found = verdict(recipe, metrics, step, experiment.explains) | ({} if command.data is None else {"data": command.data})
    reached = processes.broadcast(lambda: _write_evaluation(run, found))
    if command.inception:
        folder = _drawn_by(training, run, step, count, command.float32) if count else Path(command.samples)
        of_files = step if count else step_of(folder)
        found = published.judge_as_published(protocol, folder, of_files, processes, recipe.seed, say)
        processes.broadcast(lambda: _show_published(run, found))
    elif count:
        found = judge(training, step, count)
        processes.broadcast(lambda: _judge_samples(run, found, count))
    if command.study:
        artifacts = training.study()
        processes.broadcast(lambda: _write_study(run, artifacts))
    if first and (command.samples or command.study):
        write_page(run)
    return 1 if first and reached is False else 0  # a launcher stops the others if one of them fails


def _measured_on(run, recipe, data):
    """The recipe of an imported run with the data that --data names."""
    if "imported" not in run.asked:
        raise UsageError(f"{run.folder} was trained on {recipe.data!r}, of which a part is held out: leave --data out")
    return dataclasses.replace(recipe, data=data)


def _samples_to_judge(command):
    """The number of --samples; None if there is none, or it names a folder."""
    if command.samples is None:
        if option := next((name for name in ("inception", *_PUBLISHED) if getattr(command, name)), None):
            raise UsageError(f"--{option} is for judging samples: also give --samples")
        return None
    if not command.inception and (option := next((name for name in _PUBLISHED if getattr(command, name)), None)):
        raise UsageError(f"--{option} is for the published metrics, by Inception's features: also give --inception FILE")
    if command.samples.removeprefix("-").isdecimal():
        if int(command.samples) < FEWEST_SAMPLES:
            raise UsageError(f"samples is {command.samples}; it must be at least {FEWEST_SAMPLES}")
        return int(command.samples)
    if not Path(command.samples).is_dir():
        raise UsageError(f"samples is {command.samples!r}; it must be a number, at least {FEWEST_SAMPLES}, or a folder of images")
    if not command.inception:
        raise UsageError("a folder of samples is judged by Inception's features: also give --inception FILE")
    return None


def _drawn_by(training, run, step, count, float32):
    """A folder of the run with so many samples, a file each; what a stopped command left there is not drawn again."""
    from practice_torch.commands.sample_files import BATCH, write_samples
    from practice_torch.engine import evaluation
    from practice_torch.engine.distributed.evaluation_shares import ALONE
    from practice_torch.engine.experiment import HasShares

    folder = run.folder / "samples" / f"judged-step{step}-{count}"
    asked = {"count": count, "batch": BATCH, "seed": training.recipe.seed, "step": step, "float32": float32}
    processes, experiment = training.processes, training.experiment

    def draw():
        if isinstance(experiment, HasShares):
            experiment.shares = ALONE  # a process has batches of its own
        with sampling_autocast(training.recipe, experiment.generator.device, float32):
            return write_samples(experiment, folder, asked, processes)

    if training.sharded:
        raise RunError("a sharded model is judged from files: `sample RUN --count N --out DIR`, then `evaluate --samples DIR`")
    evaluation.call_on_ranks(training, "samples", draw, by_all=True)
    return folder


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


def _judge_samples(run, found, asked):
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
    if found["samples"] < asked:
        print(f"{found['samples']} of {asked} samples are compared, the most this metric takes; --inception FILE compares all")
    print("intervals of 95% for this number of samples: distances of few samples, also of real data, are too large on average")
    print(f"compared: {found['features']}; {run.folder / 'sample_metrics.json'}")


def _show_published(run, found):
    """Metrics by Inception's features, as a file of the run and as a table."""
    from rich.table import Table

    from shared_specs.terminal import print_table

    with writing(run.folder):
        run.write_json("published_metrics.json", found)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("", f"{found['samples']:,} samples", ""):
        table.add_column(column, no_wrap=True)
    for name, metric in found["metrics"].items():
        deviation = f"[dim]deviation {metric['deviation']:.2g}[/]" if "deviation" in metric else ""
        table.add_row(name, f"{metric['value']:.5g}", deviation)
    print_table(table)
    print(f"samples: {found['folder']}" + ("" if found["step"] is None else f", step {found['step']}"))
    print(f"compared with {found['against']}, by {found['features']}; {run.folder / 'published_metrics.json'}")


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
