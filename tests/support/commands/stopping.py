"""Commands that only wait, for test_stopping.py: `python -m tests.support.commands.stopping NAME FIFO [FOLDER]`.

Every process that waits writes a line to the named pipe and keeps it open. Its reader sees how many processes have begun, and the
end of the pipe when the last one has ended, however that happened.
"""

import signal
import sys
import time
from functools import partial
from types import SimpleNamespace

SECONDS = 100  # no one waits so long, unless a process is left behind


def wait(fifo, *_, **__):
    """The work of one process."""
    with open(fifo, "w") as pipe:
        print("begun", file=pipe, flush=True)
        time.sleep(SECONDS)


def lectures(fifo):
    from theory_jax import __main__
    from theory_jax.pages import records

    records._record = partial(wait, fifo)
    words = ["--json", "--jobs", "2", "--compiled"]  # without --compiled each process imports JAX
    return __main__.main(["run", "jensen", "maximum_likelihood", "latent/elbo", *words])


def contracts(fifo):
    from shared_specs import __main__
    from shared_specs.checking import wings

    wings.check_wings, wings._alone_on_a_core = partial(wait, fifo), None
    return __main__.main(["check", "jensen", "maximum_likelihood", "latent/elbo", "--jobs", "2"])


def demo(fifo, folder, of):
    """Stopped in the derivations, which have their own processes, or in the trainings."""
    from demo import __main__

    __main__.FOLDER = folder
    lectures = ("derivations", ("tests.support.commands.stopping", "lectures", fifo))
    model = SimpleNamespace(kind="images", folder=folder, parts=[("training", ("tests.support.commands.stopping", "wait", fifo))])
    __main__.checks = lambda everything: [lectures] if of == "derivations" else []
    __main__.MODELS = [model, model]
    try:
        return __main__.main([])
    except __main__.Stopped as stop:
        print(stop, file=sys.stderr)
        return stop.exit_code


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGHUP):  # which a shell's background processes, or nohup, ignore
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    sys.exit(globals()[sys.argv[1]](*sys.argv[2:]))
