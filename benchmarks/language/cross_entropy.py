"""Cross-entropy over 50 257 tokens: block by block with its gradient at once, against the table of all logits.

    python -m benchmarks.language.cross_entropy [--repeats 7]

Both compute the mean loss of 2048 tokens from hidden states of width 384 and the gradients of both factors, float32, one thread.
Memory (on Linux) is the process's peak beyond what it held before, each side in its own processes.
Result: benchmarks/results/cross_entropy.json.
"""

import argparse
import sys
import time

import torch
from torch.nn import functional

from benchmarks.measuring.goals import EXTRA_BYTES
from benchmarks.measuring.memory import peak
from benchmarks.measuring.turns import conclude, in_turns
from practice_torch.networks.linear_cross_entropy import linear_cross_entropy

TOKENS, WIDTH, VOCABULARY = 2048, 384, 50257


def sides():
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(TOKENS, WIDTH, generator=generator).requires_grad_()
    weight = (0.02 * torch.randn(VOCABULARY, WIDTH, generator=generator)).requires_grad_()
    targets = torch.randint(VOCABULARY, (TOKENS,), generator=generator)

    def gradients(loss):
        return torch.autograd.grad(loss, (hidden, weight))

    return {
        "ours": lambda: gradients(linear_cross_entropy(hidden, weight, targets)),
        "all logits": lambda: gradients(functional.cross_entropy(hidden @ weight.T, targets)),
    }


def side(name):
    """One side, for its own process."""
    torch.set_num_threads(1)
    return sides()[name]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    began, calls = time.perf_counter(), sides()
    for a, b in zip(*(call() for call in calls.values()), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-7)
    extra = {name: peak("benchmarks.language.cross_entropy", name) for name in calls}
    seconds = in_turns(calls, repeats=arguments.repeats)
    code = conclude(
        "cross_entropy",
        f"loss and gradients of {TOKENS} tokens, width {WIDTH}, vocabulary {VOCABULARY}",
        seconds,
        ours="ours",
        began=began,
        unit=(TOKENS, "tokens"),
        extra_bytes=extra,
    )
    most = EXTRA_BYTES["cross_entropy"]
    taken = ", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in extra.items())
    print(f"  extra memory: {taken}; goal {most / 1e6:.0f} MB")
    return code or int(extra["ours"] > most)


if __name__ == "__main__":
    sys.exit(main())
