"""The program that tests/training/test_simulated_gpu.py runs: recipes, small, through the commands on a simulated GPU.

    python -m tests.support.engine.simulated_runs

Each line of its input is a request, {"topic": ..., "name": ..., "recipe": its fields, in small, and what else `commands` takes};
each line of its output, after "ready", the answer, {"failed": {command: error}, "waits": {"operation at line": times},
"steps": ..., "seconds": ...} (of the CPU), with `state_of` the run after its last step. torch is imported once; each request is
run in a process forked from this one, where the GPU is installed. This one computes nothing: where tensors have been computed,
torch's threads do not survive a fork.

A figure is rendered once for each topic, in few pixels: where another recipe of the topic has it, too, it is drawn, but no image
is made of it.
"""

import contextlib
import dataclasses
import gc
import importlib
import io
import json
import os
import re
import signal
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path

import torch
from matplotlib.figure import Figure as Canvas
from PIL import Image

from practice_torch.__main__ import main as command
from practice_torch.commands.options import parse
from practice_torch.commands.training import recipe_with
from practice_torch.engine.artifacts import Figure
from practice_torch.engine.batches.order import Batches
from practice_torch.engine.costs import flops
from practice_torch.engine.costs.environment import commit
from practice_torch.engine.experiment import HasStudy
from practice_torch.engine.loop import Training
from practice_torch.engine.recomputation import blocks_of
from practice_torch.reports import report
from shared_specs.syllabus import load
from tests.support.engine import simulated_gpu, simulated_gpu_mistakes
from tests.support.recipes import module_of, names
from tests.support.small_recipes import few, instead_of_loading

ROOT = simulated_gpu.ROOT
RENDERED = set()  # "topic figure.png"
SAID = []  # lines about compilation
# what a run imports late: here once, instead of in each process
LATE = (
    "matplotlib.backends.backend_agg",
    "matplotlib.pyplot",
    "sklearn.datasets",
    "torch._dynamo",
    "torch.distributed.fsdp",
    "typeguard",
)


def commands(topic, name, recipe, mistake=None, sampling=("--count", "3"), whole=True, interrupted=True, counted=True):
    """Trains, up to the second step if interrupted, and, of a whole run, resumes what was interrupted, samples, studies: which
    command failed how, and what the steps waited for. The operations of a step are counted if they are to be.
    """
    simulated_gpu.install()  # first: autograd asks only once which devices there are
    module = module_of(topic)
    fields = {field: tuple(value) if isinstance(value, list) else value for field, value in recipe.items()}
    module.RECIPES[name] = recipe = dataclasses.replace(module.RECIPES[name], **fields)
    data = few(recipe)
    torch.manual_seed(0)
    if mistake:
        getattr(simulated_gpu_mistakes, mistake)(module)
    waits, failed, known, last = {}, {}, {}, {}
    _watch_the_steps(waits, last, interrupted)
    _count_once(counted)
    _render_once(topic)
    with instead_of_loading(data), tempfile.TemporaryDirectory() as folder:
        run = f"{folder}/run"
        studies = isinstance(module.build(recipe, data[0]), HasStudy)
        stopped = interrupted and recipe.steps > 2
        sequence = [(["train", topic, name, "--run", run], 128 + signal.SIGTERM if stopped else 0)]
        if whole and stopped:
            sequence.append((["train", "--resume", run], 0))
        if whole:
            sequence.append((["sample", run, *sampling], 0))
        if whole and studies:  # without a study it would only repeat what `train` evaluates
            sequence.append((["evaluate", run, "--study"], 0))
        for words, code in sequence:
            if complaint := _complaint(words, code):
                failed[" ".join(word for word in words[:2] if word not in (topic, run))] = complaint
        if (Path(run) / "environment.json").exists():
            known = json.loads((Path(run) / "environment.json").read_text())
    found = {"environment": known, "compiled": simulated_gpu.COMPILED, "settings": _settings(), "said": SAID}
    return found | last | {"failed": failed, "waits": waits, "steps": recipe.steps, "rendered": sorted(RENDERED)}


def _settings():
    return [torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark]


def _watch_the_steps(waits, last, interrupted):
    """Records what a run's steps wait for, but for its first one, which may fill tables, and the state after the last; stops an
    interrupted run after two.
    """
    Batches.AHEAD = 0  # every step gathers its batch
    advance, begun, passes = Training._advance, set(), Counter()

    def watched(self):
        if self not in begun:
            for block in blocks_of(self.experiment):
                leaf = next(part for part in block.modules() if not list(part.children()))
                leaf.register_forward_hook(lambda part, *_: passes.update([part]))
        passes.clear()
        with simulated_gpu.watched() if self in begun else contextlib.nullcontext({}) as seen:
            advance(self)
        waits.update(seen)
        last.update(state_of(self), passes=sorted(set(passes.values())))
        begun.add(self)
        if interrupted and self.step == 2:
            self.stop = signal.SIGTERM

    Training._advance = watched


def state_of(training):
    """Sizes of the parameters; image kernels that are not channels_last; and parameters with another memory order of gradient
    or moments: fused AdamW steps through memory, whatever the strides are.
    """
    named = [(name, parameter, player) for player in training.players for name, parameter in player.parameters.items()]
    apart = set()
    for name, parameter, player in named:
        moments = player.optimizer.state[parameter]  # empty: it plays in a later stage
        others = [moments[slot] for slot in ("exp_avg", "exp_avg_sq") if moments]
        others += [] if parameter.grad is None else [parameter.grad]  # None: of another phase's parameters
        apart |= {name} if any(_order(other) != _order(parameter) for other in others) else set()
    kernels = [(name, parameter) for name, parameter, _ in named if parameter.ndim == 4]
    contiguous = [name for name, kernel in kernels if not kernel.is_contiguous(memory_format=torch.channels_last)]
    sizes = {name: parameter.detach().norm().item() for name, parameter, _ in named}
    return {"sizes": sizes, "contiguous": contiguous, "apart": sorted(apart)}


def _order(tensor):
    """The strides that count: those of an axis of one entry may be anything."""
    return [stride for stride, size in zip(tensor.stride(), tensor.shape, strict=True) if size > 1]


def _count_once(at_all):
    """A run that goes on takes the steps that were counted before; of no operations nothing is written."""
    count, counted = flops.flops_of_step, [] if at_all else [0]

    def once(*step):
        counted[:] = counted or [count(*step)]
        return counted[0]

    flops.flops_of_step = once


def _render_once(topic):
    def saved(self, path):
        figure = f"{topic} {re.sub('[0-9]', '', path.name)}"  # of any step and class
        if figure in RENDERED:
            self.draw(Canvas().subplots())
            Image.new("L", (1, 1)).save(path)  # the report shows it
        else:
            canvas = Canvas(figsize=self.size)  # without the search for a layout
            self.draw(canvas.subplots())
            canvas.savefig(path, format="png", dpi=20)
            RENDERED.add(figure)

    Figure.save = saved


def _complaint(words, code):
    """The fault of a command that should end with this code, in one line; "" if there is none."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            got = command([*words, "--debug"])
    except Exception as error:
        lines = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(ROOT)]
        ours = [frame for frame in lines if not frame.filename.startswith(str(ROOT / "tests"))] or lines
        where = f"{Path(ours[-1].filename).relative_to(ROOT)}:{ours[-1].lineno}"
        return f"{type(error).__name__} at {where}: {' '.join(str(error).split())[:300]}"
    SAID.extend(line for line in said.getvalue().splitlines() if "compiled" in line)
    missing = [line for line in said.getvalue().splitlines() if "warning: no " in line or "are not counted" in line]
    # a preview, a report or a count of operations that failed
    if missing:
        return missing[0][:300]
    return "" if got == code else f"exit code {got} instead of {code}: {' '.join(said.getvalue().split())[-300:]}"


# ---------------------------------------------------------------------------------------------------- requests


def prepare():
    """Work that every process would otherwise repeat."""
    torch.set_num_threads(1)
    for module in LATE:
        importlib.import_module(module)
    for topic, _ in names():
        module_of(topic)
    load(), commit()
    for template in ("report.html.jinja", "parts.html.jinja"):
        report.pages().get_template(template)
    parse(["sample", "RUN"], None), recipe_with("latent/vae", "digits", [])  # tyro reads type hints once
    Figure(lambda axes: axes.set_title("$x$")).save(io.BytesIO())  # reads fonts, and compiles the grammar of formulas
    gc.freeze()  # else the first collection of every process copies all of this one's memory


def answer(request):
    """The answer of a forked process, and its CPU seconds."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receive)
        torch.set_num_threads(1)  # the pool is made anew after a fork: by autograd's threads, if not here, and two at once crash
        try:
            reply = commands(**request)
        except BaseException:
            reply = {"failed": {"set-up": traceback.format_exc()[-2000:]}, "waits": {}}
        with os.fdopen(send, "w") as pipe:
            json.dump(reply, pipe)
        os._exit(0)
    os.close(send)
    with os.fdopen(receive) as pipe:
        reply = pipe.read()
    _, status, usage = os.wait4(child, 0)
    if not reply:
        reply = json.dumps({"failed": {"process": f"ended with status {status}"}, "waits": {}})
    reply = json.loads(reply)
    RENDERED.update(reply.pop("rendered", ()))
    return reply | {"seconds": usage.ru_utime + usage.ru_stime}


if __name__ == "__main__":
    prepare()
    print("ready", flush=True)
    for line in sys.stdin:
        number, request = json.loads(line)
        print(json.dumps([number, answer(request)]), flush=True)
