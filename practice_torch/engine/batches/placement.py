"""Placement of the training data: on the device, which is the fastest, or on the disk, streamed by worker processes.

Both give the same batches. `auto` takes the device if the set fits there and if a streamed set would not vary its examples, so
that what a run computes never depends on how much memory is free.
"""

import itertools
import os
import sys

import torch

from practice_torch.data.reading.memory import amount, available
from practice_torch.data.streams.streamed import Streamed
from practice_torch.engine.batches.augmentation import Augmented
from practice_torch.engine.batches.data import Data
from practice_torch.engine.batches.order import Batches, Order, Repeated, shards_of
from practice_torch.engine.batches.streaming import Numbers, Stream
from practice_torch.engine.distributed.processes import Processes
from practice_torch.engine.errors import OptionError
from practice_torch.engine.recipe import Recipe

SHARE = 0.5  # of the free memory, at most: gradients, moments and activations need the rest


def batches_of(
    data: Data | Streamed, recipe: Recipe, processes: Processes, batch_size: int, numbers: Numbers = itertools.count
) -> Batches | Stream | Augmented | Repeated:
    """The training batches of this process, of which `numbers` are wanted (see Stream).

    If there is a choice of placement, stderr gets the choice and the reason.

    OptionError if `stream` is set for data that can only be held in memory, or if a shift is as large as the images.
    """
    if recipe.modality is None:
        return Repeated({})
    device, share = processes.device, (batch_size, recipe.seed, processes.rank, processes.count)
    if recipe.augment_shift and recipe.augment_shift >= min(size := data.description["shape"][-2:]):
        raise OptionError(f"augment_shift is {recipe.augment_shift}; it must be less than the sides of the images, {size}")
    shards = shards_of(data, recipe)
    if isinstance(data, Streamed):
        placement, reason = _choice(data, recipe, processes)
        if processes.first:
            readers = "1 worker" if recipe.workers == 1 else f"{recipe.workers} workers"
            source = "the disk" if data.order is None else "its URL"
            where = f"on {device}" if placement == "device" else f"streamed from {source}, {readers}"
            print(f"training data, {amount(data.resident_bytes)}: {where} ({reason})", file=sys.stderr)
            if shards is not None and processes.machines > 1 and recipe.data_parts == 1:
                print(f"every machine fetches all shards; --data-parts {processes.count} gives each its own", file=sys.stderr)
        if placement == "device":
            data = data.resident()
    elif recipe.placement == "stream":
        name = data.description.get("name", "this set")
        raise OptionError(f"placement is stream, but {name} is read into memory: leave --placement out, or `prepare` the data")
    order = Order(len(data), *share, shards=shards)
    if isinstance(data, Streamed):
        batches = Stream(data, order, device, recipe.workers, numbers)
    else:
        batches = Batches(data.to(device), *share)
    return Augmented(batches, order, recipe) if recipe.augments() else batches


def _choice(data, recipe, processes):
    """("device" or "stream", why), the same in every process."""
    if recipe.placement != "auto":
        return recipe.placement, "as set by --placement"
    if data.varies:
        return "stream", "each time, another part of an example is taken"
    free = min(processes.all_gather(_free(processes)))
    fits = data.resident_bytes <= SHARE * free
    return "device" if fits else "stream", f"at most half of the {amount(free)} that are free is taken"


def _free(processes):
    """Bytes that this process may count on: on a GPU those of the GPU, but the set passes through the host's memory."""
    free = available() // int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    return min(free, torch.cuda.mem_get_info(processes.device)[0]) if processes.device.type == "cuda" else free
