"""The programs of the processes in tests/engine/test_engine_sharding.py: toys trained whole and sharded, and their records."""

import copy
import functools
import gc
import json
import os
import resource
import signal
from datetime import timedelta
from pathlib import Path

import torch
from torch import nn

from practice_torch.engine.distributed import processes
from practice_torch.engine.distributed.processes import Processes
from practice_torch.engine.errors import RunError
from practice_torch.engine.experiment import Phase
from practice_torch.engine.loop import Interrupted
from practice_torch.engine.storage import checkpoint  # noqa: F401 - sharding takes its time: here, before forks
from practice_torch.networks.decoder_transformer import DecoderTransformer
from tests.engine.test_engine_updates import Weighted, changed
from tests.support.engine import kills as engine_kills
from tests.support.engine.toys import Noisy, Players, begin, remains, resume


class Speaker(nn.Module):
    """A transformer on words of three tokens, some of them drawn anew by the engine's generator; dropout draws from torch's."""

    explains = {}
    phases = (Phase("train", moves=("network",), rates={"output.weight": 0.5, "1.up.bias": 0.3}),)

    def __init__(self):
        super().__init__()
        network = DecoderTransformer(vocabulary_size=7, context_length=3, width=30, layers=2, heads=2, dropout=0.1)
        self.network = network.double()  # what differs from the whole then differs for a reason
        self.generator = None

    def forward(self, batch, phase):
        tokens = (2 * batch["point"]).round().clamp(-3, 3).long() + 3
        noise = torch.randint(7, tokens.shape, generator=self.generator)
        tokens = torch.where(torch.rand(tokens.shape, generator=self.generator) < 0.1, noise, tokens)
        return self.network(tokens[:, :-1], tokens[:, 1:]), {}

    def evaluate(self, data):
        return {"loss": float(self(data.batch(), "train")[0])}

    def preview(self, data):
        return {}

    def sample(self, count):
        return {}


class Remembering(Noisy):
    """Its loss reads a buffer that differs between processes: the mean of the points seen so far."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(3))

    def forward(self, batch, phase):
        self.mean.lerp_(batch["point"].mean(0), 0.5 if self.training else 0.0)
        loss, logs = super().forward(batch, phase)
        return loss + (self.network[3].bias * self.mean).sum(), logs


class Copying(Noisy):
    """Its third step begins by copying the network; from then on the loss reads the copy."""

    def __init__(self):
        super().__init__()
        self.copy = copy.deepcopy(self.network).requires_grad_(False)

    def forward(self, batch, phase):
        x = batch["point"]
        if self.training and int(self.seen) == 2 * len(x):
            self.copy.load_state_dict(self.network.state_dict())
        loss, logs = super().forward(batch, phase)
        return loss * (1 + (self.copy(x) - x).square().mean()), logs


class Turned(Noisy):
    """A parameter that is not contiguous, which torch does not cut yet."""

    def __init__(self):
        super().__init__()
        self.network.turned = nn.Parameter(torch.ones(2, 3).T)


class Scaled(Noisy):
    """A parameter without axes, which cannot be cut."""

    def __init__(self):
        super().__init__()
        self.network.scale = nn.Parameter(torch.ones(()))


FIELDS = {"clip_norm": 0.5, "average_decay": 0.9, "learning_rate": 0.01, "keep_best": True, "keep_every": 4}
TOYS = {
    "speaker": (Speaker, {"accumulate": 2}),
    "remembering": (Remembering, {}),
    "weighted": (Weighted, {"accumulate": 2, "batch_size": 12}),
    "copying": (Copying, {}),
}


def arguments_of(toy, shard):
    """Arguments of `begin` and `resume` for a toy."""
    make, fields = TOYS[toy]
    return {"make": make, "recipe": changed(**FIELDS, **fields, shard=shard)}


def main(folder):
    """Rollouts, named by toy and by whether it is sharded; next to each what this process kept of it."""
    folder = Path(folder)
    rank = Processes(cpu=True).rank
    for toy in TOYS:
        for shard, name in ((False, f"{toy}-whole"), (True, f"{toy}-parts")):
            training = begin(folder / name, **arguments_of(toy, shard))
            training.train()
            (folder / f"{name}-{rank}.json").write_text(json.dumps(kept(training)))
            del training
            gc.collect()
    refused = {}
    for make in (Players, Scaled, Turned):
        try:
            begin(folder / make.__name__, make=make, recipe=changed(shard=True))
        except RunError as error:
            refused[make.__name__] = str(error)
    (folder / f"refused-{rank}.json").write_text(json.dumps(refused))


def kept(training):
    """Numbers of every kind of tensor, here and in all; and the bytes of all tensors that the process holds."""
    (player,) = training.players
    kinds = {"weight": player.parameters, "average": training.average}
    kinds["gradient"] = {name: p.grad for name, p in player.parameters.items()}
    for slot in ("exp_avg", "exp_avg_sq"):
        kinds[slot] = {name: player.optimizer.state[p][slot] for name, p in player.parameters.items()}
    found = {f"{kind}/{name}": [_here(t).numel(), t.numel()] for kind, tensors in kinds.items() for name, t in tensors.items()}
    storages = [_here(t).untyped_storage() for t in gc.get_objects() if issubclass(type(t), torch.Tensor)]
    return {"numbers": found, "bytes": sum({s.data_ptr(): s.nbytes() for s in storages}.values())}


def _here(tensor):
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


def killed(folder, straight):
    """Of a run in parts that is killed inside a save, and of what a kill would have left inside an earlier one: how far it had
    come, and whether it ends as the uninterrupted run `straight`. And whether the kill found the run alive.
    """
    folder = Path(folder)
    engine_kills.TOYS["speaker"] = arguments_of("speaker", shard=True)
    alive = engine_kills.run("speaker", folder / "run", 2, die_at=("rename", ".writing-00000008"), states=folder / "states")
    drafts = (folder / "states").glob("*/checkpoints/.writing-00000007/state-00001.safetensors")  # rank 1 has written its part
    found = []
    for run in (max(drafts).parents[2], folder / "run"):
        step = checkpoint.newest(run / "checkpoints", print)[1]["step"]
        engine_kills.run("speaker", run, 2)
        found.append({"step": step, "same": remains(run) == remains(Path(straight))})
    return {"killed": alive, "ends": found}


def four(folder):
    """Rollouts of four processes: whole, in parts, and two copies in two parts each."""
    for name, fields in {"whole": {}, "parts": {"shard": True}, "copies": {"shard": True, "shard_copies": 2}}.items():
        begin(Path(folder) / name, make=Speaker, recipe=changed(**FIELDS, **fields, steps=7)).train()


class Stopped(Weighted):
    """The last process gets SIGTERM in its forward pass number `at`."""

    def __init__(self, at):
        super().__init__()
        self.passes, self.at = 0, at

    def forward(self, batch, phase):
        self.passes += self.training
        if self.passes == self.at and os.environ.get("RANK") == str(Processes(cpu=True).count - 1):
            os.kill(os.getpid(), signal.SIGTERM)
        return super().forward(batch, phase)


def stopped(folder, at):
    """Begin a run, or go on with it, and return the step at which a signal stops it, or its last step."""
    arguments = {"make": lambda: Stopped(at), "recipe": changed(**FIELDS, batch_size=12, accumulate=2, shard=True)}
    training = (resume if engine_kills.begun(Path(folder)) else begin)(Path(folder), **arguments)
    try:
        training.train()
    except Interrupted as stop:
        return stop.step
    return training.step


class Half(Speaker):
    """A Speaker in float32, as bfloat16 training requires."""

    def __init__(self):
        super().__init__()
        self.network.float()


def half(folder):
    """Two runs with bfloat16, whole and in parts; of what types a block's weights are where they are used, weights and gradients
    are where they are kept, and what is gathered and added up.
    """
    rank, travelled = Processes(cpu=True).rank, {}
    for name in ("all_gather_single", "reduce_scatter_single"):
        setattr(torch.distributed, name, functools.partial(_watched, getattr(torch.distributed, name), travelled))
    for name, shard in (("whole", False), ("parts", True)):
        # steps so small that what differs is the rounding of one pass, and not two ways that part
        recipe = changed(**FIELDS | {"learning_rate": 1e-4}, shard=shard, precision="bfloat16")
        training, used = begin(Path(folder) / name, make=Half, recipe=recipe), set()
        linear = next(each for each in training.experiment.network.blocks[0].modules() if isinstance(each, nn.Linear))
        linear.register_forward_pre_hook(lambda module, _, used=used: used.add(str(module.weight.dtype)))
        training.train()
        kept = {str(tensor.dtype) for parameter in training.experiment.parameters() for tensor in (parameter, parameter.grad)}
        found = {"used": sorted(used), "kept": sorted(kept)} | {name: sorted(types) for name, types in travelled.items()}
        (Path(folder) / f"{name}-{rank}.json").write_text(json.dumps(found))


def _watched(collective, travelled, *tensors, **options):
    types = {str(each.dtype) for each in (*tensors, *options.values()) if isinstance(each, torch.Tensor)}
    travelled.setdefault(collective.__name__, set()).update(types)
    return collective(*tensors, **options)


def failing(folder):
    """The error of each process when the disk of rank 1 is full, and when rank 1 is late."""
    folder, rank, limit = Path(folder), Processes(cpu=True).rank, resource.getrlimit(resource.RLIMIT_FSIZE)
    training, said = begin(folder / "full", make=Speaker, recipe=changed(**FIELDS, shard=True)), {}
    if rank == 1:
        training.experiment.network.register_forward_hook(
            lambda *_: training.step == 2 and resource.setrlimit(resource.RLIMIT_FSIZE, (600, limit[1])) or None
        )
    try:
        training.train()
    except RunError as error:
        said["full"] = str(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    processes.TIME_LIMIT = timedelta(seconds=0.3)
    late = Processes(cpu=True, purpose="late")
    if rank == 0:
        try:
            late.wait()
        except RunError as error:
            said["late"] = str(error)
    processes.TIME_LIMIT = timedelta(seconds=60)
    Processes(cpu=True, purpose="end").wait()
    return said
