"""What the processes of tests/test_engine_sharding.py do: toys trained whole and in parts, and what is kept of them."""

import gc
import json
from pathlib import Path

import torch
from torch import nn

from practice_torch.engine import checkpoint, sharding  # noqa: F401 - sharding takes its time: here, before anything is forked
from practice_torch.engine.errors import RunError
from practice_torch.engine.experiment import Phase
from practice_torch.engine.processes import Processes
from practice_torch.networks.decoder_transformer import DecoderTransformer
from tests import engine_kills
from tests.engine_toys import Noisy, Players, begin, remains
from tests.test_engine_updates import Weighted, changed


class Speaker(nn.Module):
    """A transformer on words of three tokens, some of them drawn anew by the engine's generator; dropout draws from torch's."""

    explains = {}
    phases = (Phase("train", moves=("network",)),)

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
    """Its loss reads a buffer that every process would fill with something else: the mean of the points seen so far."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(3))

    def forward(self, batch, phase):
        self.mean.lerp_(batch["point"].mean(0), 0.5 if self.training else 0.0)
        loss, logs = super().forward(batch, phase)
        return loss + (self.network[3].bias * self.mean).sum(), logs


class Scaled(Noisy):
    """A parameter without axes, which cannot be cut."""

    def __init__(self):
        super().__init__()
        self.network.scale = nn.Parameter(torch.ones(()))


FIELDS = {"clip_norm": 0.5, "average_decay": 0.9, "learning_rate": 0.01}
TOYS = {
    "speaker": (Speaker, {"accumulate": 2}),
    "remembering": (Remembering, {}),
    "weighted": (Weighted, {"accumulate": 2, "batch_size": 6}),
}


def told(toy, shard):
    """What `begin` and `go_on` are told of a toy."""
    make, fields = TOYS[toy]
    return {"make": make, "recipe": changed(**FIELDS, **fields, shard=shard)}


def main(folder):
    """Runs, named by toy and by whether it is sharded; beside each what this process kept of it."""
    folder = Path(folder)
    rank = Processes(cpu=True).rank
    for toy in TOYS:
        for shard, name in ((False, f"{toy}-whole"), (True, f"{toy}-parts")):
            training = begin(folder / name, **told(toy, shard))
            training.train()
            (folder / f"{name}-{rank}.json").write_text(json.dumps(kept(training)))
            del training
            gc.collect()
    refused = {}
    for make in (Players, Scaled):
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
    folder, call = Path(folder), 48
    engine_kills.TOYS["speaker"] = told("speaker", shard=True)
    alive = engine_kills.run("speaker", folder / "run", 2, die_at=call, states=folder / "states")
    earlier = max(state for state in (folder / "states").iterdir() if int(state.name) <= call - 12)
    found = []
    for run in (earlier, folder / "run"):
        step = checkpoint.newest(run / "checkpoints", print)[1]["step"]
        engine_kills.run("speaker", run, 2)
        found.append({"step": step, "same": remains(run) == remains(Path(straight))})
    return {"killed": alive, "ends": found}
