"""Training throughput: tokens, images or seconds of sound per second, and the share of a GPU's peak in matrix products."""

import re
import sys
import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from practice_torch.engine.distributed.processes import Processes
from practice_torch.engine.experiment import Experiment
from practice_torch.engine.recipe import Recipe
from practice_torch.engine.stages import stages_of

# Dense operations per second on matrix units with float32 sums, in bfloat16 and in TF32. NVIDIA's data sheets (H100, H200, A100,
# L4, L40S; half of what they state with sparsity) and architecture papers (Ada GPU, GA102). The first row applies
# that has all its words in the device's name.
PEAKS = {
    "H100 PCIe": (756e12, 378e12),
    "H100 NVL": (835e12, 417e12),
    "H100": (989e12, 494e12),
    "H200 NVL": (835e12, 417e12),
    "H200": (989e12, 494e12),
    "A100": (312e12, 156e12),
    "L4": (121e12, 60e12),
    "L40S": (362e12, 183e12),
    "RTX 4090": (165e12, 82.6e12),
    "RTX 3090": (71e12, 35.6e12),
}
OTHERS = {"D", "GRID", "Laptop", "MIG", "Ti"}  # other or partial devices with such a name


def peak_of(device: str, precision: str) -> float | None:
    """Peak operations per second of the device of this name; None if it is not known."""
    words = set(re.split(r"[ -]", device))
    found = next((rates for name, rates in PEAKS.items() if set(name.split()) <= words and not words & OTHERS), None)
    return found and found[0 if precision == "bfloat16" else 1]


def _twin(experiment):
    from practice_torch.engine.costs.flops import on_meta  # torch's counter, which a run on a CPU does not need

    return on_meta(experiment)


class Throughput:
    """Counts the content of a run's batches, in laps: from one row of times.csv to the next, without evaluations and saving.

    All processes together, if there are several. Utilization is of model FLOPs: operations that blocks take again do not count.
    """

    def __init__(self, experiment: Experiment, recipe: Recipe, device: torch.device, processes: Processes) -> None:
        self.recipe, self.processes = recipe, processes
        self._stages = {stage.name: stage for stage in stages_of(recipe)}
        on_gpu = device.type == "cuda"
        self.peak = peak_of(torch.cuda.get_device_name(device), recipe.precision) if on_gpu else None
        self._twin = _twin(experiment) if on_gpu else None  # as it is before it is wrapped, sharded or compiled
        self._unit, self._last = "", (0.0, None)
        self._flops = {}  # name of a stage, or "" -> operations for a batch, None where they cannot be counted
        self._laps, self._sums = 0, (0.0, 0.0, 0.0)
        self.begin()

    def begin(self) -> None:
        """Begin a lap; an unfinished one is discarded."""
        self._amount, self._operations, self._since = 0.0, 0.0, time.perf_counter()

    def see(self, batch: Mapping[str, Tensor], stage: str = "") -> None:
        """Add a batch of this process, of the stage with this name. The first batch determines the unit of an example."""
        if not self._unit:
            self._each, self._unit = self._amount_of(batch)
        if self._twin is not None and stage not in self._flops:
            self._flops[stage] = self._count(batch, stage)
        examples = len(next(iter(batch.values()))) if batch else 1
        self._amount += examples * self._each * self.processes.count
        self._operations += self._flops.get(stage) or 0.0

    def lap(self) -> tuple[float, float | None]:
        """End a lap: (amount per second, utilization or None). The first lap, which compiles, counts only if it is alone."""
        given = self._amount, self._operations, time.perf_counter() - self._since
        self._sums = given if self._laps <= 1 else tuple(map(sum, zip(self._sums, given, strict=True)))
        self._laps, self._last = self._laps + 1, self._rates(*given)
        self.begin()
        return self._last

    def words(self) -> str:
        """The last lap for a line of progress; "" before its end."""
        rate, utilization = self._last
        number = f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"
        share = "" if utilization is None else f" ({utilization:.0%} of peak)"
        return f"{number} {self._unit}/s{share}" if rate else ""

    def facts(self) -> dict[str, Any]:
        """The entries of environment.json."""
        rate, utilization = self._rates(*self._sums)
        found = {"unit": f"{self._unit} per second", "rate": round(rate, 3)}
        if known := {stage: flops for stage, flops in self._flops.items() if flops is not None}:
            of_steps = {stage: flops * self._turns(stage) * self.processes.count for stage, flops in known.items()}
            found |= {"flops_of_a_step": of_steps if self._stages else of_steps[""]}
        return {"throughput": found if utilization is None else found | {"utilization": utilization, "peak_flops": self.peak}}

    def _turns(self, stage):
        """Batches of a step of the stage in this process."""
        phases = self._stages[stage].phases if stage else [phase.name for phase in self._twin.phases]
        return self.recipe.accumulate * sum(phase.times for phase in self._twin.phases if phase.name in phases)

    def _rates(self, amount, operations, seconds):
        seconds = max(seconds, 1e-9)
        known = self.peak is not None and self._flops and None not in self._flops.values()
        return amount / seconds, operations / seconds / self.peak if known else None

    def _count(self, batch, stage):
        """Operations for a batch, in the mean over the turns of a step; None where they cannot be counted."""
        from practice_torch.engine.costs.flops import flops_of_step

        try:
            return flops_of_step(self._twin, batch, self.recipe, self._stages.get(stage)) / self._turns(stage) or None
        except (NotImplementedError, RuntimeError) as error:
            if self.processes.first:
                print(f"note: the operations of a step are not counted, since it reads values: {error}", file=sys.stderr)
            return None

    def _amount_of(self, batch):
        """(how much an example is, of what); an empty batch counts as one turn."""
        if not batch:
            return 1, "turns"
        modality = self.recipe.modality
        if modality == "audio" and "audio" in batch:
            return batch["audio"].shape[-1] / self.recipe.sample_rate, "seconds of sound"
        if modality == "text" and "tokens" in batch:
            return batch["tokens"][0, 1:].numel(), "tokens"
        return 1, "images" if modality == "images" else "examples"
