"""On one GPU, the engine against bare compiled loops and its peers: a GPT, a DCGAN and the CIFAR-10 U-Net in training, the GPT
and the U-Net on data that worker processes stream from the disk, and DDIM.

    python -m benchmarks.gpu [SUBJECT ...] [--steps 200] [--repeats 7] [--smoke]

First the machine itself: the rate of its bfloat16 matrix product, of copying, and of copying from the host. Then the subjects
that are named, or all; each module documents its comparison. At the end a table. Every side is first run alone, for its peak of
memory, and then in turns with the others, for its time (measuring/alternation.py). Wall time decides: on a GPU, CPU time is that
of the waiting process. Utilization counts the operations of the networks' matrix products and convolutions, no other, over the
measured and the data-sheet rate.
Compiling takes minutes. --smoke: everything at toy size, on the CPU where there is no GPU, to see that all of it runs; nothing
is kept. Results: benchmarks/results/gpu_<device>_<subject>.json.
"""

import argparse
import importlib
import sys

import torch
from rich.console import Console

from benchmarks.gpu.card import Card
from benchmarks.gpu.comparison import table

SUBJECTS = ("language", "adversarial", "diffusion", "streaming", "sampling")


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("subjects", nargs="*", metavar="subject", help=f"one or more of {', '.join(SUBJECTS)}; all if left out")
    parser.add_argument("--steps", type=int, default=200, help="training steps of each side (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=7, help="turns of sampling (default: %(default)s)")
    parser.add_argument("--smoke", action="store_true", help="toy sizes, to see that everything runs")
    arguments = parser.parse_args()
    if unknown := set(arguments.subjects) - set(SUBJECTS):
        parser.error(f"{', '.join(sorted(unknown))}: the subjects are {', '.join(SUBJECTS)}")
    if not arguments.smoke and not torch.cuda.is_available():
        print("error: torch finds no GPU; --smoke runs everything at toy size on the CPU", file=sys.stderr)
        return 2
    card, code = Card(arguments.smoke), 0
    print(card.words())
    for subject in arguments.subjects or SUBJECTS:
        measure = importlib.import_module(f"benchmarks.gpu.{subject}").measure
        code |= measure(card, arguments.repeats if subject == "sampling" else arguments.steps)
    Console(width=None if sys.stdout.isatty() else 130).print(table(card))
    return code


if __name__ == "__main__":
    sys.exit(main())
