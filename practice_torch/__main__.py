"""python -m practice_torch list | prepare | train | sample | evaluate | report | judge | project | import | export

Train models, sample and judge them; take in published weights, and give trained ones away.

Exit codes: 0 done, 1 `evaluate` found the target missed, 2 usage, 3 bad data or a bad run folder, 128 + n stopped by signal n
(with everything saved). Errors are one line; --debug shows the traceback.
"""

import sys

from practice_torch.commands.exporting import export
from practice_torch.commands.importing import import_weights
from practice_torch.commands.judge import judge
from practice_torch.commands.listing import list_recipes
from practice_torch.commands.options import COMMANDS, parse
from practice_torch.commands.preparing import prepare
from practice_torch.commands.project import project
from practice_torch.commands.trained_models import evaluate, report, sample
from practice_torch.commands.training import train
from practice_torch.data.errors import DataError
from practice_torch.engine.errors import OptionError, RunError, too_large
from shared_specs.commands.program import BAD_DATA, USAGE, exit_code


def main(arguments=None):
    """Returns the exit code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    return exit_code(lambda: _run(words), words, _known)


def _run(words):
    command, more = parse(words, __doc__)
    return DOES[type(command)](command, *more)


def _known(error):
    if isinstance(error, OptionError):
        return USAGE, str(error)
    if isinstance(error, DataError | RunError):
        return BAD_DATA, str(error)
    return (BAD_DATA, line) if (line := too_large(error)) else None


# Commands that need a topic: `prepare` for its byte pairs, `evaluate` for the metrics of samples; and `sample`, for completions.


def _prepare(command, words):
    from practice_torch.autoregressive.tokenization import BytePairTokenizer

    return prepare(words, byte_pairs=BytePairTokenizer)


def _sample(command, words):
    def completer(experiment, stop):
        from practice_torch.experiments.language.prompted import TextCompleter

        return TextCompleter(experiment, stop)

    return sample(command, words, completer)


def _evaluate(command):
    from practice_torch.experiments.judging import published_samples
    from practice_torch.experiments.judging.sample_metrics import judge

    return evaluate(command, judge, published_samples)


RUNS = {
    "list": list_recipes,
    "prepare": _prepare,
    "train": train,
    "sample": _sample,
    "evaluate": _evaluate,
    "report": report,
    "judge": judge,
    "project": project,
    "import": import_weights,
    "export": export,
}
DOES = {COMMANDS[name]: run for name, run in RUNS.items()}


if __name__ == "__main__":
    sys.exit(main())
