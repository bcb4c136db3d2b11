"""The kernel of a diagonal state space, S4D, forward and backward: ours against the published form.

    python -m benchmarks.sequences.diagonal [--repeats 7]

256 channels of 32 modes (64 states), float32, one thread: the kernel, and the gradients of C, the step, the dampings and the
frequencies. The published form (the minimal S4D of github.com/state-spaces/s4) is written out below: a complex exponential for
every channel, mode and place, then the sum over the modes. Ours factors the exponential of a place into two, so that there are
2 sqrt(L) of them, and the rest is one real product of matrices a channel. Before anything is timed, both must give the same
kernels and gradients, relative to the largest entry of each. Result: benchmarks/results/diagonal.json.
"""

import argparse
import math
import sys
import time

import torch

from benchmarks.measuring.turns import CLOCKS, conclude, in_turns, ratio
from practice_torch.state_space.diagonal import diagonal_kernel

LENGTHS = (256, 1024, 4096)
CHANNELS, MODES = 256, 32
CLOSE = 2e-3  # float32, phases up to 3 pi L / 10: both round them, at different places


def arguments_of():
    """C in real and imaginary parts, log step, log of minus the real part, frequencies: a new S4D-Lin layer as published."""
    generator = torch.Generator().manual_seed(0)
    real, imaginary = (torch.randn(CHANNELS, MODES, generator=generator) * 0.5**0.5 for _ in range(2))
    log_step = torch.rand(CHANNELS, generator=generator) * math.log(100) + math.log(1e-3)
    dampings = torch.full((CHANNELS, MODES), math.log(0.5))
    return real, imaginary, log_step, dampings, (math.pi * torch.arange(MODES)).repeat(CHANNELS, 1)


def ours(real, imaginary, log_step, dampings, frequencies, length):
    return diagonal_kernel(torch.complex(real, imaginary), log_step, dampings, frequencies, length=length)


def published(real, imaginary, log_step, dampings, frequencies, length):
    step, c = log_step.exp(), torch.complex(real, imaginary)
    a = -dampings.exp() + 1j * frequencies
    exponents = a * step.unsqueeze(-1)
    powers = exponents.unsqueeze(-1) * torch.arange(length)
    c = c * (exponents.exp() - 1.0) / a
    return 2 * torch.einsum("hn,hnl->hl", c, powers.exp()).real


def forward_and_backward(form, length):
    given = [array.clone().requires_grad_() for array in arguments_of()]
    weights = torch.randn(CHANNELS, length, generator=torch.Generator().manual_seed(1))

    def call():
        kernel = form(*given, length)
        return kernel.detach(), *torch.autograd.grad(kernel, given, weights)

    return call


def require_same(made):
    """The kernel and its gradients of both sides."""
    for number, (got, wanted) in enumerate(zip(*(call() for call in made.values()), strict=True)):
        off = float((got - wanted).abs().max() / wanted.abs().max())
        if off > CLOSE:
            raise SystemExit(f"result {number} is off by {off:.1e} of its largest entry, more than {CLOSE:.0e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    began, by_length = time.perf_counter(), {}
    for length in LENGTHS:
        made = {"ours": forward_and_backward(ours, length), "the published form": forward_and_backward(published, length)}
        require_same(made)
        by_length[length] = in_turns(made, repeats=arguments.repeats)
    longest = LENGTHS[-1]
    ratios = {
        length: {kind: ratio(seconds, "the published form", "ours", kind) for kind in CLOCKS}
        for length, seconds in by_length.items()
    }
    code = conclude(
        "diagonal",
        f"an S4D kernel of {longest} places, forward and backward",
        by_length[longest],
        ours="ours",
        began=began,
        unit=(CHANNELS * longest, "entries"),
        shape={"channels": CHANNELS, "modes": MODES},
        ratios_by_length=ratios,
        seconds_by_length=by_length,
    )
    for length, of_clocks in ratios.items():
        print(f"  {length:5d} places: the published form takes {of_clocks['cpu']['median']:.1f}x as long")
    return code


if __name__ == "__main__":
    sys.exit(main())
