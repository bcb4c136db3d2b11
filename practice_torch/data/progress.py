"""Progress through an amount of bytes: a bar in a terminal, otherwise a line every few seconds; on standard error."""

import sys
import time

IN_LOG = 5.0  # seconds between lines


class Amount:
    """Context manager: call its value with the bytes done since the last call; `already`: bytes done before."""

    def __init__(self, title, total, already=0):
        self.title, self.total, self.done, self.already, self.bar = title, total, already, already, None

    def __enter__(self):
        self.started = self.shown = time.perf_counter()
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

            columns = BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
            self.bar = Progress(TextColumn("{task.description}"), *columns, console=Console(stderr=True), transient=True)
            self.bar.start()
            self.task = self.bar.add_task(self.title, total=self.total, completed=self.already)
        return self

    def __call__(self, count):
        self.done += count
        if self.bar:
            self.bar.update(self.task, completed=self.done)
        elif time.perf_counter() - self.shown >= IN_LOG:
            self.shown = time.perf_counter()
            speed = (self.done - self.already) / (self.shown - self.started)
            left = round((self.total - self.done) / speed) if speed else 0
            amounts = f"{self.done / 1e6:.0f} of {self.total / 1e6:.0f} MB  {speed / 1e6:.1f} MB/s"
            print(f"{self.title}  {amounts}  {left // 60}:{left % 60:02d} left", file=sys.stderr, flush=True)

    def __exit__(self, *_):
        if self.bar:
            self.bar.stop()
