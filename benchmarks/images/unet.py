"""A training step of the diffusion U-Net of 9 million parameters against diffusers' UNet2DModel of the same layout.

    python -m benchmarks.images.unet [--repeats 7] [--threads 1]

32 x 32 x 3 images in batches of 8, levels of 64, 128, 128, 128 channels with two blocks each, attention at 16, group norm of 32
groups, no dropout, no classes: forward, mean squared error, backward and a fused AdamW step, float32. Heads are 64 wide here
and 8 wide in diffusers, as each has it by default, and in "diffusers, heads of 64" as wide as here; diffusers' attention has
biases. The products are as many on all sides, which is counted. Memory (on Linux) is each side's peak in its own processes
(measuring/memory.py). Result: benchmarks/results/unet.json.
"""

import argparse
import copy
import sys
import time
from importlib.metadata import version

import torch
from diffusers import UNet2DModel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measuring.memory import peak
from benchmarks.measuring.turns import conclude, in_turns
from practice_torch.networks.unet import UNet2d

BATCH, SIZE = 8, 32
WIDTHS = (64, 128, 128, 128)


def networks():
    ours = UNet2d(
        channels=3, size=SIZE, base_channels=64, multipliers=(1, 2, 2, 2), blocks=2, attention_at=(16,), zero_init=False
    )
    theirs, with_our_heads = (
        UNet2DModel(
            sample_size=SIZE,
            in_channels=3,
            out_channels=3,
            layers_per_block=2,
            block_out_channels=WIDTHS,
            norm_num_groups=32,
            down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=width,
        )
        for width in (8, 64)
    )
    return {"ours": ours, "diffusers": theirs, "diffusers, heads of 64": with_our_heads}


def operations(network):
    """Of the products for one image, forward and backward, counted without computing any."""
    network = copy.deepcopy(network).to("meta")
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        prediction = network(torch.zeros(1, 3, SIZE, SIZE), torch.ones(1, dtype=torch.int64))
        getattr(prediction, "sample", prediction).sum().backward()
    return counter.get_total_flops()


def step(network):
    """A call that trains the network by one step on the same batch each time."""
    generator = torch.Generator().manual_seed(0)
    x, noise = torch.randn(2, BATCH, 3, SIZE, SIZE, generator=generator)
    t = torch.randint(1, 1000, (BATCH,), generator=generator)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=True)

    def call():
        prediction = network(x, t)
        loss = (getattr(prediction, "sample", prediction) - noise).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return call


def side(name):
    """One side's step, for its own process."""
    torch.set_num_threads(1)
    return step(networks()[name])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    began, sides = time.perf_counter(), networks()
    counted = {name: operations(network) for name, network in sides.items()}
    assert len(set(counted.values())) == 1, f"the networks do not do the same work: {counted}"
    memory = {name: peak("benchmarks.images.unet", name) for name in sides}
    seconds = in_turns({name: step(network) for name, network in sides.items()}, repeats=arguments.repeats)
    code = conclude(
        "unet",
        f"a training step of {BATCH} images, {SIZE} x {SIZE}",
        seconds,
        ours="ours",
        began=began,
        unit=(BATCH, "images"),
        diffusers=version("diffusers"),
        extra_bytes=memory,
        parameters={name: sum(p.numel() for p in network.parameters()) for name, network in sides.items()},
        operations_of_an_image=counted["ours"],
    )
    print("  memory beyond the start: " + ", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in memory.items()))
    return code


if __name__ == "__main__":
    sys.exit(main())
