"""The one training loop. It knows phases, not topics; a topic owns its update, the engine owns time."""

import json
import math
import signal
import time
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch.optim.swa_utils import get_ema_multi_avg_fn

from practice_torch.engine import checkpoint
from practice_torch.engine.draws import Batches, seed_of
from practice_torch.engine.environment import environment
from practice_torch.engine.errors import RunError
from practice_torch.engine.experiment import phase_parameters
from practice_torch.engine.progress import Bar
from practice_torch.engine.run import Rows
from practice_torch.engine.state import difference, load_weights, set_torch_states, torch_states, verdict


class Interrupted(Exception):
    """A signal asked the run to stop; its state is saved."""

    def __init__(self, signal_number, step):
        self.signal_number, self.step = signal_number, step
        super().__init__(f"stopped by {signal.Signals(signal_number).name} after step {step}")


@dataclass(frozen=True)
class Player:
    """A phase, the parameters it moves (by name), and the optimizer that moves them (None: nothing to move)."""

    phase: object
    parameters: dict
    optimizer: object


class Training:
    """An experiment on its way from the first step to the last.

    accelerate decides the device and the arithmetic, and wraps the experiment where several processes share it. Optimizer and
    backward stay plain torch: accelerate's own versions cost 10 microseconds and a division a step, and do nothing here (no
    loss scaling is needed, since half precision is bfloat16).
    """

    def __init__(self, run, recipe, experiment, train_data, held_out_data, *, cpu=False):
        self.run, self.recipe, self.experiment = run, recipe, experiment
        self.accelerator = Accelerator(mixed_precision={"float32": "no", "bfloat16": "bf16"}[recipe.precision], cpu=cpu)
        if self.accelerator.num_processes > 1:
            raise RunError(f"{self.accelerator.num_processes} processes were launched; this engine trains in one")
        self.device = self.accelerator.device
        self.model = self.accelerator.prepare_model(experiment)
        self.train_data, self.held_out_data = train_data.to(self.device), held_out_data.to(self.device)
        self.generator = torch.Generator(self.device).manual_seed(seed_of(recipe.seed, "train"))
        experiment.generator = self.generator
        torch.manual_seed(seed_of(recipe.seed, "train", "torch"))  # dropout can draw from nothing but torch's own generator
        self.players = [self._player(phase) for phase in experiment.phases]
        moved = {name: parameter for player in self.players for name, parameter in player.parameters.items()}
        self.moved = moved if recipe.average_decay else {}
        self.average = {name: parameter.detach().clone() for name, parameter in self.moved.items()}
        self.turns = sum(player.phase.times for player in self.players)
        self.batches = Batches(self.train_data, recipe.batch_size, recipe.seed)
        self.step, self.seconds, self.pending, self.stop = 0, 0.0, {}, None
        # On a CPU a loss can be looked at in every step for nothing; on an accelerator that would stop the queue, and the check
        # waits until the losses are fetched anyway.
        self.look_always = self.device.type == "cpu"

    def _player(self, phase):
        parameters = dict(phase_parameters(self.experiment, phase))
        if not parameters:
            return Player(phase, parameters, None)
        recipe = self.recipe
        optimizer = torch.optim.AdamW(
            parameters.values(), lr=phase.learning_rate or recipe.learning_rate, betas=(recipe.beta1, recipe.beta2), eps=1e-8,
            weight_decay=recipe.weight_decay, fused=True,
        )  # fmt: skip
        return Player(phase, parameters, optimizer)

    # ------------------------------------------------------------------------------------------------ one step

    def _turn(self, player, batch):
        """One batch for one player."""
        name, optimizer = player.phase.name, player.optimizer
        if optimizer is None:
            with torch.no_grad():
                loss, logs = self.model(batch, name)
        else:
            loss, logs = self.model(batch, name)
        if self.look_always and not math.isfinite(loss.item()):
            raise self._not_finite(name, loss, logs)
        if optimizer is not None:
            optimizer.zero_grad()
            loss.backward()
            if self.recipe.clip_norm:
                torch.nn.utils.clip_grad_norm_(player.parameters.values(), self.recipe.clip_norm)
            optimizer.step()
        pending = self.pending
        pending.setdefault((name, "loss"), []).append(loss.detach())
        for key, value in logs.items():
            pending.setdefault((name, key), []).append(value)

    def _advance(self):
        """Every player's turns, each with a batch of its own."""
        number = self.step * self.turns
        for player in self.players:
            if len(self.players) > 1:
                self._let_move(player)
            for _ in range(player.phase.times):
                self._turn(player, self.batches[number])
                number += 1
        self.step += 1
        if self.average:
            # the average starts short, so that it forgets the first weights even in a run of few steps
            decay = min(self.recipe.average_decay, self.step / (self.step + 9))
            get_ema_multi_avg_fn(decay)(list(self.average.values()), list(self.moved.values()), None)

    def _let_move(self, player):
        for other in self.players:
            for parameter in other.parameters.values():
                parameter.requires_grad_(False)
        for parameter in player.parameters.values():
            parameter.requires_grad_(True)

    def _not_finite(self, phase, loss, logs):
        """The error for a loss that is no number: which tensor was the first that the eye can reach."""
        named = [(f"gradient of {name}", p.grad) for name, p in self.experiment.named_parameters() if p.grad is not None]
        named += list(self.experiment.state_dict().items()) + [(f"log {name}", value) for name, value in logs.items()]
        culprit = next((name for name, t in named if t.is_floating_point() and not bool(t.isfinite().all())), None)
        first = f"{culprit} is not finite either" if culprit else "all weights and gradients are still finite"
        advice = f"lower --learning-rate (now {self.recipe.learning_rate:g}) or set --clip-norm"
        return RunError(
            f"the loss of phase {phase} is {loss.item():g} at step {self.step + 1} ({first}); {advice}; "
            f"the last good checkpoint is kept in {self.run.checkpoints}"
        )

    # ------------------------------------------------------------------------------------------------ from step to step

    def train(self, *, bar=None):
        """Train to the recipe's last step; the final metrics. Raises Interrupted after a SIGINT or SIGTERM, with all saved."""
        handlers = {number: signal.signal(number, self._remember) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            with self.run.locked(), bar or Bar(self.run.folder.name, self.recipe.steps, self.step) as bar:
                return self._train(bar)
        except OSError as error:
            raise RunError(f"cannot write into {self.run.folder}: {error.strerror}; earlier checkpoints are untouched") from error
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _remember(self, number, _frame):
        self.stop = number

    def _train(self, bar):
        recipe = self.recipe
        self._open_rows()
        if self.step == 0:
            self._save()  # something to go back to if the first steps go wrong; and a full disk shows now, not in an hour
        self.experiment.train()
        metrics, begun = None, time.perf_counter() - self.seconds
        while self.step < recipe.steps:
            self._advance()
            step, last = self.step, self.step == recipe.steps
            if bar.due():
                bar.show(step, self.pending[self.players[0].phase.name, "loss"][-1].item())
            if last or step % recipe.log_every == 0:
                self.seconds = time.perf_counter() - begun
                self._log()
            if last or step % recipe.evaluate_every == 0:
                metrics = self._evaluate(bar)
            if last or step % recipe.checkpoint_every == 0 or self.stop:
                self.seconds = time.perf_counter() - begun
                self._save()
            if self.stop and not last:
                raise Interrupted(self.stop, step)
        return self._finish(metrics or self.evaluate())

    def _log(self):
        """Write the means since the last row, in float64: fetched from the device once per tensor, not once per step."""
        # sorted: a resumed run got its pending values back in another order, and must write the same bytes
        for (phase, name), values in sorted(self.pending.items()):
            mean = torch.stack(values).double().mean().item()
            if name == "loss" and not math.isfinite(mean):
                raise self._not_finite(phase, torch.tensor(mean), {})
            self.metrics.add(self.step, phase, name, mean)
        self.pending.clear()
        self.metrics.flush()
        self.times.add(self.step, round(self.seconds, 3))
        self.times.flush()

    # ------------------------------------------------------------------------------------------------ looking at the model

    def evaluate(self):
        """The experiment's metrics on the held-out data; always the same draws, none of them the training's."""
        return self._apart("evaluate", lambda: self.experiment.evaluate(self.held_out_data))

    def _apart(self, purpose, look):
        """look() without gradients, at the average where there is one, with draws of its own: it never changes the training."""
        states = torch_states(self.device)
        self.experiment.generator = torch.Generator(self.device).manual_seed(seed_of(self.recipe.seed, purpose))
        torch.manual_seed(seed_of(self.recipe.seed, purpose, "torch"))
        self.experiment.eval()
        self._swap_average()
        try:
            with torch.no_grad(), self.accelerator.autocast():
                return look()
        finally:
            self._swap_average()
            self.experiment.train()
            self.experiment.generator = self.generator
            set_torch_states(states)

    def _swap_average(self):
        for name, parameter in self.moved.items():
            parameter.data, self.average[name] = self.average[name], parameter.data

    def _evaluate(self, bar):
        metrics = self.evaluate()
        for name, value in metrics.items():
            self.metrics.add(self.step, "evaluate", name, float(value))
        self.metrics.flush()
        previews = self._apart("preview", lambda: self.experiment.preview(self.held_out_data))
        self.run.save_artifacts(previews, self.step)
        bar.say(f"step {self.step}: " + "  ".join(f"{name} {value:.4g}" for name, value in metrics.items()))
        return metrics

    def _finish(self, metrics):
        self.run.write_json("evaluation.json", verdict(self.recipe, metrics, self.step))
        self.run.write_json("environment.json", environment(self.device, self.seconds))
        self.metrics.close()
        self.times.close()
        return metrics

    # ------------------------------------------------------------------------------------------------ state

    def _open_rows(self, metrics_length=None, times_length=None):
        if not hasattr(self, "metrics"):
            self.metrics = Rows(self.run.folder / "metrics.csv", metrics_length)
            self.times = Rows(self.run.folder / "times.csv", times_length)

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
        for (phase, name), values in self.pending.items():
            tensors[f"pending/{phase}/{name}"] = torch.stack(values)
        tensors["generator/experiment"] = self.generator.get_state()
        tensors |= {f"generator/{name}": state for name, state in torch_states(self.device).items()}
        facts = {"run": self._identity(), "seconds": self.seconds}
        facts |= {"metrics_bytes": self.metrics.sync(), "times_bytes": self.times.sync()}
        checkpoint.save(self.run.checkpoints, self.step, tensors, facts)

    def _identity(self):
        """Whose state it is: as JSON would give it back."""
        asked = self.run.asked
        whose = {key: asked[key] for key in ("topic", "recipe", "fields")} | {"data": asked["data"]["sha256"]}
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
        load_weights(self.experiment, groups["experiment"], self.run.checkpoints)
        self.average = {name: groups["average"][name].to(self.device) for name in self.moved}
        for player in self.players:
            for name, parameter in player.parameters.items():
                prefix = f"{player.phase.name}/{name}/"
                state = {key.removeprefix(prefix): t for key, t in groups["optimizer"].items() if key.startswith(prefix)}
                player.optimizer.state[parameter].update({slot: t.to(parameter.device) for slot, t in state.items()})
        self.pending = {tuple(name.split("/", 1)): list(values.to(self.device)) for name, values in groups["pending"].items()}
        # clone: torch crashes the process when it is handed a view of another tensor as a generator's state
        self.generator.set_state(groups["generator"].pop("experiment").clone())
        set_torch_states({name: state.clone() for name, state in groups["generator"].items()})
        self.step, self.seconds = facts["step"], facts["seconds"]
        self._open_rows(facts["metrics_bytes"], facts["times_bytes"])
