"""On one GPU: a GPT, a DCGAN and the CIFAR-10 U-Net, trained by the engine, by bare loops and with their peers' networks; DDIM.

    python -m benchmarks.gpu [language] [adversarial] [diffusion] [sampling] [--steps 200] [--repeats 7] [--smoke]

First the machine itself: the rate of its bfloat16 matrix product and of copying. Then whatever is named, or all of it; each
module here says what it compares. Every side is first run alone, for its peak of memory, and then in turns with the others, for
its time (measuring/alternation.py). Wall time decides: on a GPU, CPU time is that of whoever waits for it. Utilization counts
the operations of the networks' matrix products and convolutions, no other, over the measured and the data-sheet rate.
Compiling takes minutes. --smoke: everything at toy size on the CPU, to see that the script runs; nothing is kept.
Results: benchmarks/results/gpu_*.json.
"""

import argparse
import importlib
import sys

import torch

from benchmarks.gpu.card import Card

SUBJECTS = ("language", "adversarial", "diffusion", "sampling")


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("subjects", nargs="*", metavar="subject", help=f"one or more of {', '.join(SUBJECTS)}; all if left out")
    parser.add_argument("--steps", type=int, default=200, help="training steps of each side (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=7, help="turns of sampling (default: %(default)s)")
    parser.add_argument("--smoke", action="store_true", help="toy sizes on the CPU")
    arguments = parser.parse_args()
    if unknown := set(arguments.subjects) - set(SUBJECTS):
        parser.error(f"{', '.join(sorted(unknown))}: the subjects are {', '.join(SUBJECTS)}")
    if not arguments.smoke and not torch.cuda.is_available():
        print("error: no GPU is here; --smoke runs everything at toy size on the CPU", file=sys.stderr)
        return 2
    card, code = Card(arguments.smoke), 0
    print(f"{card.device}: {card.rate / 1e12:.3g} T operations/s in bfloat16 products, {card.copy / 1e9:.4g} GB/s copied")
    for subject in arguments.subjects or SUBJECTS:
        measure = importlib.import_module(f"benchmarks.gpu.{subject}").measure
        code |= measure(card, arguments.repeats if subject == "sampling" else arguments.steps)
    return code


if __name__ == "__main__":
    sys.exit(main())
