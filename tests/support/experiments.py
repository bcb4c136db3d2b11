"""Properties of every experiment, as checks of a `Case`, which tests/training/test_experiments.py runs on all recipes.

Previews and studies are written to files in tests/training/test_simulated_gpu.py, which takes every recipe through the commands.
"""

import copy
import dataclasses
import itertools
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from unittest.mock import MagicMock, NonCallableMagicMock

import numpy as np
import torch

from practice_torch.engine.artifacts import Artifact, Figure
from practice_torch.engine.batches.datasets import Described
from practice_torch.engine.bounds import Bounded
from practice_torch.engine.distributed.evaluation_shares import Shares
from practice_torch.engine.evaluation import Share, means
from practice_torch.engine.experiment import (
    HasEvaluationWeight,
    HasRemarks,
    HasSampling,
    HasShares,
    Metric,
    Phase,
    phase_parameters,
    require_experiment,
)
from practice_torch.engine.loop import Training
from practice_torch.engine.recipe import Recipe
from practice_torch.engine.stages import enter, stages_of
from practice_torch.engine.storage import snapshot
from tests.support.small_recipes import playing_in_each_stage

COUNT = 6  # samples: of the smallest model two could be equal by chance
LONG = 24  # steps of the longest training that is interrupted


@dataclass
class Case:
    """An experiment in small: what builds it, its recipe, and (train, held-out) data; whether its samples are drawn at random."""

    build: Callable
    recipe: Recipe
    data: tuple
    draws: bool = True

    @property
    def described(self):
        """The data for `build` without the data set: the description, read from a run folder."""
        return Described(json.loads(json.dumps(self.data[0].description)))

    def training(self, data, seed):
        """A run that has not begun; the data are what `build` is given."""
        torch.manual_seed(seed)
        recipe = dataclasses.replace(self.recipe, precision="float32")  # a process has one precision
        run = SimpleNamespace(checkpoints="", asked={})
        return Training(run, recipe, self.build(recipe, data), *self.data, cpu=True)

    def state_at(self, steps, saved=None):
        """{step: the state of a run after so many steps}, from its beginning or from a saved (step, state)."""
        training = self.training(self.data[0] if saved is None else self.described, seed=0 if saved is None else 1)
        if saved:
            training.step, state = saved
            snapshot.put_back(training, state, training.step)
        found = {}
        while training.step < self.recipe.steps:
            training._advance()
            if training.step in steps:
                found[training.step] = snapshot.collect(training)[0]
        return found

    @cached_property
    def resumed(self):
        """(the trained experiment, the state of its run at the last step, that of a run which resumes one step before).

        The resumed run is of another process: it begins with other weights, and without the data.
        """
        straight, other = self.training(self.data[0], seed=0), self.training(self.described, seed=1)
        while straight.step < self.recipe.steps - 1:
            straight._advance()
        saved, other.step = snapshot.collect(straight)[0], straight.step
        straight._advance()
        ended = snapshot.collect(straight)[0]
        snapshot.put_back(other, saved, other.step)
        other._advance()
        return straight.experiment, ended, snapshot.collect(other)[0]

    @property
    def trained(self):
        return self.resumed[0]

    def look(self, what, *arguments, experiment=None, seed=0):
        """The result of a method of the trained experiment (or of this one) in evaluation, with the draws of a seed."""
        experiment = experiment or self.trained
        experiment.generator = torch.Generator().manual_seed(seed)
        experiment.eval()
        with torch.no_grad():
            return getattr(experiment, what)(*arguments)

    @cached_property
    def seen(self):
        """method -> (state before, result, state after) of every evaluation of the trained experiment, in turn."""
        looks, state = {"evaluate": self.data[1], "sample": COUNT}, self.trained.state_dict()
        return {what: (_cloned(state), self.look(what, argument), _cloned(state)) for what, argument in looks.items()}


def _cloned(tensors):
    return {name: tensor.clone() for name, tensor in tensors.items()}


def _different(these, those):
    return [name for name in these if not torch.equal(these[name], those[name])]


# ---------------------------------------------------------------------------------------------------- checks


def is_built_from_the_description(case):
    built = [case.build(case.recipe, data).state_dict() for data in (case.data[0], case.described)]
    facts = [{name: (tensor.shape, tensor.dtype) for name, tensor in state.items()} for state in built]
    assert facts[0] == facts[1], "with data and from their description other parameters are built"


def has_the_members_of_the_interface(case):
    experiment = case.build(case.recipe, case.data[0])
    require_experiment(experiment)
    assert isinstance(experiment.phases, tuple) and all(isinstance(phase, Phase) for phase in experiment.phases), "phases"
    names = [phase.name for phase in experiment.phases]
    assert names and len(set(names)) == len(names), f"phases are called {names}"
    for phase in experiment.phases:
        phase_parameters(experiment, phase)
    playing = {name for stage in stages_of(case.recipe) for name in stage.phases}
    assert playing <= set(names) and (playing == set(names) or not playing), f"phases are {names}, those of the stages {playing}"
    assert all(isinstance(metric, Metric) for metric in experiment.explains.values()), "explains holds no Metric"
    remarks = experiment.remarks if isinstance(experiment, HasRemarks) else ()
    assert not isinstance(remarks, str) and all(isinstance(remark, str) for remark in remarks), f"remarks are {remarks!r}"
    if isinstance(experiment, HasSampling):
        assert isinstance(experiment.sampling, Bounded), "sampling is no dataclass of bounded options"


def has_scalar_losses_and_detached_logs(case):
    torch.manual_seed(0)
    train, _ = case.data
    experiment, batch = case.build(case.recipe, train), train.batch(torch.arange(min(len(train), case.recipe.batch_size)))
    experiment.generator, without = torch.Generator().manual_seed(0), {}
    for phase in playing_in_each_stage(experiment, case.recipe):
        loss, logs = experiment(batch, phase.name)
        assert loss.shape == () and bool(loss.isfinite()), f"the loss of {phase.name} is {loss}; it must be a finite scalar"
        assert loss.requires_grad or not phase.moves, f"the loss of {phase.name} has no gradient"
        without.setdefault(phase.name, set()).update(_without_gradient(experiment, phase, loss))
        for name, value in logs.items():
            assert isinstance(value, torch.Tensor) and value.shape == (), f"log {name} is {value}; it must be a scalar tensor"
            assert not value.requires_grad, f"log {name} is not detached"
    for phase in experiment.phases:  # several processes wait for gradients that do not come, or search for what is not missing
        names = sorted(without.get(phase.name, ()))
        assert phase.partial == bool(names), f"partial of phase {phase.name} is {phase.partial}; without gradients: {names}"


def _without_gradient(experiment, phase, loss):
    """The names of the parameters that the phase moves and the loss does not depend on."""
    nodes, reached = [loss.grad_fn], set()
    while nodes:
        node = nodes.pop()
        if node is not None and node not in reached:
            reached.add(node)
            nodes += [before for before, _ in node.next_functions]
    found = {node.variable for node in reached if hasattr(node, "variable")}
    return {name for name, parameter in phase_parameters(experiment, phase) if parameter not in found} if phase.moves else set()


def explains_its_metrics(case):
    metrics = case.seen["evaluate"][1]
    assert case.recipe.metric in metrics, f"the recipe's metric {case.recipe.metric} is not among {list(metrics)}"
    unexplained = metrics.keys() - case.trained.explains.keys()
    assert not unexplained, f"explains does not hold {sorted(unexplained)}"
    assert all(isinstance(value, int | float) for value in metrics.values()), f"not all of {metrics} are numbers"


def samples_artifacts(case):
    for name, artifact in case.seen["sample"][1].items():
        assert isinstance(artifact, Artifact), f"{name} of sample is a {type(artifact).__name__}; it must be an artifact"


def is_not_changed_by_looks(case):
    for what, (before, _, after) in case.seen.items():
        assert not (changed := _different(before, after)), f"{what} changes {changed}"


def samples_by_its_generator(case):
    """Independently of the state of torch's global generator."""
    drawn = [content(case.seen["sample"][1])]
    for seed in (0, 1):
        torch.manual_seed(7)
        drawn.append(content(case.look("sample", COUNT, seed=seed)))
    assert drawn[0] == drawn[1], "the same seed draws other samples"
    assert (drawn[0] != drawn[2]) == case.draws, "another seed draws the same samples"


def resumes_to_the_same_state(case):
    _, ended, resumed = case.resumed
    assert ended.keys() == resumed.keys() and not _different(ended, resumed), f"{_different(ended, resumed)} differ"


def resumes_in_every_stage(case):
    """From the last step of a stage, before the next one begins, and from the first step of each."""
    if not stages_of(case.recipe):
        return
    # too short to be interrupted in; a stage that is a thousandth of the steps stays so, and is interrupted at its end
    while min(stage.steps for stage in stages_of(case.recipe)) < 2 and case.recipe.steps < LONG:
        case = dataclasses.replace(case, recipe=dataclasses.replace(case.recipe, steps=2 * case.recipe.steps))
    ends = list(itertools.accumulate(stage.steps for stage in stages_of(case.recipe)))
    saved = case.state_at({1, *(step for end in ends[:-1] for step in (end, end + 1)), case.recipe.steps})
    ended = saved.pop(case.recipe.steps)
    for step, state in saved.items():
        resumed = case.state_at({case.recipe.steps}, saved=(step, state))[case.recipe.steps]
        assert ended.keys() == resumed.keys() and not _different(ended, resumed), (
            f"from step {step} {_different(ended, resumed)} differ"
        )


def is_saved_whole(case):
    loaded = case.build(case.recipe, case.described)
    loaded.load_state_dict(case.trained.state_dict())
    enter(loaded, stages_of(case.recipe), case.recipe.steps)
    metrics = case.seen["evaluate"][1], case.look("evaluate", case.data[1], experiment=loaded)
    assert content(metrics[0]) == content(metrics[1]), f"evaluated after training {metrics[0]}, after loading {metrics[1]}"


def is_evaluated_in_shares(case):
    """If the experiment's metrics are means: those of three shares average to those of the whole."""
    if not isinstance(case.trained, HasEvaluationWeight):
        return
    shares = [Share(case.data[1], rank, 3) for rank in range(3)]
    averaged = means([(case.trained.evaluation_weight(share), case.look("evaluate", share)) for share in shares])
    for name, whole in case.seen["evaluate"][1].items():
        mean = averaged[name]
        # each of its sums is of float32 means of up to 64 windows
        assert abs(mean - whole) <= 1e-5 * abs(whole), f"{name} is {whole}, from shares {mean}: it is no mean of these weights"


class _Threads:
    """Threads in place of the processes of a run."""

    def __init__(self, count):
        self.count, self.device = count, torch.device("cpu")
        self.barrier, self.failed, self._values = threading.Barrier(count, timeout=300), [], [None] * count

    def of(self, rank):
        def all_gather(value):
            self._values[rank] = value
            self.barrier.wait()
            values = list(self._values)
            self.barrier.wait()
            return values

        return SimpleNamespace(rank=rank, count=self.count, device=self.device, all_gather=all_gather)


class _Counted(Shares):
    """Records the requested batches; and for all rows the number drawn by this process, the results, and the state of the
    generator after them.
    """

    def __init__(self, experiment, *words):
        super().__init__(experiment, *words)
        self.batches, self.drawn, self.rows_of_all = [], [], []

    def takes(self, number):
        self.batches.append(number)
        return super().takes(number)

    def rows(self, draw, *columns):
        def counted(*mine):
            self.drawn[-1] = len(mine[0])
            return draw(*mine)

        self.drawn.append(0)
        whole = super().rows(counted, *columns)
        self.rows_of_all.append((whole, self._experiment.generator.get_state()))
        return whole


class _Replayed(Shares):
    """One process with the rows that others drew."""

    def __init__(self, experiment, rows_of_all):
        super().__init__(experiment)
        self.left = iter(rows_of_all)

    def rows(self, draw, *columns):
        whole, state = next(self.left)
        self._experiment.generator.set_state(state)
        return whole


def is_shared_among_processes(case, count=3):
    """If the experiment supports it: every process gets the results of one process on the same samples; as many samples are
    drawn, and no process draws more than its part.
    """
    if not isinstance(case.trained, HasShares):
        return
    case.trained.generator, threads = None, _Threads(count)
    looks = {"evaluate": case.data[1], "sample": COUNT}

    def evaluated(make):
        experiment = copy.deepcopy(case.trained)
        if hasattr(case.recipe, "judged_samples"):  # two a process: a batch of one is refused where a channel has one value
            experiment.recipe = dataclasses.replace(case.recipe, judged_samples=max(2 * count, case.recipe.judged_samples))
        experiment.shares = make(experiment)
        found = {}
        for what, argument in looks.items():
            looked_at = case.look(what, argument, experiment=experiment)
            found |= {f"generator after {what}": experiment.generator.get_state(), what: looked_at}
        return found, experiment.shares

    def of_rank(rank):
        own = torch.Generator().manual_seed(rank) if rank else None
        try:
            return evaluated(lambda experiment: _Counted(experiment, threads.of(rank), own))
        except Exception as error:
            threads.failed.append(error)
            threads.barrier.abort()

    with ThreadPoolExecutor(count) as pool:
        found = list(pool.map(of_rank, range(count)))
    if threads.failed:
        raise threads.failed[0]
    first, shares = zip(*found, strict=True)
    alone, replayed = evaluated(_Counted)[1], evaluated(lambda experiment: _Replayed(experiment, shares[0].rows_of_all))[0]
    assert alone.drawn or alone.batches, "shares is there, and neither rows nor batches are shared"
    for name, of_first in first[0].items():
        wrong = "the generators are out of step" if "generator" in name else "the processes find different things"
        assert all(content(each[name]) == content(of_first) for each in first), wrong
    assert all(each.batches == alone.batches for each in shares), "the processes are asked of other batches than one is"
    drawn = list(zip(*(each.drawn for each in shares), strict=True))
    assert [sum(each) for each in drawn] == alone.drawn, f"of the samples {alone.drawn} the processes drew {drawn}"
    assert all(max(each) <= -(-sum(each) // count) for each in drawn), f"a process drew more than its part: {drawn}"
    for name, whole in replayed["evaluate"].items():
        mine = first[0]["evaluate"][name]  # a mean of nothing is not a number, here as there
        assert np.isclose(mine, whole, rtol=1e-5, atol=1e-7, equal_nan=True), f"{name} is {whole}, of {count} processes {mine}"


CHECKS = (
    is_built_from_the_description,
    has_the_members_of_the_interface,
    has_scalar_losses_and_detached_logs,
    explains_its_metrics,
    samples_artifacts,
    is_not_changed_by_looks,
    samples_by_its_generator,
    resumes_to_the_same_state,
    resumes_in_every_stage,
    is_saved_whole,
    is_evaluated_in_shares,
    is_shared_among_processes,
)


def content(value):
    """The content of a value, to the last byte; for a figure, its drawing commands."""
    match value:
        case torch.Tensor():
            return content(value.cpu().numpy())
        case np.ndarray():
            return value.shape, value.tobytes()
        case Figure():
            axes = MagicMock()
            value.draw(axes)
            return content([tuple(call) for call in axes.mock_calls])
        case dict():
            return [(name, content(part)) for name, part in value.items()]
        case list() | tuple():
            return [content(part) for part in value]
        case NonCallableMagicMock():
            return "drawn"
        case _ if isinstance(value, Artifact):
            return content(vars(value))
    return repr(value)
