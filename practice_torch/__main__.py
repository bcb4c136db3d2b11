"""python -m practice_torch list | prepare | train | sample | evaluate | report | project : train, sample and evaluate models.

Exit codes: 0 done, 1 `evaluate` found the target missed, 2 usage, 3 bad data or a bad run folder, 128 + n stopped by signal n
(with everything saved). Errors are one line; --debug shows where they came from.
"""

import sys

from practice_torch.command_line import Evaluate, List, Prepare, Project, Report, Sample, Train, UsageError, parse
from practice_torch.commands.listing import list_recipes
from practice_torch.commands.preparing import prepare
from practice_torch.commands.project import project
from practice_torch.commands.trained_models import evaluate, report, sample
from practice_torch.commands.training import train
from practice_torch.data.errors import DataError
from practice_torch.engine.errors import OptionError, RunError, too_large
from shared_specs.commands.extras import remedy
from shared_specs.stopping import Stopped, unwinding
from shared_specs.terminal import failed_output, forget_output, replace_unwritable


def main(arguments=None):
    """Returns the exit code."""
    replace_unwritable()
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    debug = "--debug" in arguments
    try:
        command, fields = parse(arguments, __doc__)
        with unwinding():
            code = DOES[type(command)](command, *fields)
        sys.stdout.flush()  # a full disk is noticed here, and not when Python ends
        return code
    except (UsageError, OptionError, DataError, RunError) as error:
        if debug:
            raise
        return _fail(error, 2 if isinstance(error, (UsageError, OptionError)) else 3)
    except Stopped as stop:
        print(stop, file=sys.stderr)
        return stop.exit_code
    except BrokenPipeError:  # the reader (`| head`) has seen enough
        forget_output()
        return 1
    except Exception as error:
        if debug:
            raise
        if line := remedy(error):
            return _fail(line, 2)
        if isinstance(error, OSError) and (line := failed_output(error)):
            return _fail(line, 3)
        if complaint := too_large(error):
            return _fail(complaint, 3)
        return _fail(f"internal error {type(error).__name__}: {error}; please report it (--debug shows where)", 1)


def _fail(message, code):
    print(f"error: {' '.join(str(message).split())}", file=sys.stderr)
    return code


# Commands that need a topic: `prepare` for its byte pairs, `evaluate` for the metrics of samples.


def _prepare(command, words):
    from practice_torch.autoregressive.tokenization import BytePairTokenizer

    return prepare(words, byte_pairs=BytePairTokenizer)


def _evaluate(command):
    from practice_torch.experiments.judging.sample_metrics import judge

    return evaluate(command, judge)


DOES = {
    List: list_recipes,
    Prepare: _prepare,
    Train: train,
    Sample: sample,
    Evaluate: _evaluate,
    Report: report,
    Project: project,
}


if __name__ == "__main__":
    sys.exit(main())
