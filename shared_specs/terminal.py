"""Output on a terminal, in a file and in a pipe."""

import errno
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_UNBOUNDED = 100_000  # columns of text


def replace_unwritable() -> None:
    """stdout writes a question mark for a character that its encoding lacks (as of a Latin-1 locale), instead of failing."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")


def print_table(table: "Table", console: "Console | None" = None) -> None:
    """Print a table without truncating its no_wrap columns: a terminal that is too narrow wraps the lines.

    A file or a pipe has no width: there, nothing is wrapped either.
    """
    from rich.console import Console
    from rich.measure import Measurement

    console = console or Console(highlight=False)
    before, console.width = console.width, _UNBOUNDED
    for column in table.columns:
        if column.no_wrap:
            cells = (column.header, *column.cells)
            column.min_width = max(Measurement.get(console, console.options, cell).maximum for cell in cells)
    needed = Measurement.get(console, console.options, table)
    console.width = max(before, needed.minimum) if console.is_terminal else needed.maximum
    console.print(table)
    console.width = before


def forget_output() -> None:
    """Drop the rest of stdout's buffer, which cannot be written: Python would report it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def failed_output(error: OSError) -> str:
    """Why stdout could not be written, in one line; empty for an error about a file. What is left in its buffer is dropped."""
    if error.filename is not None or error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
        return ""
    forget_output()
    return f"{error.strerror} (standard output)"
