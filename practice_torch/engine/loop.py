"""The one training loop. It knows phases, not topics; a topic owns its update, the engine owns time."""

import contextlib
import json
import signal
import time

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim.swa_utils import get_ema_multi_avg_fn

from practice_torch.engine import checkpoint
from practice_torch.engine.draws import Batches, seed_of
from practice_torch.engine.environment import environment
from practice_torch.engine.errors import RunError
from practice_torch.engine.players import is_finite, let_move, make_player, not_finite, weights_of_batches
from practice_torch.engine.processes import Processes
from practice_torch.engine.progress import Bar
from practice_torch.engine.run import Records
from practice_torch.engine.state import difference, load_weights, set_torch_states, torch_states, verdict


class Interrupted(Exception):
    """A signal asked the run to stop; its state is saved."""

    def __init__(self, signal_number, step):
        self.signal_number, self.step = signal_number, step
        super().__init__(f"stopped by {signal.Signals(signal_number).name} after step {step}")


class Training:
    """An experiment on its way from the first step to the last, in one process or in several at once.

    accelerate decides the device and the arithmetic, and wraps the experiment where several processes share it. Optimizer and
    backward stay plain torch: accelerate's own versions cost 10 microseconds and a division a step, and do nothing here (no
    loss scaling is needed, since half precision is bfloat16).
    """

    def __init__(self, run, recipe, experiment, train_data, held_out_data, *, cpu=False):
        self.run, self.recipe, self.experiment = run, recipe, experiment
        several = DistributedDataParallelKwargs(find_unused_parameters=len(experiment.phases) > 1)  # those who do not play now
        self.accelerator = Accelerator(
            mixed_precision={"float32": "no", "bfloat16": "bf16"}[recipe.precision], cpu=cpu, kwargs_handlers=[several]
        )
        self.processes = Processes(cpu)
        self.device = self.accelerator.device
        self.sharded = None
        if recipe.shard and self.processes.count > 1:
            from practice_torch.engine.sharding import Sharded  # half a second, for those who ask for it

            self.sharded = Sharded(experiment, self.processes)  # before the players: it gives the experiment other parameters
        self.players = [make_player(experiment, phase, recipe) for phase in experiment.phases]
        if self.processes.count > 1 and not all(player.parameters for player in self.players):
            raise RunError(f"{run.asked['topic']} counts instead of following gradients; it trains in one process")
        self.model = self.accelerator.prepare_model(experiment, evaluation_mode=self.sharded is not None)  # true: only autocast
        self.model = self.sharded or self.model
        if recipe.compile:
            for name in {name for phase in experiment.phases for name in phase.moves}:
                getattr(experiment, name).compile()
        self.train_data, self.held_out_data = train_data.to(self.device), held_out_data.to(self.device)
        mine = (self.processes.rank,) if self.processes.rank else ()  # every process draws noise of its own
        self.generator = torch.Generator(self.device).manual_seed(seed_of(recipe.seed, "train", *mine))
        experiment.generator = self.generator
        torch.manual_seed(seed_of(recipe.seed, "train", "torch", *mine))  # dropout can draw from torch's own generator only
        moved = {name: parameter for player in self.players for name, parameter in player.parameters.items()}
        self.moved = moved if recipe.average_decay else {}
        self.average = {name: parameter.detach().clone() for name, parameter in self.moved.items()}
        self.turns = sum(player.phase.times for player in self.players)
        self.batches = Batches(self.train_data, recipe.batch_size, recipe.seed, self.processes.rank, self.processes.count)
        self.schedules = recipe.warmup_steps > 0 or recipe.schedule != "constant"
        self.step, self.seconds, self.pending, self.stop = 0, 0.0, {}, None
        # On a CPU a loss can be looked at in every step for nothing; on an accelerator that would stop the queue, and the check
        # waits until the losses are fetched anyway.
        self.look_always = self.device.type == "cpu"

    # ------------------------------------------------------------------------------------------------ one step

    def _turn(self, player, batches):
        """One update for one player: from one batch, or from several as if they were one."""
        name, optimizer, total = player.phase.name, player.optimizer, 0.0
        weights = weights_of_batches(self.experiment, batches, name, self.processes)
        if not self.look_always:  # nobody looks at the last gradients, of this player or another: their memory is for activations
            self.experiment.zero_grad()
        for number, (batch, weight) in enumerate(zip(batches, weights, strict=True), start=1):
            with contextlib.ExitStack() as around:
                if optimizer is None:
                    around.enter_context(torch.no_grad())
                elif number < len(batches):
                    around.enter_context(self.accelerator.no_sync(self.model))  # the last batch brings all gradients together
                loss, logs = self.model(batch, name)
                loss = loss * weight if len(weights) > 1 or self.processes.count > 1 else loss
                if self.look_always and not is_finite(loss):
                    raise self._not_finite(f"loss is {loss.item():g}", name, logs)
                if optimizer is not None:
                    if number == 1:  # only now: until here the last gradients can still tell what went wrong
                        optimizer.zero_grad()
                    loss.backward()
            total = total + loss.detach()
            for key, value in logs.items():
                self.pending.setdefault((name, key), []).append(value)
        self.pending.setdefault((name, "loss"), []).append(total)
        if optimizer is not None:
            if self.recipe.clip_norm:
                self._clip(player)
            optimizer.step()

    def _clip(self, player):
        parameters = list(player.parameters.values())
        norm = get_total_norm([p.grad for p in parameters if p.grad is not None])
        norm = norm.full_tensor() if self.sharded else norm
        if self.look_always and not is_finite(norm):  # before it is spread over all gradients
            raise self._not_finite(f"gradient's norm is {norm.item():g}", player.phase.name, {})
        clip_grads_with_norm_(parameters, self.recipe.clip_norm, norm)
        self.pending.setdefault((player.phase.name, "gradient_norm"), []).append(norm)

    def _advance(self):
        """Every player's turns, each with batches of its own."""
        together = self.recipe.accumulate
        number = self.step * self.turns * together
        for player in self.players:
            if len(self.players) > 1:
                let_move(player, self.players)
            if self.schedules:
                player.set_learning_rate(self.step + 1, self.recipe)
            for _ in range(player.phase.times):
                self._turn(player, [self.batches[number + i] for i in range(together)])
                number += together
        self.step += 1
        if self.average:
            # the average starts short, so that it forgets the first weights even in a run of few steps
            decay = min(self.recipe.average_decay, self.step / (self.step + 9))
            get_ema_multi_avg_fn(decay)(list(self.average.values()), list(self.moved.values()), None)

    def _not_finite(self, what, phase, logs):
        return not_finite(what, phase, self.step + 1, self.experiment, logs, self.recipe, self.run.checkpoints)

    # ------------------------------------------------------------------------------------------------ from step to step

    def train(self, *, bar=None):
        """Train to the recipe's last step; the final metrics. Raises Interrupted after a SIGINT or SIGTERM, with all saved."""
        handlers = {number: signal.signal(number, self._remember) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            bar = bar or Bar(self.run.folder.name, self.recipe.steps, self.step, quiet=not self.processes.first)
            with self.run.locked() if self.processes.first else contextlib.nullcontext(), bar:
                return self._train(bar)
        except OSError as error:
            raise RunError(f"cannot write into {self.run.folder}: {error.strerror}; earlier checkpoints are untouched") from error
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _remember(self, number, _frame):
        self.stop = number

    def _asked_to_stop(self, row_due):
        """The signal that came, if one did. Several processes agree on it whenever they write a row."""
        if self.processes.count == 1:
            return self.stop
        if not row_due:
            return None
        return max(signal or 0 for signal in self.processes.from_all(self.stop)) or None

    def _train(self, bar):
        recipe = self.recipe
        self._open_records()
        if self.step == 0:
            self._save()  # something to go back to if the first steps go wrong; and a full disk shows now, not in an hour
        self.experiment.train()
        metrics, begun = None, time.perf_counter() - self.seconds
        while self.step < recipe.steps:
            self._advance()
            step, last = self.step, self.step == recipe.steps
            row_due = last or step % recipe.log_every == 0
            if bar.due():
                bar.show(step, self.pending[self.players[0].phase.name, "loss"][-1].item())
            if row_due:
                self.seconds = time.perf_counter() - begun
                self._log()
            if last or step % recipe.evaluate_every == 0:
                metrics = self._evaluate(bar)
            stop = self._asked_to_stop(row_due)
            if last or step % recipe.checkpoint_every == 0 or stop:
                self.seconds = time.perf_counter() - begun
                self._save()
            if stop and not last:
                raise Interrupted(stop, step)
        return self._finish(metrics or self.evaluate())

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
        self.records.time(self.step, self.seconds)

    def _share_pending(self):
        """What the processes logged becomes their mean; a second time changes nothing."""
        if self.processes.count > 1:
            for key in sorted(self.pending):
                self.pending[key] = list(self.processes.mean(torch.stack(self.pending[key]).double()))

    # ------------------------------------------------------------------------------------------------ looking at the model

    def evaluate(self):
        """The experiment's metrics on the held-out data; always the same draws, none of them the training's.

        Every process evaluates for itself: with equal weights and equal draws they find the same, and none waits for another
        (of a sharded model each gathers all the weights first).
        """
        return self._apart("evaluate", lambda: self.experiment.evaluate(self.held_out_data))

    def study(self):
        """The artifacts of the experiment's study on the held-out data, drawn apart as an evaluation is."""
        return self._apart("study", lambda: self.experiment.study(self.held_out_data))

    def _apart(self, purpose, look):
        """look() without gradients, at the average where there is one, with draws of its own: it never changes the training."""
        states = torch_states(self.device)
        self.experiment.generator = torch.Generator(self.device).manual_seed(seed_of(self.recipe.seed, purpose))
        torch.manual_seed(seed_of(self.recipe.seed, purpose, "torch"))
        self.experiment.eval()
        self._swap_average()
        try:
            whole = self.sharded.gathered() if self.sharded else contextlib.nullcontext()
            with whole, torch.no_grad(), self.accelerator.autocast():
                return look()
        finally:
            self._swap_average()
            self.experiment.train()
            self.experiment.generator = self.generator
            set_torch_states(states)

    @torch.no_grad()
    def _swap_average(self):
        for name, parameter in self.moved.items():  # in place: a sharded model knows its parameters by their memory
            kept = parameter.clone()
            parameter.copy_(self.average[name])
            self.average[name].copy_(kept)

    def _evaluate(self, bar):
        metrics = self.evaluate()
        for name, value in metrics.items():
            self.records.add(self.step, "evaluate", name, float(value))
        if self.processes.first or self.sharded:  # whose processes have to make the same passes
            previews = self._apart("preview", lambda: self.experiment.preview(self.held_out_data))
            if self.processes.first:
                self.run.save_artifacts(previews, self.step)
        bar.say(f"step {self.step}: " + "  ".join(f"{name} {value:.4g}" for name, value in metrics.items()))
        return metrics

    def _finish(self, metrics):
        if self.processes.first:
            self.run.write_json("evaluation.json", verdict(self.recipe, metrics, self.step, self.experiment.explains))
            self.run.write_json("environment.json", environment(self.device, self.seconds, self.processes.count))
        self.records.close()
        self.processes.wait()
        return metrics

    # ------------------------------------------------------------------------------------------------ state

    def _open_records(self, lengths=None):
        if not hasattr(self, "records"):
            folder = self.run.folder if self.processes.first else None
            self.records = Records(folder, lengths, self.step if self.recipe.tensorboard else None)

    def _save(self):
        """Everything that decides what comes next. Never a state that is not finite."""
        tensors = {f"experiment/{name}": tensor for name, tensor in self.experiment.state_dict().items()}
        for name, tensor in tensors.items():
            if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
                bare = name.removeprefix("experiment/")
                raise RunError(f"{bare} is not finite after step {self.step}; this state is not saved")
        for player in self.players:
            for name, parameter in player.parameters.items():
                for slot, tensor in player.optimizer.state[parameter].items():
                    tensors[f"optimizer/{player.phase.name}/{name}/{slot}"] = tensor
        tensors |= {f"average/{name}": tensor for name, tensor in self.average.items()}
        tensors = self.sharded.whole(tensors) if self.sharded else tensors
        self._share_pending()
        for (phase, name), values in self.pending.items():
            tensors[f"pending/{phase}/{name}"] = torch.stack(values)
        mine = {"experiment": self.generator.get_state()} | torch_states(self.device)
        for rank, states in enumerate(self.processes.from_all(mine)):
            tensors |= {f"generator/{rank}/{name}": state for name, state in states.items()}

        def write():
            facts = {"run": self._identity(), "seconds": self.seconds, "lengths": self.records.sync()}
            checkpoint.save(self.run.checkpoints, self.step, tensors, facts)

        self.processes.of_the_first(write)

    def _identity(self):
        """Whose state it is: as JSON would give it back."""
        asked = self.run.asked
        whose = {key: asked[key] for key in ("topic", "recipe", "fields")}
        whose |= {"data": asked["data"]["sha256"], "processes": self.processes.count}
        return json.loads(json.dumps(whose))

    def restore(self, say=print):
        """Go on from the newest sound checkpoint."""
        tensors, facts = checkpoint.newest(self.run.checkpoints, say)
        if facts["run"] != self._identity():
            other = difference(facts["run"], self._identity())
            raise RunError(f"the checkpoints in {self.run.checkpoints} belong to another run: {other}")
        groups = {"experiment": {}, "average": {}, "optimizer": {}, "pending": {}, "generator": {}}
        for key, tensor in tensors.items():
            group, name = key.split("/", 1)
            groups[group][name] = tensor
        place = self.sharded.part if self.sharded else lambda tensor, like: tensor.to(like.device)
        load_weights(self.experiment, groups["experiment"], self.run.checkpoints, place)
        self.average = {name: place(groups["average"][name], parameter) for name, parameter in self.moved.items()}
        for player in self.players:
            for name, parameter in player.parameters.items():
                prefix = f"{player.phase.name}/{name}/"
                state = {key.removeprefix(prefix): t for key, t in groups["optimizer"].items() if key.startswith(prefix)}
                player.optimizer.state[parameter].update({slot: place(t, parameter) for slot, t in state.items()})
        self.pending = {tuple(name.split("/", 1)): list(values.to(self.device)) for name, values in groups["pending"].items()}
        mine = f"{self.processes.rank}/"
        # clone: torch crashes the process when it is handed a view of another tensor as a generator's state
        states = {name.removeprefix(mine): t.clone() for name, t in groups["generator"].items() if name.startswith(mine)}
        self.generator.set_state(states.pop("experiment"))
        set_torch_states(states)
        self.step, self.seconds = facts["step"], facts["seconds"]
        self._open_records(facts["lengths"])
