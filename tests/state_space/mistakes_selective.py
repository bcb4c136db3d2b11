"""Wrong forms of selective state spaces that the rows must refuse, and other right forms that they must accept."""

import torch
from torch.nn import functional

from practice_torch.state_space import selective as right
from tests.support.mistakes import Mistake


def _discretized(inputs, step_size, b, a, *, held=False, sign=1.0, scaled=True, shared=False, euler=False):
    """held: the integral of the exponential. shared: the decay of the first token for all of them."""
    exponent = sign * step_size[..., None] * a
    kept = 1 + exponent if euler else exponent.exp()
    if shared:
        kept = kept[:, :1] + 0 * kept
    share = (
        torch.expm1(exponent) / a
        if held
        else step_size[..., None]
        if scaled
        else torch.ones_like(exponent) + 0 * step_size[..., None]
    )
    return kept, share * inputs[..., None] * b[..., None, :]


def _step(inputs, step_size, b, c, state, a, skip, *, early=False, skipped=True, **form):
    kept, added = _discretized(inputs[:, None], step_size[:, None], b[:, None], a, **form)
    after = kept[:, 0] * state + added[:, 0]
    outputs = torch.einsum("bdn,bn->bd", state if early else after, c)
    return outputs + (skip * inputs if skipped else 0 * skip), after


def _scan(inputs, step_size, b, c, initial, a, skip, *, started=True, carried=True, backwards=False, skipped=True, **form):
    kept, added = _discretized(inputs, step_size, b, a, **form)
    state, outputs = initial if started else 0 * initial, []
    for t in range(inputs.shape[1])[:: -1 if backwards else 1]:
        state = (kept[:, t] if carried else 0 * kept[:, t]) * state + added[:, t]
        outputs.append(torch.einsum("bdn,bn->bd", state, c[:, t]))
    outputs = torch.stack(outputs[:: -1 if backwards else 1], 1)
    return outputs + (skip * inputs if skipped else 0 * skip), state


def _by_clock(inputs, step_size, b, c, initial, a, skip):
    """Every weight e^(a (tau_t - tau_s)), T x T of them. A late clock has lost the digits of a short step."""
    clock = step_size.cumsum(1)
    past = torch.ones(*step_size.shape[1:2] * 2, dtype=torch.bool).tril()[..., None]
    apart = (clock[:, :, None] - clock[:, None]).masked_fill(~past, 0)
    weights = (apart[..., None] * a).exp() * past[..., None]
    driven = _discretized(inputs, step_size, b, a)[1]
    states = torch.einsum("btsdn,bsdn->btdn", weights, driven) + (clock[..., None] * a).exp() * initial[:, None]
    return torch.einsum("btdn,btn->btd", states, c) + skip * inputs, states[:, -1]


def _mixer(
    x, parameters, *, scan=right.selective_scan, softplus=functional.softplus, centered=False, gated_first=False, halves=False,
    swapped=False, reversed_taps=False, act=True, negative=True,
):  # fmt: skip
    p = parameters
    content, gate = (x @ p["input_weight"].T).chunk(2, -1)[:: -1 if halves else 1]
    kernel = p["convolution_weight"].flip(1) if reversed_taps else p["convolution_weight"]
    taps = kernel.shape[1]
    sides = (taps // 2, (taps - 1) // 2) if centered else (taps - 1, 0)
    content = functional.conv1d(functional.pad(content.mT, sides), kernel[:, None], p["convolution_bias"], groups=len(kernel)).mT
    content = functional.silu(content) if act else content
    rank, states = p["step_weight"].shape[1], p["log_negative_a"].shape[1]
    low, b, c = (content @ p["projection_weight"].T).split([rank, states, states], -1)
    b, c = (c, b) if swapped else (b, c)
    step = softplus(low @ p["step_weight"].T + p["step_bias"])
    a, skip = (-1 if negative else 1) * p["log_negative_a"].exp(), p["skip"]
    start = torch.zeros(len(x), *a.shape, dtype=x.dtype)
    outputs, _ = scan(content, step, b, c, start, a, 0 * skip if gated_first else skip)
    outputs = outputs * functional.silu(gate) + (skip * content if gated_first else 0)
    return outputs @ p["output_weight"].T


MISTAKES = (
    Mistake("inverse_softplus", "the softplus", lambda x: functional.softplus(x)),
    Mistake("inverse_softplus", "the logarithm", lambda x: x.log()),
    Mistake("inverse_softplus", "log(e^x - 1), which overflows", lambda x: (x.exp() - 1).log()),
    Mistake("inverse_softplus", "1 - e^-x without expm1, which loses small steps", lambda x: (
        x + torch.log1p(-torch.exp(-x)))),
    Mistake("discretize_selective", "the exact hold", lambda inputs, step_size, b,
            a: _discretized(inputs, step_size, b, a, held=True)),
    Mistake("discretize_selective", "a positive", lambda inputs, step_size, b,
            a: _discretized(inputs, step_size, b, a, sign=-1.0)),
    Mistake("discretize_selective", "step missing in B", lambda inputs, step_size, b, a: (
        _discretized(inputs, step_size, b, a, scaled=False))),
    Mistake("discretize_selective", "the first decay for all", lambda inputs, step_size, b, a: (
        _discretized(inputs, step_size, b, a, shared=True))),
    Mistake("discretize_selective", "1 + step a for the exponential", lambda inputs, step_size, b, a: (
        _discretized(inputs, step_size, b, a, euler=True))),
    Mistake("selective_step", "B and C swapped", lambda inputs, step_size, b, c, state, a, skip: (
        _step(inputs, step_size, c, b, state, a, skip))),
    Mistake("selective_step", "skip forgotten", lambda inputs, step_size, b, c, state, a, skip: (
        _step(inputs, step_size, b, c, state, a, skip, skipped=False))),
    Mistake("selective_step", "the state before the token", lambda inputs, step_size, b, c, state, a, skip: (
        _step(inputs, step_size, b, c, state, a, skip, early=True))),
    Mistake("selective_scan", "B and C swapped", lambda inputs, step_size, b, c, initial, a, skip: (
        _scan(inputs, step_size, c, b, initial, a, skip))),
    Mistake("selective_scan", "the initial state forgotten", lambda inputs, step_size, b, c, initial, a, skip: (
        _scan(inputs, step_size, b, c, initial, a, skip, started=False))),
    Mistake("selective_scan", "nothing carried", lambda inputs, step_size, b, c, initial, a, skip: (
        _scan(inputs, step_size, b, c, initial, a, skip, carried=False))),
    Mistake("selective_scan", "from the end", lambda inputs, step_size, b, c, initial, a, skip: (
        _scan(inputs, step_size, b, c, initial, a, skip, backwards=True))),
    Mistake("selective_scan", "the first decay for all", lambda inputs, step_size, b, c, initial, a, skip: (
        _scan(inputs, step_size, b, c, initial, a, skip, shared=True))),
    Mistake("selective_scan", "a positive", lambda inputs, step_size, b, c, initial, a, skip: (
        _scan(inputs, step_size, b, c, initial, a, skip, sign=-1.0))),
    Mistake("selective_scan", "skip forgotten", lambda inputs, step_size, b, c, initial, a, skip: (
        _scan(inputs, step_size, b, c, initial, a, skip, skipped=False))),
    Mistake("selective_scan", "by differences of the clock, which cancel", _by_clock),
    Mistake("mamba_mixer", "softplus omitted", lambda x, parameters: (
        _mixer(x, parameters, scan=_scan, softplus=lambda step_size: step_size))),
    Mistake("mamba_mixer", "exponential steps", lambda x, parameters: _mixer(x, parameters, softplus=torch.exp)),
    Mistake("mamba_mixer", "a centered convolution", lambda x, parameters: _mixer(x, parameters, centered=True)),
    Mistake("mamba_mixer", "taps reversed", lambda x, parameters: _mixer(x, parameters, reversed_taps=True)),
    Mistake("mamba_mixer", "the gate before the skip", lambda x, parameters: _mixer(x, parameters, gated_first=True)),
    Mistake("mamba_mixer", "content and gate swapped", lambda x, parameters: _mixer(x, parameters, halves=True)),
    Mistake("mamba_mixer", "B and C swapped", lambda x, parameters: _mixer(x, parameters, swapped=True)),
    Mistake("mamba_mixer", "no silu after the convolution", lambda x, parameters: _mixer(x, parameters, act=False)),
    Mistake("mamba_mixer", "a positive", lambda x, parameters: _mixer(x, parameters, negative=False)),
)  # fmt: skip

EQUIVALENT = (
    Mistake(
        "inverse_softplus",
        "log(e^x - 1) up to 1",
        lambda x: torch.where(x > 1, x + torch.log1p(-torch.exp(-x.clamp(min=1))), torch.expm1(x.clamp(max=1)).log()),
        core_alone=True,
    ),
    Mistake(
        "selective_scan",
        "a loop",
        lambda inputs, step_size, b, c, initial, a, skip: _scan(inputs, step_size, b, c, initial, a, skip),
        core_alone=True,
    ),
    Mistake("mamba_mixer", "with a loop for the scan", lambda x, parameters: _mixer(x, parameters, scan=_scan), core_alone=True),
)
