"""Generation by a WaveNet of nine blocks: queues against passes over the past, for sounds of growing length.

    python -m benchmarks.sequences.wavenet [--repeats 5]

The network of the recipe `notes` without classes (receptive field 512), one sound, float32, one thread. "whole past" looks again
at everything before each sample; "receptive field" at no more than the 512 samples that matter. All three draw by the same
uniforms, and in float64 they draw the same codes, which is checked before anything is timed. The goal is for the longest sound.
Result: benchmarks/results/wavenet.json.
"""

import argparse
import sys
import time

import torch

from benchmarks.measuring.turns import CLOCKS, conclude, in_turns, ratio
from practice_torch.autoregressive.wavenet import receptive_field
from practice_torch.experiments.autoregressive.wavenet import RECIPES
from practice_torch.networks.wavenet import WaveNet, draw

LENGTHS = (128, 512, 2048)


@torch.inference_mode()
def by_passes(network, uniforms, window):
    """Every code after a pass over the `window` codes before it."""
    codes = torch.zeros_like(uniforms, dtype=torch.long)
    for t in range(uniforms.shape[1]):
        start = max(0, t - window)  # the network itself puts silence in the place of the first
        codes[:, t] = draw(network(codes[:, start : t + 1])[:, -1], uniforms[:, t])
    return codes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    began, recipe = time.perf_counter(), RECIPES["notes"]
    torch.manual_seed(0)
    network = WaveNet(
        num_levels=recipe.levels,
        residual_channels=recipe.residual_channels,
        skip_channels=recipe.skip_channels,
        dilations=recipe.dilations,
    ).eval()
    reach = receptive_field(kernel_size=2, dilations=recipe.dilations)

    def sides(uniforms):
        return {
            "queues": lambda: network.generate(uniforms),
            "whole past": lambda: by_passes(network, uniforms, uniforms.shape[1]),
            "receptive field": lambda: by_passes(network, uniforms, reach),
        }

    network.double()
    drawn = {side: call() for side, call in sides(torch.rand(1, reach + 200, dtype=torch.float64)).items()}
    assert all(torch.equal(codes, drawn["queues"]) for codes in drawn.values()), "other codes were drawn"
    network.float()
    by_length = {length: in_turns(sides(torch.rand(1, length)), repeats=arguments.repeats) for length in LENGTHS}
    factors = {
        length: {side: {kind: ratio(seconds, side, "queues", kind) for kind in CLOCKS} for side in seconds if side != "queues"}
        for length, seconds in by_length.items()
    }
    longest = LENGTHS[-1]
    code = conclude(
        "wavenet",
        f"{longest} samples, one after the other, by a WaveNet of {len(recipe.dilations)} blocks",
        by_length[longest],
        ours="queues",
        began=began,
        unit=(longest, "samples"),
        distinct_codes=drawn["queues"].unique().numel(),
        receptive_field=reach,
        parameters=sum(p.numel() for p in network.parameters()),
        ratios_by_length=factors,
        seconds_by_length=by_length,
    )
    for length, found in factors.items():
        times = ", ".join(f"{side} {each['cpu']['median']:.1f}x as long" for side, each in found.items())
        print(f"  {length:5d} samples: {times}")
    return code


if __name__ == "__main__":
    sys.exit(main())
