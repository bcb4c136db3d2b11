"""Run a command: its exit code, and its errors in one line each on stderr."""

import sys
from collections.abc import Callable, Sequence

from shared_specs.commands.errors import UsageError
from shared_specs.commands.extras import remedy
from shared_specs.stopping import Stopped, unwinding
from shared_specs.terminal import failed_output, forget_output, replace_unwritable

USAGE, BAD_DATA, INTERNAL = 2, 3, 1  # exit codes of errors


def exit_code(
    run: Callable[[], int], arguments: Sequence[str], known: Callable[[Exception], tuple[int, str] | None] = lambda error: None
) -> int:
    """The result of `run`, or the exit code of its error. With --debug among the arguments, the error is raised.

    known(error): the exit code and the line of the program's own errors; None for any other.
    """
    replace_unwritable()
    try:
        with unwinding():
            code = run()
        sys.stdout.flush()  # a full disk is noticed here, and not when Python ends
        return code
    except Stopped as stop:
        print(stop, file=sys.stderr)
        return stop.exit_code
    except BrokenPipeError:  # the reader of stdout (`| head`) has ended
        forget_output()
        return 1
    except Exception as error:
        if "--debug" in arguments:
            raise
        code, message = (USAGE, str(error)) if isinstance(error, UsageError) else known(error) or _line(error)
        print(f"error: {' '.join(message.split())}", file=sys.stderr)
        return code


def _line(error):
    """The exit code and the line of an error that any program may meet."""
    if line := remedy(error):
        return USAGE, line
    if isinstance(error, OSError):
        file = f": {error.filename}" if error.filename else ""
        return BAD_DATA, failed_output(error) or f"{error.strerror or error}{file}"
    return INTERNAL, f"internal error {type(error).__name__}: {error}; please report it (--debug shows where)"
