"""python -m demo : draw from the models that come with the package, run every derivation, check the contracts of one topic of
each family, train a model of every modality, and write runs/demo/index.html. --all checks the contracts of every topic.

Each part is one of the project's own commands, run as a user would run it. Exit codes: 0 everything holds, 1 something failed
(the page is written and names it), 2 usage, 128 + n stopped by signal n (the former page is put back).
"""

import argparse
import contextlib
import json
import os
import shlex
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from joblib import cpu_count
from rich.console import Console
from rich.markup import escape

from demo import page
from demo.folder import replaced_folder
from shared_specs.stopping import Stopped, unwinding
from shared_specs.syllabus import load

FOLDER = "runs/demo"
PATIENCE = 10.0  # seconds until a command that ignores a signal is killed


@dataclass(frozen=True)
class Model:
    """A training and its sampling; `changes` shorten the recipe, and set the target that the short run has."""

    kind: str
    topic: str
    recipe: str
    changes: tuple[str, ...] = ()
    sampling: tuple[str, ...] | None = ()

    @property
    def folder(self):
        return f"{FOLDER}/{self.kind}"

    @property
    def parts(self):
        """(title, command): the training, and then the sampling."""
        words = ("--run", self.folder, "--no-compile", *self.changes)  # on a GPU, compiling takes longer than these trainings
        train = ("practice_torch", "train", self.topic, self.recipe, *words)
        yield f"training {self.kind}", train
        if self.sampling is not None:
            yield f"sampling {self.kind}", ("practice_torch", "sample", self.folder, *self.sampling)


# measured at these lengths: 2.35 bits (a table of letter triples needs 2.52), and 4.13 bits (counting levels alone: 7.34)
MODELS = (
    Model("images", "latent/vae", "digits"),
    Model(
        "text",
        "autoregressive/transformer",
        "pydoc",
        ("--steps", "600", "--learning-rate", "0.006", "--evaluate-every", "200", "--target", "2.4"),
        ("--prompt", "The ", "--temperature", "0.7", "--count", "2"),
    ),
    Model(
        "sound",
        "autoregressive/wavenet",
        "notes",
        ("--steps", "400", "--evaluate-every", "100", "--target", "4.2"),
        sampling=None,  # its previews already hold every note
    ),
)


def drawing():
    """(title, command): draws from the trained models that come with the package, for the gallery."""
    return "gallery", ("demo.gallery", f"{FOLDER}/gallery")


def checks(everything):
    """(title, command): each command prints JSON on stdout and its progress on stderr."""
    topics = () if everything else first_of_each_family()
    return (
        ("derivations", ("theory_jax", "run", "--all", "--json", "--jobs", "0")),
        ("contracts", ("shared_specs", "check", *topics, "--json")),
    )


def first_of_each_family():
    """The paths of the topics with contracts that the demo checks: the first built topic of every family, in course order."""
    first = {}
    for topic in load().built:
        first.setdefault(topic.family, topic.path)
    return tuple(first.values())


def main(arguments=None):
    """Returns the exit code."""
    parser = argparse.ArgumentParser("python -m demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="check the contracts of every topic, not of one topic of each family")
    everything = parser.parse_args(arguments).all
    console = Console(stderr=True, highlight=False)
    began = time.perf_counter()
    with unwinding(), replaced_folder(FOLDER) as notes:
        answers, commands = {}, []
        console.print()
        commands.append(_run(console, *drawing(), lambda stream: stream.read())[1])
        for title, words in checks(everything):
            console.print()
            text, command = _run(console, title, words, lambda stream: stream.read())
            commands.append(command)
            with contextlib.suppress(ValueError):
                answers[title] = json.loads(text)
        commands += _train(console, MODELS)
        models = {model.kind: model.folder for model in MODELS}
        seconds = time.perf_counter() - began
        made = page.write(
            FOLDER, answers.get("derivations"), answers.get("contracts"), models, commands, seconds, f"{FOLDER}/gallery"
        )
    for note in notes:
        console.print(note)
    console.print()
    for verdict in made.verdicts:
        console.print(f"[green]✓[/] {verdict.words}" if verdict.passed else f"[bold red]✗ {verdict.words}[/]")
    minutes, seconds = divmod(round(time.perf_counter() - began), 60)
    console.print(f"\n[bold]{made.path}[/] written after {minutes} min {seconds} s: open it in a browser", soft_wrap=True)
    return 0 if all(verdict.passed for verdict in made.verdicts) else 1


def _train(console, models):
    """All models at once, with their output line by line; the commands, model by model.

    Each has its share of the cores: models this small gain little from a second one.
    """
    console.print()
    threads = str(max(1, cpu_count() // len(models)))
    quietly = {"stderr": subprocess.STDOUT, "env": {"OMP_NUM_THREADS": threads, "PYTHONUNBUFFERED": "1"}}
    running, stopped = [], threading.Event()

    def start(*words, **how):
        running.append(process := subprocess.Popen(*words, **how))
        if stopped.is_set():  # since the others were killed
            process.kill()
        return process

    def train(model):
        def tell(stream):
            for line in stream:
                said = line.rstrip().removeprefix(model.kind).lstrip()  # a progress bar begins with the run's name
                console.print(f"[dim]{model.kind:8s}[/]{escape(said)}", soft_wrap=True)

        commands = []
        for part in model.parts:
            commands.append(_run(console, *part, tell, start, **quietly)[1])
            if commands[-1].exit_code:
                break  # there is nothing to draw from
        return commands

    with ThreadPoolExecutor(len(models)) as pool:
        try:
            return [command for chain in pool.map(train, models) for command in chain]
        except BaseException:
            stopped.set()
            for process in running:
                process.kill()
            raise


def _run(console, title, words, listen, start=subprocess.Popen, **how):
    """Run one command; what `listen` made of its output, and what became of it."""
    console.print(f"[bold]{title}[/]  [dim]python -m {escape(shlex.join(words))}[/]", soft_wrap=True)
    began = time.perf_counter()
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "encoding": "utf-8"}
    settings = os.environ | {"PYTHONIOENCODING": "utf-8"} | how.pop("env", {})
    process = start([sys.executable, "-m", *words], env=settings, **pipes, **how)
    try:
        heard = listen(process.stdout)
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        process.terminate()  # it ends its own processes
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
        process.kill()
        process.wait()  # or it would write into the folder that is being put back
        raise
    process.returncode = os.waitstatus_to_exitcode(status)
    # peak memory comes in kilobytes, on macOS in bytes
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    busy = usage.ru_utime + usage.ru_stime
    command = page.Command(title, "python -m " + shlex.join(words), time.perf_counter() - began, busy, peak, process.returncode)
    if command.exit_code != 0:
        console.print(f"[bold red]{title}: exit code {command.exit_code}[/]")
    return heard, command


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Stopped as stop:
        print(f"{stop}; {FOLDER} is as it was before", file=sys.stderr)
        sys.exit(stop.exit_code)
    except OSError as error:
        sys.exit(f"error: {error.filename or FOLDER}: {error.strerror}")
