r"""The selective scan of state_space/_selective_scan.py on a GPU: one Triton kernel forward, one backward and a sum over parts.

A program has some channels of one sequence, with all of their states, and goes through time in tiles; inside a tile the states
are an associative scan of pairs (decay, value). The forward pass keeps the states at the beginning of each tile; the backward
pass goes through the tiles from the end and computes their states again. Gradients of b and c, to which all channels contribute,
are written for each program and then summed, so that they do not depend on the order in which programs end.

These kernels have run in Triton's interpreter on a CPU only, against the torch scan. For an H100 (sm_90) they were compiled,
without one: 60 and 174 registers a thread with 16 states, none spilled. Neither their results nor their speed on a GPU are known.
Source: Gu & Dao 2023, section 3.3.2 and appendix D (recomputation); the mathematics is that of state_space/_selective_scan.py.
"""

import torch
import triton
from triton import language as tl

LANES, STEPS, WARPS = 256, 16, 8  # states of a tile's channels, its steps, and the warps of a program


@triton.jit
def _then(kept, added, next_kept, next_added):
    """x -> kept x + added, and then the next such step."""
    return kept * next_kept, next_kept * added + next_added


@triton.jit
def _forward(
    inputs, step, b, c, initial, a, outputs, last, starts, length, channels, states, tiles,
    CHANNELS: tl.constexpr, STEPS: tl.constexpr, STATES: tl.constexpr,
):  # fmt: skip
    batch = tl.program_id(0).to(tl.int64)
    d, n, s = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS), tl.arange(0, STATES), tl.arange(0, STEPS)
    held = (d < channels)[:, None] & (n < states)[None, :]
    place, size = d[:, None] * states + n[None, :], channels * states
    rates = tl.load(a + place, mask=held, other=0.0)
    state = tl.load(initial + batch * size + place, mask=held, other=0.0)
    for tile in range(0, tiles):
        tl.store(starts + (batch * tiles + tile) * size + place, state, mask=held)
        t = tile * STEPS + s
        of_channel = (batch * length + t[:, None]) * channels + d[None, :]
        of_state = (batch * length + t[:, None]) * states + n[None, :]
        inside = (t < length)[:, None] & (d < channels)[None, :]
        known = (t < length)[:, None] & (n < states)[None, :]
        h = tl.load(step + of_channel, mask=inside, other=0.0)  # past the end steps of size zero, which change no state
        u = tl.load(inputs + of_channel, mask=inside, other=0.0)
        b_t, c_t = tl.load(b + of_state, mask=known, other=0.0), tl.load(c + of_state, mask=known, other=0.0)
        kept, added = tl.associative_scan((tl.exp(h[:, :, None] * rates[None]), (h * u)[:, :, None] * b_t[:, None, :]), 0, _then)
        reached = added + kept * state[None]
        tl.store(outputs + of_channel, tl.sum(reached * c_t[:, None, :], 2), mask=inside)
        state = tl.sum(tl.where((s == STEPS - 1)[:, None, None], reached, 0.0), 0)
    tl.store(last + batch * size + place, state, mask=held)


@triton.jit
def _backward(
    inputs, step, b, c, a, starts, upstream, reached, of_inputs, of_step, of_b, of_c, of_a, of_initial,
    length, channels, states, tiles, CHANNELS: tl.constexpr, STEPS: tl.constexpr, STATES: tl.constexpr,
):  # fmt: skip
    batch, block = tl.program_id(0).to(tl.int64), tl.program_id(1)
    d, n, s = block * CHANNELS + tl.arange(0, CHANNELS), tl.arange(0, STATES), tl.arange(0, STEPS)
    held = (d < channels)[:, None] & (n < states)[None, :]
    place, size = d[:, None] * states + n[None, :], channels * states
    rates = tl.load(a + place, mask=held, other=0.0)
    slope = tl.load(reached + batch * size + place, mask=held, other=0.0)  # of the state behind the tile, decay and all
    total = tl.zeros_like(rates)
    for back in range(0, tiles):
        tile = tiles - 1 - back
        state = tl.load(starts + (batch * tiles + tile) * size + place, mask=held, other=0.0)
        t = tile * STEPS + s
        of_channel = (batch * length + t[:, None]) * channels + d[None, :]
        of_state = (batch * length + t[:, None]) * states + n[None, :]
        inside = (t < length)[:, None] & (d < channels)[None, :]
        known = (t < length)[:, None] & (n < states)[None, :]
        h = tl.load(step + of_channel, mask=inside, other=0.0)
        u = tl.load(inputs + of_channel, mask=inside, other=0.0)
        y = tl.load(upstream + of_channel, mask=inside, other=0.0)
        b_t, c_t = tl.load(b + of_state, mask=known, other=0.0), tl.load(c + of_state, mask=known, other=0.0)
        decay, value = tl.exp(h[:, :, None] * rates[None]), (h * u)[:, :, None] * b_t[:, None, :]
        kept, added = tl.associative_scan((decay, value), 0, _then)
        states_t = added + kept * state[None]
        # g_t = C_t y_t + e^(step_(t+1) a) g_(t+1); the slope that came from the tile behind has its decay already
        ahead = (t + 1 < length)[:, None] & (s + 1 < STEPS)[:, None] & (d < channels)[None, :]
        following = tl.load(step + of_channel + channels, mask=ahead, other=0.0)
        kept, added = tl.associative_scan(
            (tl.exp(following[:, :, None] * rates[None]), y[:, :, None] * c_t[:, None, :]), 0, _then, reverse=True
        )
        g = added + kept * slope[None]
        slope = tl.sum(tl.where((s == 0)[:, None, None], g * decay, 0.0), 0)
        through = tl.sum(g * b_t[:, None, :], 2)
        exponent = g * (states_t - value)  # the slope by step_t a is e^(step_t a) h_(t-1) g_t
        tl.store(of_inputs + of_channel, through * h, mask=inside)
        tl.store(of_step + of_channel, through * u + tl.sum(exponent * rates[None], 2), mask=inside)
        total += tl.sum(exponent * h[:, :, None], 0)
        part = ((batch * tl.num_programs(1) + block) * length + t[:, None]) * states + n[None, :]
        tl.store(of_b + part, tl.sum(g * (h * u)[:, :, None], 1), mask=known)
        tl.store(of_c + part, tl.sum(states_t * y[:, :, None], 1), mask=known)
    tl.store(of_a + batch * size + place, total, mask=held)
    tl.store(of_initial + batch * size + place, slope, mask=held)


def forward(inputs, step, b, c, initial, a):
    """Outputs, the last state, and the states at the beginning of each tile, of contiguous arrays as SelectiveScan takes them."""
    made = torch.empty_like(inputs), torch.empty_like(initial), inputs.new_empty(len(inputs), tiles_of(inputs), *a.shape)
    _launch(_forward, (inputs, step, b, c, initial, a, *made), inputs, a)
    return made


def backward(inputs, step, b, c, a, starts, upstream, reached):
    """Gradients of inputs, step, b, c, initial and a."""
    of_b, of_c = (inputs.new_empty(len(inputs), -(-inputs.shape[2] // _channels(a)), *b.shape[1:]) for _ in range(2))
    of_inputs, of_step = torch.empty_like(inputs), torch.empty_like(inputs)
    of_a, of_initial = (inputs.new_empty(len(inputs), *a.shape) for _ in range(2))
    made = of_inputs, of_step, of_b, of_c, of_a, of_initial
    _launch(_backward, (inputs, step, b, c, a, starts, upstream, reached, *made), inputs, a)
    return of_inputs, of_step, of_b.sum(1), of_c.sum(1), of_initial, of_a.sum(0)


def tiles_of(inputs):
    return -(-inputs.shape[1] // STEPS)


def _channels(a):
    """Of a tile: fewer of more states."""
    return max(1, LANES // triton.next_power_of_2(a.shape[1]))


def _launch(kernel, tensors, inputs, a):
    (batch, length, channels), states = inputs.shape, a.shape[1]
    sizes = dict(CHANNELS=_channels(a), STEPS=STEPS, STATES=triton.next_power_of_2(states))
    grid = batch, -(-channels // _channels(a))
    kernel[grid](*tensors, length, channels, states, tiles_of(inputs), **sizes, num_warps=WARPS)
