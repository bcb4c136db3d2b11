"""A step of diffusion sampling without its network: ours against diffusers' schedulers, and the theory wing's compiled loop.

    python -m benchmarks.images.sampler [--repeats 9]

1000 ancestral (DDPM) and 50 DDIM steps of one 3 x 32 x 32 image in float32 with clipped data, one thread; the network is replaced
by the image itself, so that only the sampler's own work is timed. diffusers' schedulers are stepped as its pipelines do it, and
must end with the same image as ours. (Where its DDIM clips, it keeps the noise as it was predicted, a little less work than ours,
which fits the noise to the clipped data.) The theory wing's ddpm_sample is compiled whole, and its noise is given, so that it
does less than ours; next to it, the same loop with the noise that it draws. Bounds: a step without its network is a sum of x and
the prediction, a clip, and a sum of the data and x, and no call of torch adds more than two tensors, so that it takes four calls,
and the noise. They are timed alone, in memory that is there. Results: benchmarks/results/sampler.json and sampler_ddim.json.
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


def in_jax(x, alpha_bar, *, drawn):
    """The theory wing's loop, with noise that is drawn in it, or given."""

    def sample(x, key, noises, alpha_bar):
        noises = jax.random.normal(key, (LEVELS, *SHAPE)) if drawn else noises
        return ddpm_sample(x, noises, lambda x, t: x, alpha_bar, clip=1.0)

    noises = np.random.default_rng(0).standard_normal((LEVELS, *SHAPE)).astype(np.float32)
    given, compiled = (x.numpy(), jax.random.key(0), noises, alpha_bar.numpy()), jax.jit(sample)
    return lambda: jax.block_until_ready(compiled(*given))


@torch.inference_mode()
def least(x, steps, generator=None):
    """The four calls of so many steps, and their noise if a generator is given, in the same memory each time."""
    x0, after = torch.empty_like(x), torch.empty_like(x)
    for _ in range(steps):
        torch.add(x, x, alpha=-0.5, out=x0)
        x0.clamp_(-1.0, 1.0)
        if generator:
            after.normal_(generator=generator)
        after.add_(x0, alpha=0.5)
        after.add_(x, alpha=0.5)


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
        "theory wing, one JAX loop": in_jax(x, alpha_bar, drawn=False),
        "theory wing, drawing its noise": in_jax(x, alpha_bar, drawn=True),
        "noise and four calls": lambda: least(x, LEVELS, generator),
        "ours, DDIM (50 steps)": lambda: draw(lambda x, t: x, x, few, limit=1.0),
        "diffusers DDIM (50 steps)": stepped(ddim, x, generator),
        "four calls (50 steps)": lambda: least(x, FEW),
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
    calls = "a sum of two tensors is a call, and a step has three and a clip"
    least_of = {
        "diffusers DDPM": ("noise and four calls", f"both draw the same noise, and {calls}"),
        "theory wing, one JAX loop": ("noise and four calls", "its noise is given, and ours draws it"),
    }
    for name, ours, floors in (
        ("sampler", "ours, DDPM", least_of),
        ("sampler_ddim", "ours, DDIM (50 steps)", {"diffusers DDIM (50 steps)": ("four calls (50 steps)", calls)}),
    ):
        compared = {side: kinds for side, kinds in per_step.items() if (steps[side] == FEW) == (steps[ours] == FEW)}
        code |= conclude(
            name,
            "a step of sampling without its network",
            compared,
            ours=ours,
            began=began,
            unit=(1, "steps"),
            floors=floors,
            diffusers=version("diffusers"),
        )
    return code


if __name__ == "__main__":
    sys.exit(main())
