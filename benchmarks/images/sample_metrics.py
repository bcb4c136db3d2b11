"""Metrics of samples from their features: ours against torch-fidelity's, in processor time and memory.

    python -m benchmarks.images.sample_metrics [--metric "frechet distance"] [--repeats 5]

The Frechet distance of 10,000 and 10,000 features of 2048 numbers, precision and recall of as many of 192 with three neighbors,
and the kernel distance of 20 subsets of 1000 of 2048; float32, one thread. Both sides get the same features and indices, and must
give the same numbers. Bound of the kernel distance: its products alone, as NumPy computes them on both sides, of x and of y with
themselves (2 K^2 D operations, of which a symmetric product does half) and with each other (2 K^2 D): 8.2 GFLOP a pair of subsets
of K = 1000, for 16 MB of features. That is 500 operations a byte: the rate of products is the limit, not the memory's. Memory (on
Linux) is a process's peak beyond what it held before, each side in its own processes.
Without torch-fidelity (`pip install --no-deps torch-fidelity`) only our side is timed, with a message. Results:
benchmarks/results/samples_*.json, which need torch-fidelity.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read once, when NumPy is imported: torch-fidelity computes with it

import argparse
import importlib.util
import sys
import time
from importlib.metadata import version

import torch

from benchmarks.measuring.goals import MEMORY_GOALS
from benchmarks.measuring.memory import peak
from benchmarks.measuring.turns import conclude, in_turns
from practice_torch.evaluation.frechet_distance import frechet_feature_distance
from practice_torch.evaluation.kernel_distance import kernel_inception_distance
from practice_torch.evaluation.precision_recall import precision_and_recall

COUNT, SUBSETS, SUBSET = 10_000, 20, 1000
WIDTHS = {"frechet distance": 2048, "precision and recall": 192, "kernel distance": 2048}
CLOSE = 1e-3  # float32 products in different orders; a kernel distance is a small difference of their means


def features(metric):
    """Two samples with correlated, skewed features, as those of a network are."""
    width, generator = WIDTHS[metric], torch.Generator().manual_seed(0)
    mix = torch.randn(width, width, generator=generator) / width**0.5 * torch.linspace(0.2, 2, width)
    one, other = (torch.randn(COUNT, width, generator=generator) @ mix for _ in range(2))
    return one.relu(), (1.03 * other + 0.02).relu()


def ours(metric):
    x, y = features(metric)
    if metric == "frechet distance":
        return lambda: [frechet_feature_distance(x, y).item()]
    if metric == "precision and recall":
        return lambda: [share.item() for share in precision_and_recall(x, y, neighbors=3)]
    subsets = _subsets()
    return lambda: kernel_inception_distance(x, y, *subsets).tolist()


def theirs(metric):
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    from torch_fidelity.metric_kid import kernel_mmd
    from torch_fidelity.metric_prc import calculate_precision_recall_full

    x, y = features(metric)
    if metric == "frechet distance":
        statistics = fid_features_to_statistics
        return lambda: [*fid_statistics_to_metric(statistics(x), statistics(y), verbose=False).values()]
    if metric == "precision and recall":
        return lambda: [*calculate_precision_recall_full(y, x)]
    arrays, subsets = (x.numpy(), y.numpy()), [part.numpy() for part in _subsets()]
    settings = {"kid_kernel": "poly", "kid_kernel_poly_degree": 3, "kid_kernel_poly_gamma": None, "kid_kernel_poly_coef0": 1}
    return lambda: [float(kernel_mmd(arrays[0][i], arrays[1][j], **settings)) for i, j in zip(*subsets, strict=True)]


def _subsets():
    generator = torch.Generator().manual_seed(1)
    return [torch.stack([torch.randperm(COUNT, generator=generator)[:SUBSET] for _ in range(SUBSETS)]) for _ in range(2)]


def products(metric):
    """The products of a kernel distance alone, of as many pairs of subsets."""
    x, y = (part[:SUBSET].numpy() for part in features(metric))
    return lambda: [float((x @ x.T)[0, 0] + (y @ y.T)[0, 0] + (x @ y.T)[0, 0]) for _ in range(SUBSETS)]


SIDES = {"ours": ours, "torch-fidelity": theirs}


def side(name):
    """One side of one metric, for its own process."""
    torch.set_num_threads(1)
    side, metric = name.split(": ")
    return SIDES[side](metric)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--metric", choices=WIDTHS, action="append", help="may be given more than once; otherwise all")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = importlib.util.find_spec("torch_fidelity") is not None
    if not found:
        print("torch-fidelity is not installed: ours is timed alone, and the results stay as they are")
    return max(compare(metric, found, arguments.repeats) for metric in arguments.metric or WIDTHS)


def compare(metric, found, repeats):
    """Print and write one metric; returns the exit code."""
    began = time.perf_counter()
    calls = {name: make(metric) for name, make in SIDES.items() if found or name == "ours"}
    answers = {name: torch.tensor(call()) for name, call in calls.items()}
    for name, answer in answers.items():
        off = (answer - answers["ours"]).abs().max() / answer.abs().max()
        if off > CLOSE:
            raise SystemExit(f"{metric}: {name} differs from ours by {off:.1e}, more than {CLOSE:.0e}")
    floors = None
    if metric == "kernel distance" and found:
        calls["products alone"] = products(metric)
        floors = {"torch-fidelity": ("products alone", "both sides compute the same products by the same library")}
    seconds = in_turns(calls, repeats=repeats)
    memory = {name: peak("benchmarks.images.sample_metrics", f"{name}: {metric}") for name in answers}
    share = memory["ours"] / memory["torch-fidelity"] if found else None
    name = f"samples_{metric.replace(' ', '_')}"
    goal = MEMORY_GOALS[name]
    code = conclude(
        name,
        f"the {metric} of {COUNT} and {COUNT} features of {WIDTHS[metric]}",
        seconds,
        ours="ours",
        began=began,
        keep=found,
        floors=floors,
        peak_bytes=memory,
        memory=share,
        torch_fidelity=version("torch-fidelity") if found else None,
    )
    if found:
        print(f"  {share:.2f} of its memory, goal {goal:g} {'reached' if share <= goal else 'MISSED'}")
    return code or int(found and share > goal)


if __name__ == "__main__":
    sys.exit(main())
