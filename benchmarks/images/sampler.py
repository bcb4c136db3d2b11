"""A step of diffusion sampling without its network: ours against diffusers' schedulers, and the theory wing's compiled loop.

    python -m benchmarks.images.sampler [--repeats 9]

1000 ancestral (DDPM) and 50 DDIM steps of one 3 x 32 x 32 image in float32 with clipped data, one thread; the network is replaced
by the image itself, so that only the sampler's own work is timed. diffusers' schedulers are stepped as its pipelines do it, and
must end with the same image as ours. (Where its DDIM clips, it keeps the noise as it was predicted, a little less work than ours,
which fits the noise to the clipped data.) The theory wing's ddpm_sample is compiled whole, and its noise is given: it draws none
while it is timed. Torch's noise alone takes half of an ancestral step of ours (13 of 24 us here): 8x diffusers would leave
4 us for all else, of which each operation takes one or two. Results: benchmarks/results/sampler.json and sampler_ddim.json.
"""

import argparse
import os
import sys
import time
from importlib.metadata import version

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import jax
import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from benchmarks.measuring.turns import conclude, in_turns
from practice_torch.diffusion.noise_schedules import linear_alpha_bar
from practice_torch.experiments.sampling.diffusion_sampling import chain, draw
from theory_jax.diffusion.ancestral_sampling import ddpm_sample

LEVELS, FEW, SHAPE = 1000, 50, (1, 3, 32, 32)


def stepped(scheduler, x, generator):
    """diffusers' loop with the image for its own noise."""

    @torch.inference_mode()
    def call():
        out = x
        for t in scheduler.timesteps:
            out = scheduler.step(out, t, out, generator=generator).prev_sample
        return out

    return call


def require_same_image(ours, theirs, generator):
    """Each after the same noise."""
    ends = []
    for call in (ours, theirs):
        generator.manual_seed(1)
        ends.append(call())
    torch.testing.assert_close(*ends, rtol=0.0, atol=2e-4)


def in_jax(x, alpha_bar):
    noises = np.random.default_rng(0).standard_normal((LEVELS, *SHAPE)).astype(np.float32)
    sample = jax.jit(lambda x, noises, alpha_bar: ddpm_sample(x, noises, lambda x, t: x, alpha_bar, clip=1.0))
    given = x.numpy(), noises, alpha_bar.numpy()
    return lambda: jax.block_until_ready(sample(*given))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    began, generator = time.perf_counter(), torch.Generator().manual_seed(0)
    x = torch.randn(SHAPE, generator=generator)
    alpha_bar = linear_alpha_bar(num_steps=LEVELS)
    ancestral = DDPMScheduler(variance_type="fixed_large")
    ddim = DDIMScheduler(set_alpha_to_one=True, timestep_spacing="trailing")
    ancestral.set_timesteps(LEVELS)
    ddim.set_timesteps(FEW)
    many, few = chain(alpha_bar), chain(alpha_bar, steps=FEW, sampler="ddim")
    sides = {
        "ours, DDPM": lambda: draw(lambda x, t: x, x, many, limit=1.0, generator=generator),
        "diffusers DDPM": stepped(ancestral, x, generator),
        "theory wing, one JAX loop": in_jax(x, alpha_bar),
        "ours, DDIM (50 steps)": lambda: draw(lambda x, t: x, x, few, limit=1.0),
        "diffusers DDIM (50 steps)": stepped(ddim, x, generator),
    }
    require_same_image(sides["ours, DDPM"], sides["diffusers DDPM"], generator)
    require_same_image(sides["ours, DDIM (50 steps)"], sides["diffusers DDIM (50 steps)"], generator)
    seconds = in_turns(sides, repeats=arguments.repeats)
    steps = {side: FEW if "50" in side else LEVELS for side in sides}
    per_step = {
        side: {kind: [value / steps[side] for value in values] for kind, values in kinds.items()}
        for side, kinds in seconds.items()
    }
    code = 0
    for name, ours in (("sampler", "ours, DDPM"), ("sampler_ddim", "ours, DDIM (50 steps)")):
        compared = {side: kinds for side, kinds in per_step.items() if (steps[side] == FEW) == (steps[ours] == FEW)}
        code |= conclude(
            name,
            "a step of sampling without its network",
            compared,
            ours=ours,
            began=began,
            unit=(1, "steps"),
            diffusers=version("diffusers"),
        )
    return code


if __name__ == "__main__":
    sys.exit(main())
