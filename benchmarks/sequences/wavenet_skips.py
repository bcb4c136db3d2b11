"""A training pass of a WaveNet, forward and backward: the skips of all blocks as one product, against one product a block.

    python -m benchmarks.sequences.wavenet_skips [--repeats 7]

20 blocks of 64 channels with 1024 skip channels, half of the blocks of the recipe `speech_commands`, one sound of 2000 samples,
float32, one thread. "a product a block" computes the next input and the skip in one product and adds the skips up, as the network
did before. Both give the same logits and gradients, which is checked in float64 before anything is timed. The peak of memory is
that of a pass in its own process. Result: benchmarks/results/wavenet_skips.json.
"""

import argparse
import sys
import time

import torch
from torch.nn import functional

from benchmarks.measuring.memory import peak
from benchmarks.measuring.turns import conclude, in_turns
from practice_torch.arguments import as_int64
from practice_torch.networks.wavenet import WaveNet

CHANNELS, SKIPS, DILATIONS, LENGTH = 64, 1024, tuple(2**k for k in range(10)) * 2, 2000


def one_by_one(network, codes):
    """The network's logits, each block's skip by itself."""
    x = network.embedding(functional.pad(as_int64(codes), (1, 0), value=network.silence)[:, :-1])
    skips = 0
    for block in network.blocks:
        residual, skip = block.out(block.gated(x)).split([block.channels, block.skip_channels], dim=-1)
        x, skips = x + residual, skips + skip
    return network.head(skips)


FORMS = {"one product": WaveNet.forward, "a product a block": one_by_one}


def side(name, channels=CHANNELS, skips=SKIPS, length=LENGTH, dtype=torch.float32):
    """A pass, which returns the logits and the gradients."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = WaveNet(num_levels=256, residual_channels=channels, skip_channels=skips, dilations=DILATIONS).to(dtype)
    codes = torch.randint(256, (1, length))

    def call():
        logits = FORMS[name](network, codes)
        return logits.detach(), *torch.autograd.grad(logits.sum(), network.parameters(), allow_unused=True)

    return call


def require_same():
    made = [side(name, 5, 7, 30, torch.float64)() for name in FORMS]
    for got, wanted in zip(*made, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-12, atol=1e-12)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    began = time.perf_counter()
    require_same()
    memory = {name: peak("benchmarks.sequences.wavenet_skips", name) for name in FORMS}
    seconds = in_turns({name: side(name) for name in FORMS}, repeats=arguments.repeats)
    code = conclude(
        "wavenet_skips",
        f"a pass over {LENGTH} samples, forward and backward, by a WaveNet of {len(DILATIONS)} blocks",
        seconds,
        ours="one product",
        began=began,
        unit=(LENGTH, "samples"),
        peak_bytes=memory,
    )
    print("  " + ", ".join(f"{name}: {size / 1e6:.0f} MB" for name, size in memory.items()))
    return code


if __name__ == "__main__":
    sys.exit(main())
