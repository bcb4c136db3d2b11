"""The selective scan by what its tensors are on: on a GPU with Triton one kernel each way, elsewhere the segments of torch."""

import importlib.util

from practice_torch.state_space._selective_scan import SelectiveScan

TRITON = importlib.util.find_spec("triton") is not None


def scan(inputs, step, b, c, initial, a):
    """Outputs [B, T, D] and the last state [B, D, N], of arrays as SelectiveScan takes them."""
    if has_kernel(inputs):
        from practice_torch.state_space import _selective_scan_op  # Triton is not installed everywhere

        return _selective_scan_op.scan(inputs, step, b, c, initial, a)[:2]
    return SelectiveScan.apply(inputs, step, b, c, initial, a)


def has_kernel(inputs):
    return TRITON and inputs.is_cuda
