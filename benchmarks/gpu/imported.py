"""The FID of the published DDPM of CIFAR-10, whose weights are imported, by the commands that a user gives.

    python -m benchmarks.gpu imported --weights FOLDER --inception FILE

FOLDER: google/ddpm-cifar10-32, with safetensors; FILE: Inception's weights, as `evaluate --inception` takes them. Both you must
have; CIFAR-10 is downloaded by torchvision. `import`, then `sample --count 50000 --out`, then what `evaluate --samples DIR
--inception FILE` computes, against the whole training set: first in 50 steps of DDIM, which is a twentieth of the work, then in
the 1000 steps of the paper. Published: 4.67 (Song, Meng & Ermon 2021, table 1) and 3.17 (Ho et al. 2020, table 1).

What differs from the publications: samples are drawn in float32 by PyTorch, and features are those of a converted Inception;
DDIM's levels are evenly spaced, and the paper's of CIFAR-10 by squares. Published FIDs are of averaged weights: the file does not
say whether it has these. Without FOLDER and FILE the subject measures nothing and says so. Toys: a random network, and means of
channels in place of Inception's features. Not run here on the published weights.
"""

import json
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.gpu.comparison import keep
from benchmarks.gpu.inception import Toy
from practice_torch.__main__ import main
from practice_torch.engine.batches.datasets import load_data
from practice_torch.engine.distributed.evaluation_shares import ALONE
from practice_torch.engine.distributed.processes import Processes
from practice_torch.engine.storage.run import Run
from practice_torch.experiments.diffusion import training
from practice_torch.experiments.judging import image_sets, published_metrics
from practice_torch.experiments.judging.published_samples import Protocol, judge_as_published, published_protocol
from practice_torch.pretrained.weights import write_weights

COUNT, FEW, FEW_STEPS = 50_000, 25, 2
# how -> (number of steps, None for all, other options of `sample`, and the published FID)
WAYS = {"DDIM, 50 steps": (50, ("--sampler", "ddim", "--spacing", "leading", "--no-clip"), 4.67), "1000 steps": (None, (), 3.17)}
TOY = dict(
    base_channels=4, multipliers=(1, 2), blocks=1, attention_at=(4,), norm_groups=2, compact=False, ddpm_layers=True,
    conditional=False, noise_schedule="linear", num_steps=4, judged_steps=2,
)  # fmt: skip


def made_up(folder):
    """A published folder of a random network, and the data that it is compared with."""
    entry, side = training.PRETRAINED["UNet2DModel"], 8
    recipe, description = training.DiffusionRecipe(**TOY), {"shape": [3, side, side], "classes": None, "name": "noise"}
    write_weights(
        folder / "weights",
        entry.theirs(recipe, description, recipe.backbone((3, side, side), None).state_dict()),
        stem=entry.stem,
    )
    for name, content in entry.files(recipe, description, "float32").items():
        (folder / "weights" / name).write_text(json.dumps(content))
    np.savez(folder / "data.npz", images=np.random.default_rng(0).integers(0, 256, (40, side, side, 3), dtype=np.uint8))
    return folder / "weights", folder / "data.npz"


def command(*words):
    """A command of practice_torch; RuntimeError if it fails."""
    if code := main([str(word) for word in words]):
        raise RuntimeError(f"{words[0]} ended with exit code {code}")


def protocol_of(card, data, samples, inception, processes):
    """What the samples are compared with, and by which features."""
    if not card.toy:
        return published_protocol(inception, "train", data, samples, processes, print)
    network, real = Toy().to(processes.device), image_sets.of_data(data[0], "the training part")
    found = published_metrics.measure(real, network, ALONE, print)
    return Protocol(network, "means of channels", real.size, found, "the training part")


def measure(card, weights=None, inception=None):
    """Returns the exit code."""
    if not card.toy and not (weights and inception):
        print("imported: not measured; --weights FOLDER of ddpm-cifar10-32 and --inception FILE are needed", flush=True)
        return 0
    count, cpu = FEW if card.toy else COUNT, () if card.on_gpu else ("--cpu",)
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        folder, source = made_up(place) if card.toy else (weights, "cifar10")
        command("import", folder, "--run", place / "run", "--data", source)
        fields = Run.open(place / "run").asked["fields"]
        recipe = training.DiffusionRecipe(**{name: tuple(v) if isinstance(v, list) else v for name, v in fields.items()})
        data, processes = load_data(recipe), Processes(not card.on_gpu)
        for number, (way, (steps, options, published)) in enumerate(WAYS.items()):
            options += ("--steps", FEW_STEPS if card.toy else steps) if steps else ()
            began, samples = time.perf_counter(), place / f"drawn_{number}"
            command("sample", place / "run", "--count", count, "--out", samples, *cpu, *options)
            drawing, start = time.perf_counter() - began, time.perf_counter()
            protocol = protocol_of(card, data, samples, inception, processes)
            metrics = judge_as_published(protocol, samples, 0, processes, recipe.seed, print)["metrics"]
            seconds = {"drawing": drawing, "judging": time.perf_counter() - start}
            value = metrics["frechet_distance"]["value"]
            what = f"FID of {count:,} samples of the imported ddpm-cifar10-32, {way}"
            name = "imported_" + "_".join(way.lower().replace(",", "").split())
            keep(card, name, what, began, fid=value, published=published, metrics=metrics, seconds=seconds)
            words = "of a random network" if card.toy else f"published {published}"
            print(f"imported, {way}: FID {value:.2f}, {words}; {count / drawing:,.3g} images/s", flush=True)
    return 0
