"""Images from noise in 50 DDIM steps by the CIFAR-10 U-Net: without a compiler, compiled, and in CUDA graphs.

Ours is experiments/sampling/diffusion_sampling with our U-Net, theirs DDIMScheduler with UNet2DModel of the same layout, stepped
as its pipeline does it, with times already on the device. All: bfloat16 autocast, channels_last, predicted data not clipped
(clipping, diffusers keeps the noise as it was predicted; ours fits it to the clipped data, which is other work). With one network
both must make the same images, which is seen to before anything is timed. Memory is beyond the weights.
"""

import statistics
import time
from importlib.metadata import version

import torch
from diffusers import DDIMScheduler

from benchmarks.gpu.comparison import judge
from benchmarks.gpu.diffusion import CIFAR, CLASSES, TOY, operations, our_network, their_network
from benchmarks.measuring.turns import conclude, in_turns
from practice_torch.diffusion.noise_schedules import linear_alpha_bar
from practice_torch.experiments.sampling.diffusion_sampling import chain, draw

GOALS = {"diffusers, eager": 1.5}
LEVELS, STEPS, COUNTS = 1000, 50, (16, 256)
FEW = 2  # steps and turns of a toy


@torch.inference_mode()
def scheduled(predict, x, scheduler):
    """The loop of diffusers' pipeline."""
    for t, placed in zip(scheduler.timesteps, scheduler.timesteps.to(x.device), strict=True):
        x = scheduler.step(predict(x, placed.expand(len(x))), t, x).prev_sample
    return x


def predictor(network, label, *, device):
    """predict(x, t) of either network, its values in float32."""

    def predict(x, t):
        torch.compiler.cudagraph_mark_step_begin()  # what the last call returned may be overwritten: it was used up
        with torch.autocast(device.type, torch.bfloat16):
            prediction = network(x.contiguous(memory_format=torch.channels_last), t, label)
        return getattr(prediction, "sample", prediction).float()

    return predict


def samplers(steps=STEPS):
    """Ours and theirs, from pure noise at the last of LEVELS to the data."""
    theirs = DDIMScheduler(num_train_timesteps=LEVELS, clip_sample=False, set_alpha_to_one=True, timestep_spacing="trailing")
    theirs.set_timesteps(steps)
    return chain(linear_alpha_bar(num_steps=LEVELS), steps=steps, sampler="ddim"), theirs


def require_same_images(steps=STEPS):
    """Both samplers make the same of one network; ours counts times from 1, theirs from 0. On the CPU, in float32."""
    network, label, (ours, theirs) = our_network(TOY, zero_init=False).eval(), torch.arange(3), samplers(steps)
    x = torch.randn(3, 3, TOY["size"], TOY["size"])
    with torch.inference_mode():
        drawn = draw(lambda x, t: network(x, t, label), x, ours)
        others = scheduled(lambda x, t: network(x, t + 1, label), x, theirs)
    difference = ((drawn - others).abs().max() / drawn.std()).item()
    assert difference < 1e-4, f"the samplers do not do the same work: their images differ by {difference:.2g} of their spread"


def measure_one(card, count, size, steps, repeats):
    """Return the exit code for this many images at once."""
    began = time.perf_counter()
    makers = {"ours": lambda: our_network(size, zero_init=False), "diffusers": lambda: their_network(size)}
    an_image, theirs_an_image = (steps * operations(make, size, backward=False) for make in makers.values())
    assert an_image == theirs_an_image, f"the networks do not do the same work: {an_image} and {theirs_an_image}"
    networks = {maker: make().to(card.device, memory_format=torch.channels_last).eval() for maker, make in makers.items()}
    ours, theirs = samplers(steps)
    label = torch.arange(count, device=card.device) % CLASSES
    with torch.inference_mode():  # like all that follow it, or a compiler would compile twice
        x = torch.randn(count, 3, size["size"], size["size"], device=card.device)
    loops = {"ours": lambda predict: draw(predict, x, ours), "diffusers": lambda predict: scheduled(predict, x, theirs)}

    def side(maker, how):
        network = networks[maker]
        run = network if how == "eager" else card.compiled(network, graphs=how == "CUDA graphs")
        predict = predictor(run, label, device=card.device)

        def call():
            images = loops[maker](predict)
            card.wait()
            return images

        return call

    ways = ("eager", "compiled", "CUDA graphs") if card.on_gpu else ("eager", "compiled")  # a CPU has none
    sides = {f"{maker}, {how}": side(maker, how) for how in ways for maker in networks}
    memory = {}
    for name, call in sides.items():

        def work(start, call=call):
            call()  # compiles and records
            start()
            call()

        memory[name] = card.peak(work)
    seconds = in_turns(sides, repeats=repeats, warm_up=int(not card.toy))
    medians = {name: statistics.median(kinds["wall"]) for name, kinds in seconds.items()}
    used = {name: card.utilization(count * an_image, median) for name, median in medians.items()}
    rates = {name: f"{count / median:,.3g} images/s" for name, median in medians.items()}
    best = f"ours, {ways[-1]}"
    code = conclude(
        card.file(f"sampling_{count}"),
        f"{count} images at once in {steps} DDIM steps",
        seconds,
        ours=best,
        goals={} if card.toy else GOALS,
        began=began,
        unit=(count, "images"),
        clock="wall",
        device=card.device,
        keep=not card.toy,
        diffusers=version("diffusers"),
        sizes=size,
        operations_of_an_image=an_image,
        utilization=used,
        memory=memory,
        machine=card.facts(),
    )
    torch.compiler.reset()
    return code | judge(card, f"sampling {count}", rates, used, memory, best)


def measure(card, repeats):
    """Returns the exit code."""
    torch.manual_seed(0)
    counts, size, steps, repeats = ((3,), TOY, FEW, FEW) if card.toy else (COUNTS, CIFAR, STEPS, repeats)
    require_same_images(steps)
    return max(measure_one(card, count, size, steps, repeats) for count in counts)
