"""Gradient checkpointing: a block's activations are computed again in the backward pass instead of being kept until then.

Of each block only its inputs are kept. One block's activations exist at a time, for one more forward pass: a third more work.
"""

import functools
from collections.abc import Iterable

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from practice_torch.engine.errors import RunError
from practice_torch.engine.experiment import Experiment


def recompute_blocks(experiment: Experiment) -> None:
    """Let every block of the networks that the phases train keep its inputs alone. RunError if there are no blocks.

    Dropout is drawn again from the state of torch's generator in which it was first drawn. A block must draw from no other.
    """
    blocks = blocks_of(experiment)
    if not blocks:
        raise RunError("recompute_blocks is for networks with `blocks`, which this experiment does not train: leave it out")
    for block in blocks:
        block.forward = functools.partial(_recomputed, block.forward)


def _recomputed(forward, *given, **named):
    if not torch.is_grad_enabled():  # nothing would be kept, and nothing is to be computed again
        return forward(*given, **named)
    return checkpoint(forward, *given, use_reentrant=False, **named)


def blocks_of(experiment: Experiment) -> list[nn.Module]:
    """The `blocks` of the networks that the phases train: modules that are called one after another."""
    return _blocks(getattr(experiment, name) for phase in experiment.phases for name in phase.moves)


def frozen_blocks_of(experiment: Experiment) -> list[nn.Module]:
    """The `blocks` of the experiment's other networks, such as a reference, of which no phase trains anything."""
    moved = {name for phase in experiment.phases for name in phase.moves}
    return _blocks(network for name, network in experiment.named_children() if name not in moved)


def _blocks(networks: Iterable[object]) -> list[nn.Module]:
    lists = (getattr(network, "blocks", None) for network in networks)
    return [block for blocks in lists if isinstance(blocks, nn.ModuleList) for block in blocks]
