"""diptych VERB ... : every command of the project under one name; `python -m PACKAGE VERB ...` does the same.

    list                                   the course: lectures, topics, and what is built
    run                                    execute derivations and print them (theory_jax)
    show, check, exercise, grade, export   contracts, for the project and for your code (shared_specs)
    schedule, exam                         a course in weeks (shared_specs), and an exam from its exercises (theory_jax)
    train-jax                              small trainings in JAX (theory_jax train)
    recipes                                trainable recipes (practice_torch list)
    prepare                                data larger than memory, once, into a folder (practice_torch)
    train, sample, evaluate, report        models (practice_torch)
    import, export-model                   published weights as a run, and a run in their layout (practice_torch import, export)
    judge                                  people compare samples of models, blind (practice_torch)
    project                                several models of one task, compared in one report (practice_torch)

`diptych VERB --help` explains each; `diptych --version` prints the version.
"""

import sys
from importlib import import_module, metadata

from shared_specs.commands.errors import UsageError, nearest
from shared_specs.commands.program import exit_code

PACKAGES = {
    "theory_jax": ("run", "exam", "mutate", "train-jax"),
    "shared_specs": ("list", "show", "check", "exercise", "grade", "export", "schedule"),
    "practice_torch": (
        "recipes",
        "prepare",
        "train",
        "sample",
        "evaluate",
        "report",
        "import",
        "export-model",
        "judge",
        "project",
    ),
}

RENAMED = {"recipes": "list", "train-jax": "train", "export-model": "export"}  # verbs that several packages have


def main(arguments=None):
    """Returns the exit code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    return exit_code(lambda: _run(words), words)


def _run(words):
    verb = words[0] if words else "--help"
    if verb in ("--help", "-h"):
        print(__doc__.strip())
        return 0
    if verb == "--version":
        print(f"diptych {metadata.version('diptych')}")
        return 0
    package = next((name for name, verbs in PACKAGES.items() if verb in verbs), None)
    if package is None:
        known = [verb for verbs in PACKAGES.values() for verb in verbs]
        raise UsageError(f"unknown command {verb!r}; {nearest(verb, known)}; see --help")
    return import_module(f"{package}.__main__").main([RENAMED.get(verb, verb), *words[1:]])


if __name__ == "__main__":
    sys.exit(main())
