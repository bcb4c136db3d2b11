"""Executing notebooks: every cell in a kernel of its own, with what it prints and shows."""

import tempfile

import nbformat

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
