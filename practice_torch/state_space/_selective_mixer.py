r"""What Mamba's functions and networks compute, its arguments unchecked: steps, scans, and the mixer of a block."""

import torch
from torch.nn import functional

from practice_torch.networks.linear import in_own_precision
from practice_torch.state_space._scan import scan


def inverse_of_softplus(x):
    """x + log(1 - e^-x)"""
    return x + torch.log(-torch.expm1(-x))


def discretized(inputs, step_size, b, a):
    """e^(step_d a_dn) and step_d b_n u_d."""
    return (step_size.unsqueeze(-1) * a).exp(), (step_size * inputs).unsqueeze(-1) * b.unsqueeze(-2)


def stepped(inputs, step_size, b, c, state, a, skip):
    """The output of one token, and the next state."""
    kept, added = discretized(inputs, step_size, b, a)
    state = torch.addcmul(added, kept, state)
    return torch.addcmul((state @ c.unsqueeze(-1)).squeeze(-1), skip, inputs), state


def scanned(inputs, step_size, b, c, initial, a, skip):
    """The outputs of all tokens, and the last state."""
    dtype = torch.promote_types(inputs.dtype, torch.float32)  # half precision would lose small steps next to large states
    with in_own_precision(inputs.device.type):
        outputs, last = scan(*(array.to(dtype) for array in (inputs, step_size, b, c, initial, a)))
    return torch.addcmul(outputs, skip.to(dtype), inputs.to(dtype)).to(inputs.dtype), last


def mixed(x, p):
    """mamba_mixer of parameters p."""
    content, gate = content_and_gate(x, p)
    step, b, c = chosen(content, p)
    start = content.new_zeros(len(x), *p["log_negative_a"].shape)
    outputs, _ = scanned(content, step, b, c, start, -p["log_negative_a"].exp(), p["skip"])
    return functional.linear(outputs * functional.silu(gate), p["output_weight"])


def content_and_gate(x, p):
    """Inputs of the scan, and the gate after it: [B, T, E] -> [B, T, D], [B, T, D]"""
    kernel = p["convolution_weight"].unsqueeze(1)
    content, gate = functional.linear(x, p["input_weight"]).chunk(2, dim=-1)
    padded = functional.pad(content.mT, (kernel.shape[2] - 1, 0))
    return functional.silu(functional.conv1d(padded, kernel, p["convolution_bias"], groups=len(kernel)).mT), gate


def chosen(content, p):
    """step, b and c of tokens: [..., D] -> [..., D], [..., N], [..., N]"""
    rank, states = p["step_weight"].shape[1], p["log_negative_a"].shape[1]
    low, b, c = functional.linear(content, p["projection_weight"]).split([rank, states, states], dim=-1)
    # from 40 on log(1 + e^x) is x to the last digit of float64, which it is not from torch's threshold of 20 on
    return functional.softplus(functional.linear(low, p["step_weight"], p["step_bias"]), threshold=40), b, c
