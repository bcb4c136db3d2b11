"""Files of notebooks, and their execution: every cell, in a kernel of its own, with what it prints and shows."""

import tempfile
import time

import nbformat

from notebooks.topic import notebook

SECONDS = 1200  # of one cell


def executed(made, *, short, kernel="python3"):
    """The notebook's errors, a line each, after it was executed in an empty folder; its outputs are in its cells.

    short: its training takes three steps.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    for cell in made.cells if short else ():
        cell.source = cell.metadata.get("short", cell.source)
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(made, timeout=SECONDS, kernel_name=kernel, resources={"metadata": {"path": folder}})
        try:
            client.execute()
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            return [str(error).strip().splitlines()[-1]]
    return [words for cell in made.cells if cell.cell_type == "code" for words in refused(cell)]


def refused(cell):
    """What a cell says of lines that do not hold, and of functions that fail: without an error it may do both."""
    for output in cell.get("outputs", ()):
        text = output.get("data", {}).get("text/plain", "")
        yield from (line for line in text.splitlines() if line.startswith("✗"))


def save(made, path):
    """Write a notebook."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(nbformat.writes(made), encoding="utf-8")


def write(path, folder):
    """Write both notebooks of a topic; returns what to print."""
    for solved in (False, True):
        save(notebook(path, solved=solved), _place(folder, path, solved))
    return path, []


def write_and_execute(path, folder):
    """The same, and execute both, with their outputs in the files; returns what to print, and the errors."""
    errors, began = [], time.perf_counter()
    for solved in (False, True):
        made = notebook(path, solved=solved)
        errors += [f"{_place(folder, path, solved)}: {line}" for line in executed(made, short=True)]
        save(made, _place(folder, path, solved))
    return f"{path}: {time.perf_counter() - began:.0f} s", errors


def _place(folder, path, solved):
    return folder / f"{path}{'_solutions' if solved else ''}.ipynb"
