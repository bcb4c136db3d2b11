"""The training loop. It knows phases, not topics: an experiment defines the loss, the engine defines when updates happen."""

import contextlib
import functools
import itertools
import json
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim.swa_utils import get_ema_multi_avg_fn

from practice_torch.engine import evaluation, gpu
from practice_torch.engine.artifacts import Artifact
from practice_torch.engine.batches.data import Data
from practice_torch.engine.batches.order import seed_of, share_of
from practice_torch.engine.batches.placement import batches_of
from practice_torch.engine.costs.environment import arithmetic, environment
from practice_torch.engine.costs.threads import take_threads
from practice_torch.engine.costs.throughput import Throughput
from practice_torch.engine.distributed.processes import Processes
from practice_torch.engine.distributed.replicas import replicas_of, synchronize_batch_norms
from practice_torch.engine.distributed.whole_batch import WholeBatch
from practice_torch.engine.errors import Halted, RunError
from practice_torch.engine.experiment import Experiment, HasFolder, HasPreparation, HasWholeBatch, require_experiment
from practice_torch.engine.optimizers import (
    displayed_player,
    initialize_moments,
    is_finite,
    make_player,
    not_finite,
    weights_of_batches,
)
from practice_torch.engine.patience import Patience
from practice_torch.engine.progress import Bar
from practice_torch.engine.recipe import Recipe
from practice_torch.engine.recomputation import recompute_blocks
from practice_torch.engine.stages import batch_numbers, enter, place_at, stages_of
from practice_torch.engine.step import autocast, take_step, take_turn
from practice_torch.engine.storage import background_writes, checkpoint, snapshot
from practice_torch.engine.storage.run import Records, Run, difference
from practice_torch.engine.storage.state import WEIGHTS, verdict
from practice_torch.engine.storage.state import not_finite as first_not_finite
from shared_specs.stopping import handling


def _widened(tensor):
    """float32 in place of bfloat16: sums of losses and logs need its digits."""
    return tensor.float() if tensor.dtype == torch.bfloat16 else tensor


class Interrupted(Exception):
    """A signal asked the run to stop; its state is saved."""

    def __init__(self, signal_number: int, step: int) -> None:
        self.signal_number, self.step = signal_number, step
        super().__init__(f"stopped by {signal.Signals(signal_number).name} after step {step}")


class Training:
    """The training of an experiment, from the first step to the last, in one process or in several.

    accelerate starts the processes and assigns the devices. The rest is plain torch: accelerate's Accelerator allows one
    precision in the life of a process, and its optimizer costs 10 microseconds and a division a step. No loss scaling is needed,
    since half precision is bfloat16.
    """

    def __init__(
        self, run: Run, recipe: Recipe, experiment: Experiment, train_data: Data, held_out_data: Data, *, cpu: bool = False
    ) -> None:
        require_experiment(experiment)
        self.run, self.recipe, self.experiment = run, recipe, experiment
        self.processes = Processes(cpu)
        self.device, self.stages = self.processes.device, stages_of(recipe)
        if self.device.type == "cpu" and self.processes.count == 1:
            take_threads(experiment, train_data, recipe)
        self.throughput = Throughput(experiment, recipe, self.device, self.processes)
        if recipe.recompute_blocks:
            recompute_blocks(experiment)
        if recipe.sync_batch_norm:
            synchronize_batch_norms(experiment, self.processes)
        self.sharded = None
        if recipe.shard and self.processes.count > 1:
            from practice_torch.engine.distributed.sharding import Sharded  # takes half a second: only with --shard

            self.sharded = Sharded(experiment, self.processes, recipe)  # before the players: it makes other parameters
        self.players = [make_player(experiment, phase, recipe) for phase in experiment.phases]
        if self.processes.count > 1 and not all(player.parameters for player in self.players):
            raise RunError(f"{run.asked['topic']} has a phase without gradients; train it in one process")
        if self.processes.count > 1 and recipe.modality is None:
            raise RunError(f"{run.asked['topic']} draws its own examples, which processes do not share; train it in one process")
        model = self.sharded or experiment.to(self.device)
        self.models = {phase.name: model for phase in experiment.phases}
        if self.processes.count > 1 and not self.sharded:
            self.models = replicas_of(experiment, self.players, self.device)
        if isinstance(experiment, HasWholeBatch):
            sharded = (self.sharded.gathered,) if self.sharded else ()
            experiment.whole_batch = WholeBatch(self.processes, *sharded)
        self.compiled = recipe.compile and self.device.type == "cuda"
        self.graphs = self.compiled and recipe.cuda_graphs
        whole = not self.sharded and not recipe.sync_batch_norm  # collectives break a graph
        self.compilation = gpu.compile_networks(experiment, graphs=self.graphs, whole=whole) if self.compiled else None
        self.train_data, self.held_out_data = train_data, held_out_data.to(self.device)
        self.generator = experiment.generator = torch.Generator(self.device)
        self.seed_generators(*((self.processes.rank,) if self.processes.rank else ()))  # every process draws its own noise
        moved = {name: parameter for player in self.players for name, parameter in player.parameters.items()}
        self.moved = moved if recipe.average_decay else {}
        self.average = {name: parameter.detach().clone() for name, parameter in self.moved.items()}
        *self.turns_before, self.turns = itertools.accumulate((player.phase.times for player in self.players), initial=0)
        self.share = share_of(min(recipe.batch_size, len(train_data)), self.processes.count)
        self.schedules = recipe.warmup_steps > 0 or recipe.schedule != "constant"
        self.saver = background_writes.Saver(self.processes, cpu)
        self.step, self.seconds, self.pending, self.stop, self.lengths = 0, 0.0, {}, None, None
        self.stage, self.playing = "", self.players  # of the step that is taken
        self.patience = Patience(recipe) if recipe.keeps_best() else None
        if recipe.patience and self.stages:
            raise RunError(f"{run.asked['topic']} trains in stages, of which patience would leave some out: set --patience 0")
        # On a CPU the loss can be checked in every step at no cost; on an accelerator that would stop the queue, and the check
        # waits until the losses are fetched anyway.
        self.look_always = self.device.type == "cpu"

    @functools.cached_property
    def batches(self) -> Any:
        """The training's batches by number, made when they are first needed: an evaluation reads no training data."""
        numbers = functools.partial(batch_numbers, self.experiment.phases, self.stages, self.recipe.accumulate)
        return batches_of(self.train_data, self.recipe, self.processes, self.share, numbers)

    def seed_generators(self, *words: object) -> None:
        """Begin this process's random numbers anew, by the run's seed and the words."""
        self.generator.manual_seed(seed_of(self.recipe.seed, "train", *words))
        torch.manual_seed(seed_of(self.recipe.seed, "train", "torch", *words))  # dropout can draw from torch's own only

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Inside, networks compute in the recipe's precision."""
        return autocast(self.recipe, self.device.type)

    # ------------------------------------------------------------------------------------------------ one step

    def _turn(self, player, batches):
        """One update for one player: from one batch, or from several as if they were one."""
        name, total = player.phase.name, []
        weights = weights_of_batches(self.experiment, batches, name, self.processes)
        if self.graphs:
            torch.compiler.cudagraph_mark_step_begin()  # the next replay may overwrite the outputs of the last turn

        def loss_of(number):
            self.throughput.see(batches[number], self.stage)
            with self.autocast():
                loss, logs = self.models[name](batches[number], name)
            loss, logs = _widened(loss), {key: _widened(value) for key, value in logs.items()}
            loss = loss * weights[number] if len(weights) > 1 or self.processes.count > 1 else loss
            if self.look_always and not is_finite(loss):
                raise self._not_finite(f"loss is {loss.item():g}", name, logs)
            total.append(loss.detach())
            for key, value in logs.items():
                self.pending.setdefault((name, key), []).append(value.clone() if self.graphs else value)
            return loss

        def around(number):
            """The last batch brings the gradients of all processes together."""
            alone = number < len(batches) - 1 and self.processes.count > 1 and player.optimizer is not None
            return self.models[name].no_sync() if alone else contextlib.nullcontext()

        options = {"keep": self.look_always, "around": around}  # on an accelerator the last gradients are not inspected
        take_turn(self.experiment, player, range(len(batches)), loss_of, self._update, **options)
        self.pending.setdefault((name, "loss"), []).append(sum(total))

    def _update(self, player):
        if self.recipe.clip_norm:
            self._clip(player)
        if self.stages and self.step:
            initialize_moments(player, self.step * player.phase.times)
        player.optimizer.step()

    def _clip(self, player):
        parameters = list(player.parameters.values())
        norm = get_total_norm([p.grad for p in parameters if p.grad is not None])
        norm = norm.full_tensor() if self.sharded else norm
        if self.look_always and not is_finite(norm):  # before it is spread over all gradients
            raise self._not_finite(f"gradient's norm is {norm.item():g}", player.phase.name, {})
        clip_grads_with_norm_(parameters, self.recipe.clip_norm, norm)
        self.pending.setdefault((player.phase.name, "gradient_norm"), []).append(norm)

    def _advance(self):
        """The turns of the players of this step, each with its own batches."""
        playing = enter(self.experiment, self.stages, self.step)
        self.playing = [player for player in self.players if player.phase in playing]
        self.stage = self.experiment.place.stage if self.stages else ""
        together, numbers = self.recipe.accumulate, {}
        for player, before in zip(self.players, self.turns_before, strict=True):  # also of those that do not play
            numbers[player.phase.name] = itertools.count((self.step * self.turns + before) * together)
            if self.schedules:
                player.set_learning_rate(self.step + 1, self.recipe)

        def turn(player):
            self._turn(player, [self.batches[next(numbers[player.phase.name])] for _ in range(together)])

        take_step(self.playing, self.players, turn)
        self.step += 1
        if self.average:
            # the average starts short, so that it forgets the first weights even in a run of few steps
            decay = min(self.recipe.average_decay, self.step / (self.step + 9))
            get_ema_multi_avg_fn(decay)(list(self.average.values()), list(self.moved.values()), None)
        enter(self.experiment, self.stages, self.step)

    def _not_finite(self, what, phase, logs):
        return not_finite(what, phase, self.step + 1, self.experiment, logs, self.recipe, self.run.checkpoints)

    # ------------------------------------------------------------------------------------------------ from step to step

    def train(self, *, bar: Bar | None = None) -> Mapping[str, float]:
        """Train to the last step and return the final metrics. Raises Interrupted after a signal, with all saved."""
        with handling(self._remember):
            return self._train_with_lock(bar)

    def _train_with_lock(self, bar):
        if isinstance(self.experiment, HasFolder):
            self.experiment.folder = self.run.folder
        try:
            self.processes.broadcast(self.run.lock.take)
            bar = bar or Bar(self.run.folder.name, self.recipe.steps, self.step, quiet=not self.processes.first)
            with contextlib.closing(self.batches), bar, gpu.settings(self.device), gpu.refusals(self.compiled):
                return self._train(bar)
        except OSError as error:
            raise RunError(f"cannot write into {self.run.folder}: {error.strerror}; earlier checkpoints are untouched") from error
        finally:
            try:
                self.saver.finish()
            finally:
                self.run.lock.release()

    def _remember(self, number, _frame):
        self.stop = number

    def _asked_to_stop(self, row_due):
        """The signal that came, if one did. Several processes agree on it whenever they write a row."""
        if self.processes.count == 1:
            return self.stop
        if not row_due:
            return None
        return max(signal or 0 for signal in self.processes.all_gather(self.stop)) or None

    def _train(self, bar):
        recipe = self.recipe
        folder = self.run.folder if self.processes.first else None
        self.records = Records(folder, self.lengths, self.step if recipe.tensorboard else None)
        if self.step == 0:
            if isinstance(self.experiment, HasPreparation):
                with self.autocast():
                    self.experiment.prepare(self.train_data, self.held_out_data)
            self._save()  # something to go back to if the first steps go wrong
            self.saver.finish()  # a full disk shows now, not in an hour
        if self.device.type == "cuda":
            bar.say(self.compilation.words() if self.compilation else "no network is compiled: the recipe has compile False")
        self.experiment.train()
        begun = time.perf_counter() - self.seconds
        self.throughput.begin()
        # A checkpoint is made before the evaluation of its step, which may fail; a run resumed from it evaluates again.
        metrics = self._evaluate(bar) if self._evaluation_due() else None
        while self.step < recipe.steps and not (self.patience and self.patience.over):
            taken = {key: len(values) for key, values in self.pending.items()}
            try:
                self._advance()
            except Halted as halt:
                self.pending = {key: self.pending[key][:count] for key, count in taken.items()}
                self.seconds = time.perf_counter() - begun
                self._save()
                self.saver.finish()
                raise RunError(f"stopped after step {self.step}, which is saved (--resume goes on from it): {halt}") from halt
            step, last, look = self.step, self.step == recipe.steps, self._evaluation_due()
            row_due = last or step % recipe.log_every == 0
            if bar.due() and not self.stop:  # a terminal that was closed (SIGHUP) cannot be written to
                loss = self.pending[displayed_player(self.playing).phase.name, "loss"][-1].item()
                bar.show(step, loss, self.throughput.words(), self.stage)
            if row_due:
                self.seconds = time.perf_counter() - begun
                self._log()
                self.saver.require_success()
            stop = self._asked_to_stop(row_due)
            if look or step % recipe.checkpoint_every == 0 or stop:
                self.seconds = time.perf_counter() - begun
                self._save()
                self.throughput.begin()
            if stop and not last:
                self.saver.finish()
                raise Interrupted(stop, step)
            if look:
                metrics = self._evaluate(bar)
                self.throughput.begin()
        return self._finish(metrics)

    def _evaluation_due(self):
        return self.step > 0 and (self.step == self.recipe.steps or self.step % self.recipe.evaluate_every == 0)

    def _log(self):
        """Write the means since the last row, in float64: fetched from the device once per tensor, not once per step."""
        self._share_pending()
        # sorted: a resumed run got its pending values back in another order, and must write the same bytes
        for (phase, name), values in sorted(self.pending.items()):
            mean = torch.stack(values).double().mean()
            if name == "loss" and not is_finite(mean):
                raise self._not_finite(f"mean loss since the last row is {mean.item():g}", phase, {})
            self.records.add(self.step, phase, name, mean.item())
        self.pending.clear()
        self.records.time(self.step, self.seconds, *self.throughput.lap())

    def _share_pending(self):
        """Replace the logged values by their mean over the processes; a second call changes nothing."""
        if self.processes.count > 1:
            for key in sorted(self.pending):
                self.pending[key] = list(self.processes.mean(torch.stack(self.pending[key]).double()))

    # ------------------------------------------------------------------------------------------------ looking at the model

    def evaluate(self) -> Mapping[str, float]:
        """The experiment's metrics on the held-out data."""
        return evaluation.evaluate(self)

    def study(self) -> Mapping[str, Artifact] | None:
        """The artifacts of the experiment's study on the held-out data, on rank 0."""
        return evaluation.call_on_ranks(self, "study", lambda: self.experiment.study(self.held_out_data))

    def _evaluate(self, bar):
        metrics = self.evaluate()
        for name, value in metrics.items():
            self.records.add(self.step, "evaluate", name, float(value))
        evaluation.preview(self, bar.say)
        self.processes.wait()  # here, and not in the first collective of the next step, which has a shorter time limit
        bar.say(f"step {self.step}: " + "  ".join(f"{name} {value:.4g}" for name, value in metrics.items()))
        if self.patience and self._is_complete():
            verdict(self.recipe, metrics, self.step, {})  # an experiment without the metric is refused
            if self.patience.see(self.step, metrics):
                self._save_best()
            elif self.patience.over and self.step < self.recipe.steps:
                bar.say(f"stopped: no better {self.recipe.metric} since step {self.patience.step}, whose weights are kept")
        return metrics

    def _is_complete(self):
        """Whether all of the model is in training, or trained: in the last of its stages. Before, a metric says less."""
        return not self.stages or place_at(self.stages, self.step - 1).stage == self.stages[-1].name

    def _finish(self, metrics):
        self.saver.finish()
        self.records.sync()
        step = self.step
        if self.recipe.patience and self.patience.metrics:
            metrics, step = self.patience.metrics, self.patience.step
        if self.processes.first:
            self.run.write_json("evaluation.json", verdict(self.recipe, metrics, step, self.experiment.explains))
            known = environment(self.device, self.seconds, self.processes.count) | self.throughput.facts()
            self.run.write_json("environment.json", known | gpu.facts(self.device, self.compilation, self.graphs))
        self.records.close()
        self.processes.wait()
        return metrics

    # ------------------------------------------------------------------------------------------------ state

    def _save(self):
        """Everything that decides what comes next. Never a state that is not finite."""
        self._share_pending()
        if wrong := first_not_finite(snapshot.weights_and_moments(self)):
            wrong = wrong.removeprefix("experiment/")
            raise RunError(f"{wrong} is not finite after step {self.step}, and this state is not saved; {self.mend()}")
        facts = {"run": self.identity(), "processes": self.processes.count, "seconds": self.seconds}
        facts |= {"lengths": self.records.sync(), "never_moved": snapshot.never_moved(self)}
        facts |= {"arithmetic": arithmetic(self.device)}
        facts |= {"patience": self.patience.facts()} if self.patience else {}
        tensors, offsets = snapshot.collect(self)
        self.saver.begin(self.run.checkpoints, self.step, tensors, facts, offsets, self.recipe.keep_every)

    def _save_best(self):
        """The weights alone, for evaluations and samples."""
        tensors, offsets = snapshot.collect(self)
        tensors = {name: tensor for name, tensor in tensors.items() if name.startswith(WEIGHTS)}
        offsets = offsets and {name: offset for name, offset in offsets.items() if name in tensors}
        self.saver.begin(self.run.best, self.step, tensors, {"run": self.identity()}, offsets)

    def mend(self) -> str:
        """Advice against diverging training, for an error message."""
        now = f"(now {self.recipe.learning_rate:g})"
        return f"lower --learning-rate {now} or set --clip-norm; the last good checkpoint is kept in {self.run.checkpoints}"

    def identity(self) -> dict[str, Any]:
        """The run's identity in its checkpoints, as JSON returns it."""
        asked = self.run.asked
        identity = {key: asked[key] for key in ("topic", "recipe", "fields")}
        return json.loads(json.dumps(identity | {"data": asked["data"].get("sha256")}))

    def restore(self, say: Callable[[str], None] = print) -> None:
        """Resume from the newest valid checkpoint, or begin if the run stopped before its first. RunError if they are gone."""
        self.processes.broadcast(self.run.lock.take)  # the holder may be removing the checkpoint that is read here
        if not self.run.has_begun():
            self.run.require_no_steps()
            say(f"{self.run.folder} has no checkpoint yet; training begins with the first step")
            return
        tensors, facts = checkpoint.newest(self.run.checkpoints, say, functools.partial(snapshot.require_sound, self))
        snapshot.put_back(self, tensors, facts["step"])
        here = arithmetic(self.device)
        if changed := difference(facts.get("arithmetic", here), here):
            say(f"{changed}: sums are rounded in another way, and the run does not end in the bytes of an uninterrupted one")
        self.step, self.seconds, self.lengths = facts["step"], facts["seconds"], facts["lengths"]
        if self.patience:
            self.patience.restore(facts["patience"])
        enter(self.experiment, self.stages, self.step)
