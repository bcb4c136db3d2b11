"""The selective scan as an operator of torch, which a compiled graph holds as a whole: on a GPU it is Triton's kernels.

On a CPU it is the torch scan, so that what surrounds the operator can be tested without a GPU.
"""

import torch
from torch import Tensor

from practice_torch.networks import selective_scan_triton as kernels
from practice_torch.state_space._selective_scan import SelectiveScan

Scanned = tuple[Tensor, Tensor, Tensor]
Gradients = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]


@torch.library.custom_op("diptych::selective_scan", mutates_args=(), device_types="cuda")
def scan(inputs: Tensor, step: Tensor, b: Tensor, c: Tensor, initial: Tensor, a: Tensor) -> Scanned:
    """Outputs and the last state, as SelectiveScan; and the states at the beginning of each tile, for the gradients."""
    return kernels.forward(*(part.contiguous() for part in (inputs, step, b, c, initial, a)))


@torch.library.custom_op("diptych::selective_scan_gradients", mutates_args=(), device_types="cuda")
def gradients(
    inputs: Tensor, step: Tensor, b: Tensor, c: Tensor, a: Tensor, starts: Tensor, upstream: Tensor, reached: Tensor
) -> Gradients:
    """Of inputs, step, b, c, initial and a."""
    return kernels.backward(*(part.contiguous() for part in (inputs, step, b, c, a, starts, upstream, reached)))


@scan.register_kernel("cpu")
def scan_of_torch(inputs, step, b, c, initial, a):
    outputs, last = SelectiveScan.apply(inputs, step, b, c, initial, a)
    starts = inputs.new_zeros(len(inputs), kernels.tiles_of(inputs), *a.shape)
    starts[:, 0] = initial
    return outputs, last, starts


@gradients.register_kernel("cpu")
def gradients_of_torch(inputs, step, b, c, a, starts, upstream, reached):
    with torch.enable_grad():
        given = [part.detach().requires_grad_() for part in (inputs, step, b, c, starts[:, 0], a)]
        return torch.autograd.grad(SelectiveScan.apply(*given), given, (upstream, reached))


@scan.register_fake
def shapes_of_scan(inputs, step, b, c, initial, a):
    starts = inputs.new_empty(len(inputs), kernels.tiles_of(inputs), *a.shape)
    return torch.empty_like(inputs, memory_format=torch.contiguous_format), torch.empty_like(initial), starts


@gradients.register_fake
def shapes_of_gradients(inputs, step, b, c, a, starts, upstream, reached):
    given = inputs, step, b, c, starts[:, 0], a
    return tuple(torch.empty_like(part, memory_format=torch.contiguous_format) for part in given)


def keep(ctx, inputs, output):
    *sequences, _, a = inputs
    ctx.save_for_backward(*sequences, a, output[2])


def backward(ctx, upstream, reached, _):
    return gradients(*ctx.saved_tensors, upstream, reached)


scan.register_autograd(backward, setup_context=keep)
