"""Small experiments and data for the tests of the engine: seconds become milliseconds, and every kind of state is there."""

import os
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, ClassVar

import torch
from torch import nn

from practice_torch.engine.artifacts import Text
from practice_torch.engine.bounds import AtLeast
from practice_torch.engine.distributed.evaluation_shares import ALONE
from practice_torch.engine.distributed.processes import Processes
from practice_torch.engine.distributed.whole_batch import WholeBatch
from practice_torch.engine.experiment import Phase
from practice_torch.engine.loop import Training
from practice_torch.engine.recipe import Recipe
from practice_torch.engine.stages import Place, Stage
from practice_torch.engine.storage.run import Run
from practice_torch.experiments.codes.image_codes import follow


@dataclass(frozen=True)
class SoundRecipe(Recipe):
    """A recipe of sounds, with the fields that its loader reads."""

    modality: ClassVar[str] = "audio"
    data: str = "notes"
    sample_rate: Annotated[int, AtLeast(1)] = 8000
    length: Annotated[int, AtLeast(1)] = 1024
    skip_unusable: bool = False


@dataclass(frozen=True, eq=False)
class Points:
    """37 points in 3 dimensions."""

    points: torch.Tensor

    @classmethod
    def drawn(cls, count=37):
        return cls(torch.randn(count, 3, generator=torch.Generator().manual_seed(5)))

    @property
    def description(self):
        return {"shape": [3], "sha256": "of the points", "count": len(self.points)}

    def __len__(self):
        return len(self.points)

    def batch(self, indices=None):
        return {"point": self.points if indices is None else self.points[indices]}

    def to(self, device):
        return self


@dataclass(frozen=True, eq=False)
class StreamedPoints(Points):
    """The same points, as if they were on a disk; each process that reads them leaves its number in a folder."""

    readers: Path | None = None
    broken: Exception | None = None  # raised for example 5
    varies: bool = False
    resident_bytes: int = 37 * 12
    order = None

    @property
    def description(self):
        return super().description | {"name": "photos"}

    def batch(self, indices, draws=None):
        if self.readers:
            (self.readers / str(os.getpid())).touch()
        if self.broken and 5 in indices:
            raise self.broken
        points = self.points[indices]
        return {"point": points + draws[:, None] if self.varies and draws is not None else points, "index": indices}

    def resident(self):
        return Points(self.points)


class Noisy(nn.Module):
    """Every kind of state: weights with several rates, a buffer that counts, draws from the engine's generator and torch's."""

    explains = {}
    phases = (Phase("train", moves=("network",), rates={"0.bias": 0.5, "3.weight": 2.0}),)

    def __init__(self, at=None):
        super().__init__()
        self.network = nn.Sequential(nn.Linear(3, 5), nn.Dropout(0.5), nn.Tanh(), nn.Linear(5, 3))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        self.generator, self.at = None, at or {}

    def forward(self, batch, phase):
        x = batch["point"]
        self.seen += len(x) if self.training else 0  # a buffer that an evaluation must leave alone
        noisy = x + torch.randn(x.shape, generator=self.generator)
        error = (self.network(noisy) - x).square().sum(1)
        loss = error.mean() * (1 + 1 / self.seen)
        if self.training and int(self.seen) // len(x) in self.at:
            loss = self.at[int(self.seen) // len(x)](self, loss)
        return loss, {"largest": error.detach().max()}

    def evaluate(self, data):
        return {"loss": float(self(data.batch(), "train")[0])}

    def preview(self, data):
        return {"words": Text("seen", "what was seen")}

    def sample(self, count):
        return self.preview(None)


class Sharing(Noisy):
    """Several processes share its looks: a mean over the data with noise, and samples. It reads a buffer that differs in each."""

    def __init__(self, at=None):
        super().__init__(at)
        self.register_buffer("mean", torch.zeros(3))
        self.shares, self.drawn, self.fails = ALONE, [], {}

    def forward(self, batch, phase):
        self.mean.lerp_(batch["point"].mean(0), 0.5 if self.training else 0.0)
        return super().forward(batch, phase)

    def evaluate(self, data):
        total = 0.0
        for number, indices in enumerate(torch.arange(len(data)).split(8)):
            noise = torch.randn(len(indices), 3, generator=self.generator)
            if self.shares.takes(number):
                x = data.batch(indices)["point"]
                total += (self.network(x + noise + self.mean) - x).square().sum().item()
        samples = self._samples(51)
        loss = sum(self.shares.together([total])) / len(data)
        return {"loss": loss, "samples": len(samples), "different": len(samples.unique(dim=0))}

    def preview(self, data):
        return {"words": Text(str(self._samples(3).tolist()), "samples")}

    def _samples(self, count):
        return self.shares.rows(self._draw, torch.arange(count))

    def _draw(self, rows):
        self.drawn.append(len(rows))
        if self.shares.rank in self.fails:
            raise self.fails[self.shares.rank]
        return self.network(torch.randn(len(rows), 3, generator=self.generator))


class Weighing(Noisy):
    """Its metric is a mean over the data, without a draw."""

    def evaluate(self, data):
        x = data.batch(torch.arange(len(data)))["point"]
        return {"loss": (self.network(x) - x).square().sum(1).mean().item(), "examples": len(data)}

    def evaluation_weight(self, data):
        return len(data)


class Players(nn.Module):
    """Two players who pull one number to and fro; the second plays twice a step."""

    explains = {}
    phases = (Phase("first", moves=("left",)), Phase("second", moves=("right", "scale"), times=2, learning_rate=0.5))

    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(3, 1), nn.Linear(3, 1)
        self.scale = nn.Parameter(torch.ones(()))
        self.generator, self.played, self.batches, self.frozen = None, [], [], []

    def forward(self, batch, phase):
        if self.training:
            self.played.append(phase)
            self.batches.append(batch["point"].clone())
            self.frozen.append([name for name, parameter in self.named_parameters() if not parameter.requires_grad])
        difference = (self.left(batch["point"]) - self.scale * self.right(batch["point"])).square().mean()
        return (difference if phase == "first" else -difference), {}

    def evaluate(self, data):
        return {"loss": 0.0}

    def preview(self, data):
        return {}

    def sample(self, count):
        return {}


class Coded(Noisy):
    """Points and the codes that follow them, as moving averages; none is drawn anew."""

    def __init__(self):
        super().__init__()
        self.double()
        self.recipe, self.whole_batch = SimpleNamespace(codes=4, decay=0.9, restart_below=0.0), WholeBatch()
        self.register_buffer("codebook", torch.eye(4, 3, dtype=torch.float64))
        self.register_buffer("counts", torch.zeros(4, dtype=torch.float64))
        self.register_buffer("sums", torch.zeros(4, 3, dtype=torch.float64))

    def forward(self, batch, phase):
        z = self.network[0](batch["point"].double())
        codes = self.network[3](z) - batch["point"]
        if self.training:  # an evaluation is rank 0's alone
            follow(self, codes.detach(), torch.cdist(codes, self.codebook).argmin(1))
        return codes.square().sum(1).mean(), {}


RECIPE = Recipe(
    steps=14, batch_size=8, learning_rate=0.1, weight_decay=0.01, log_every=5, evaluate_every=7, checkpoint_every=4, seed=3
)


def begin(folder, at=None, *, make=Noisy, recipe=RECIPE, data=None):
    """A new run, about to train; `at`: events of a noisy experiment by step."""
    torch.manual_seed(recipe.seed)
    experiment = make(at) if at else make()
    held_out = Points.drawn()
    run = Processes(cpu=True).broadcast(lambda: Run.create(folder, "toys/noisy", "toy", recipe, held_out.description))
    return Training(run, recipe, experiment, data or held_out, held_out, cpu=True)


def resume(folder, at=None, *, make=Noisy, recipe=RECIPE, say=print, data=None):
    """The run of a folder, restored."""
    run = Run.open(folder)
    # whatever the new process starts with must not matter, unless there is nothing yet to take its place
    torch.manual_seed(99 if run.has_begun() else recipe.seed)
    held_out = Points.drawn()
    training = Training(run, recipe, make(at) if at else make(), data or held_out, held_out, cpu=True)
    training.restore(say)
    return training


def remains(folder):
    """The bytes that an interruption must not change: the last state, the metrics, and the states that are kept for good."""
    every = Run.open(folder).asked["fields"]["keep_every"]
    *_, last = checkpoints = sorted((folder / "checkpoints").glob("step-*"))
    kept = [path for path in checkpoints if every and path != last and int(path.name[5:]) % every == 0]
    kept += sorted((folder / "best").glob("step-*"))
    states = {f"{path.parent.name}/{path.name}": [file.read_bytes() for file in sorted(path.glob("state*"))] for path in kept}
    return last.name, [file.read_bytes() for file in sorted(last.glob("state*"))], (folder / "metrics.csv").read_bytes(), states


@dataclass(frozen=True)
class StagedRecipe(Recipe):
    """Five steps of one network, then one of both (two of a longer training), then another network alone."""

    def stages(self):
        both = max(1, self.steps // 8 // 2)
        rest = self.steps - 5 - both
        return Stage("first", 5, ("one",)), Stage("both", both, ("one", "other")), Stage("second", rest, ("other",))


class Staged(nn.Module):
    """`other` begins as a copy of `one`, and learns to undo it on what is drawn."""

    explains = {}
    phases = (Phase("one", moves=("one",)), Phase("other", moves=("other",), times=2))

    def __init__(self, at=None):
        super().__init__()
        self.one, self.other = nn.Linear(3, 3), nn.Linear(3, 3)
        self.generator, self.at, self.place, self.played = None, at or {}, Place("first", 0), []

    def forward(self, batch, phase):
        x = batch["point"]
        if self.training:
            self.played.append((phase, *self.place))
        if phase == "one":
            loss = (self.one(x) - x.roll(1, 1)).square().mean()
        else:
            if self.place == ("both", 0):
                self.other.load_state_dict(self.one.state_dict())
            loss = (self.other(self.one(x + torch.randn(x.shape, generator=self.generator, device=x.device))) - x).square().mean()
        step = {"first": 1, "both": 6, "second": 7}[self.place.stage] + self.place.taken
        return self.at[step](self, loss) if self.training and step in self.at else loss, {}

    def evaluate(self, data):
        return {"loss": float(self(data.batch(), "other")[0]), "taken": self.place.taken}

    def preview(self, data):
        return {}

    def sample(self, count):
        return {}
