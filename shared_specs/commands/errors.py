"""The errors of a command line, and the nearest allowed word."""

import difflib
from collections.abc import Collection


class UsageError(Exception):
    """A usage error, reported in one line; the exit code is 2."""


def nearest(word: str, allowed: Collection[str]) -> str:
    """The nearest allowed word, or all of them."""
    close = difflib.get_close_matches(str(word), allowed, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else f"it must be one of {', '.join(allowed)}"
