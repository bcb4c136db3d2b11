"""Progress of a run: a bar in a terminal, otherwise a line every few seconds."""

import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

IN_TERMINAL, IN_LOG = 0.5, 5.0  # seconds between updates


class Bar:
    """Steps done, steps per second, time left and loss. `due` is cheap: it is called in every step."""

    def __init__(self, title: str, total: int, done: int, console: Console | None = None, quiet: bool = False) -> None:
        self.title, self.total, self.first, self.quiet = title, total, done, quiet
        self.console = console or Console(stderr=True)
        self.live = self.console.is_terminal and not quiet
        self.started = self.shown = time.perf_counter()
        self.rest = IN_TERMINAL if self.live else IN_LOG
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            console=self.console,
            auto_refresh=False,
            disable=not self.live,
        )  # fmt: skip  (a refreshing thread would compete with the training for the interpreter)
        self.task = self.progress.add_task(title, total=total, completed=done, rate="")

    def __enter__(self):
        self.progress.start()
        return self

    def __exit__(self, *_):
        self.progress.stop()

    def due(self) -> bool:
        """Whether the display should be updated."""
        return not self.quiet and time.perf_counter() - self.shown >= self.rest

    def show(self, step: int, loss: float, throughput: str = "", stage: str = "") -> None:
        """Show the current step, its stage if the training has stages, the loss, and what else is known of the speed."""
        self.shown = time.perf_counter()
        rate = (step - self.first) / max(self.shown - self.started, 1e-9)
        left = (self.total - step) / rate if rate else 0.0
        stage = stage and f"stage {stage}"
        words = "  ".join(filter(None, (stage, f"{rate:.3g} steps/s", throughput, f"{_clock(left)} left", f"loss {loss:.5g}")))
        if self.live:
            self.progress.update(self.task, completed=step, rate=words)
            self.progress.refresh()
        else:
            print(f"{self.title}  step {step}/{self.total}  {words}", file=sys.stderr, flush=True)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        if self.quiet:
            return
        if self.live:
            self.progress.console.print(line, markup=False, highlight=False)
        else:
            print(line, file=sys.stderr, flush=True)


def _clock(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
