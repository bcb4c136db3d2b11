"""Replicated models: every process holds the whole model, and gradients are averaged over the processes.

Each phase has its own DistributedDataParallel, which knows the phase's parameters alone. One for all phases would search the
graph of every turn for parameters without a gradient, and send zeros in their place.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from practice_torch.engine.distributed.processes import Processes
from practice_torch.engine.errors import RunError
from practice_torch.engine.experiment import Experiment
from practice_torch.engine.optimizers import Player, freeze_others

BATCH_NORMS = nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d


def replicas_of(experiment: Experiment, players: Sequence[Player], device: torch.device) -> dict[str, DistributedDataParallel]:
    """{name of a phase: the experiment, whose backward pass averages the gradients of what the phase moves}."""
    options = {"device_ids": None if device.type == "cpu" else [device], "gradient_as_bucket_view": True}
    found = {}
    for player in players:
        if len(players) > 1:
            freeze_others(player, players)  # DistributedDataParallel takes the parameters that are not frozen when it is made
        found[player.phase.name] = DistributedDataParallel(experiment, find_unused_parameters=player.phase.partial, **options)
    return found


def synchronize_batch_norms(experiment: nn.Module, processes: Processes) -> None:
    """Make batch norms take the statistics of the whole batch, in place of those of each process's part.

    A process that is alone has the whole batch, and its batch norms stay as they are. RunError if there is no batch norm, and in
    several processes without GPUs, for which torch has no such layer.
    """
    if not any(isinstance(module, BATCH_NORMS) for module in experiment.modules()):
        raise RunError("sync_batch_norm is set, but this experiment has no batch norm: leave --sync-batch-norm out")
    if processes.count == 1:
        return
    if processes.device.type == "cpu":
        raise RunError("sync_batch_norm needs GPUs: torch has no synchronized batch norm for CPUs; set --no-sync-batch-norm")
    for name, child in experiment.named_children():
        setattr(experiment, name, nn.SyncBatchNorm.convert_sync_batchnorm(child))
