"""Samples of a trained model of each family, images in 0..1 or points, and their cost: numbers, operations, seconds."""

import time
from collections.abc import Callable
from operator import attrgetter
from typing import NamedTuple

import torch
from torch import Tensor, nn

from practice_torch.engine.costs.flops import flops_of
from practice_torch.experiments.sampling.diffusion_sampling import Drawing
from practice_torch.experiments.sampling.flow_sampling import carried

_COUNTED = 20  # number of examples drawn while operations are counted


class Family(NamedTuple):
    """draw(experiment, count) gives examples; parts: the experiment's modules and tensors that a draw reads."""

    draw: Callable[[nn.Module, int], Tensor]
    parts: tuple[str, ...]


class Drawn(NamedTuple):
    """Examples and their cost: numbers read, operations for each example, and seconds for all."""

    examples: Tensor
    parameters: int
    operations: float
    seconds: float


def drawn_by(family: Family, experiment: nn.Module, count: int) -> Drawn:
    """So many examples; before them a few, by which operations are counted: a process's first draw is slow."""
    operations = flops_of(lambda: family.draw(experiment, _COUNTED)) / _COUNTED
    begin = time.perf_counter()
    examples = family.draw(experiment, count).detach().float().cpu()
    return Drawn(examples, _size(family, experiment), operations, time.perf_counter() - begin)


def _size(family, experiment):
    """Number of entries of the parts."""
    found = [attrgetter(part)(experiment) for part in family.parts]
    return sum(sum(p.numel() for p in part.parameters()) if isinstance(part, nn.Module) else part.numel() for part in found)


# ---------------------------------------------------------------------------------------------------- images


def sampled(experiment, count):
    """The images that `sample` gives first."""
    return next(iter(experiment.sample(count).values())).images


def bits_of(experiment, count):
    """Bits, where `sample` gives their probabilities."""
    return torch.bernoulli(sampled(experiment, count), generator=experiment.generator)


def denoised(experiment, count, how):
    """Images of a diffusion model, the classes in equal shares; how: a Drawing, or None as its evaluations draw."""
    drawn = experiment.drawn(experiment.labels(count), how or experiment.judged_sampling())
    return experiment.medium.judged_as(drawn)


def drawn_of(experiment, count):
    """Samples of `experiment.drawn`."""
    return experiment.drawn(count)


# ---------------------------------------------------------------------------------------------------- points


def generated(experiment, count):
    """Points that a generator makes of noise."""
    network, size = experiment.generator_network, experiment.recipe.noise
    return network(torch.randn(count, size, generator=experiment.generator, device=_device(network)))


def inverted(experiment, count):
    """Noise that goes backward through a flow of layers or through a continuous one."""
    size, device = experiment.description["shape"][0], _device(experiment.network)
    return experiment.network.inverse(experiment.base.draw(count, size, generator=experiment.generator, device=device))[0]


def transported(experiment, count):
    """Noise that a learned velocity carries to the data, as its evaluations solve it."""
    noise = torch.randn(count, experiment.size, generator=experiment.generator, device=_device(experiment.network))
    return carried(experiment.velocity, noise, experiment.sampling)


def scored(experiment, count):
    """Points made of noise by the learned score, in as many ancestral steps as previews take."""
    return experiment.drawn(experiment.learned_score, count, Drawing(steps=experiment.recipe.shown_steps, clip=False))


def _device(network):
    return next(network.parameters()).device
