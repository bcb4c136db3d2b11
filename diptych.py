"""diptych VERB ... : every command of the project under one name; `python -m PACKAGE VERB ...` does the same.

    list                                   the course: lectures, topics, and what is built
    run                                    execute derivations and print them (theory_jax)
    show, check, exercise, grade, export   contracts, for the project and for your code (shared_specs)
    recipes                                what can be trained (practice_torch list)
    prepare                                data larger than memory, once, into a folder (practice_torch)
    train, sample, evaluate, report        models (practice_torch)
    project                                several models of one task, compared in one report (practice_torch)

`diptych VERB --help` explains each; `diptych --version` prints the version.
"""

import sys
from importlib import import_module, metadata

from shared_specs.terminal import forget_output

PACKAGES = {
    "theory_jax": ("run", "mutate"),
    "shared_specs": ("list", "show", "check", "exercise", "grade", "export"),
    "practice_torch": ("recipes", "prepare", "train", "sample", "evaluate", "report", "project"),
}


def main(arguments=None):
    """Returns the exit code of the package that knows the verb."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    verb = words[0] if words else "--help"
    if verb in ("--help", "-h"):
        return _say(__doc__.strip())
    if verb == "--version":
        return _say(f"diptych {metadata.version('diptych')}")
    package = next((name for name, verbs in PACKAGES.items() if verb in verbs), None)
    if package is None:
        verbs = ", ".join(verb for verbs in PACKAGES.values() for verb in verbs)
        print(f"error: there is no command {verb!r}; give one of {verbs}", file=sys.stderr)
        return 2
    words[0] = "list" if verb == "recipes" else verb
    return import_module(f"{package}.__main__").main(words)


def _say(text):
    """Prints the text; a reader that closes the pipe early, such as `head`, is no error."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        forget_output()
    return 0


if __name__ == "__main__":
    sys.exit(main())
