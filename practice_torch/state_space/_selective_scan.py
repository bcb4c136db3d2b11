r"""h_t = e^(step_t A) h_(t-1) + step_t u_t B_t, y_t = C_t h_t: in segments that fit into the cache, with gradients by hand.

States are B T D N numbers, as many times more than inputs and outputs as there are states a channel, and are needed for a moment
only. So they exist for one segment of time at a time. The forward pass keeps the states between segments, [B, D, N]; the backward
pass computes those of a segment again. Inside a segment, `blocks` stretches of time run side by side: first each from zero, for
what it passes on, then all of them from their true beginnings.
"""

import torch
from torch._subclasses import FakeTensor  # torch exports it nowhere else
from torch.nn.functional import pad

# On a CPU: how many numbers make an operation longer than its start, and are the states of a segment, of which a core's cache
# holds three. An accelerator is filled by many more, and its memory is fast.
CPU, ACCELERATOR = (2**14, 2**17), (2**20, 2**26)


class SelectiveScan(torch.autograd.Function):
    """Outputs [B, T, D] and the last state [B, D, N] from inputs, step [B, T, D], b, c [B, T, N], initial [B, D, N], a [D, N]."""

    @staticmethod
    def forward(ctx, inputs, step, b, c, initial, a):
        """Segment after segment, each from the last state of the one before."""
        blocks, length = sizes(inputs.shape[1], initial)
        a, starts, outputs = a.mT.contiguous(), [initial.mT.contiguous()], []
        room = workspace(2, starts[0], blocks * length)
        for now in segments(blocks * length, inputs, step, b, c):
            segment = Segment(*now, starts[-1], a, blocks, room)
            outputs.append(segment.outputs())
            starts.append(segment.last)
        ctx.save_for_backward(inputs, step, b, c, a, *starts[:-1])
        return torch.cat(outputs, 1)[:, : inputs.shape[1]], starts[-1].mT.contiguous()

    @staticmethod
    def backward(ctx, upstream, reached):
        """Segment after segment from the end. reached: the gradient for the state at its end."""
        inputs, step, b, c, a, *starts = ctx.saved_tensors
        steps, reached, of_a, found = inputs.shape[1], reached.mT.contiguous(), torch.zeros_like(a), []
        blocks, length = sizes(steps, starts[0])
        room = workspace(3, starts[0], blocks * length)
        parts = segments(blocks * length, inputs, step, b, c, upstream)
        for (*now, slopes), start in zip(parts[::-1], starts[::-1], strict=True):
            *gradients, more, reached = Segment(*now, start, a, blocks, room).gradients(slopes, reached, room[2])
            found.append(gradients)
            of_a += more
        of_sequences = (torch.cat(part[::-1], 1)[:, :steps] for part in zip(*found, strict=True))
        return *of_sequences, reached.mT, of_a.mT


class Segment:
    """The states of some steps. inputs, step: [B, S, D]; b, c: [B, S, N]; start: [B, N, D], a: [N, D]; blocks divides S.

    Channels are the last axis, since they are more than the states of each: operations then run over longer rows. room: arrays
    [B, S, N, D] to write into. Fresh memory for each segment would take longer than what is computed in it.
    """

    def __init__(self, inputs, step, b, c, start, a, blocks, room):
        self.inputs, self.step, self.b, self.c, self.start, self.a, self.blocks = inputs, step, b, c, start, a, blocks
        self.decay = torch.mul(step.unsqueeze(-2), a, out=room[0]).exp_()
        self.states = torch.mul(b.unsqueeze(-1), (step * inputs).unsqueeze(-2), out=room[1])
        values, decay = self._places(self.states), self._places(self.decay)
        entering, self.last = start.unsqueeze(1), None
        if blocks > 1:
            begun, self.last = carried(ends(values, decay[1:]).unbind(1), self._kept().unbind(1), start)
            entering = torch.stack(begun, 1)
        values[0].addcmul_(decay[0], entering)
        run(values, decay[1:])
        if self.last is None:
            self.last = self.states[:, -1].clone()  # the next segment overwrites it

    def outputs(self):
        """C_t h_t"""
        return torch.matmul(self.c.unsqueeze(-2), self.states).squeeze(-2)

    def gradients(self, upstream, reached, room):
        """Gradients of inputs, step, b, c, a, and of the initial state; the states are overwritten.

        reached: the gradient for the last state from all that comes after. room: as above.
        """
        of_c = torch.matmul(self.states, upstream.unsqueeze(-1)).squeeze(-1)
        slopes = torch.mul(self.c.unsqueeze(-1), upstream.unsqueeze(-2), out=room)  # for the states: directly, soon in all
        values, decay = self._places(slopes)[::-1], self._places(self.decay)[::-1]
        entering, before = reached.unsqueeze(1), None
        if self.blocks > 1:
            passed = ends(values, decay[:-1]).mul_(decay[-1])
            begun, before = carried(passed.unbind(1)[::-1], self._kept().unbind(1)[::-1], reached)
            entering = torch.stack(begun[::-1], 1)
        values[0].add_(entering)
        run(values, decay[:-1])
        if before is None:
            before = slopes[:, 0] * self.decay[:, 0]
        through = torch.matmul(self.b.unsqueeze(-2), slopes).squeeze(-2)
        of_b = torch.matmul(slopes, (self.step * self.inputs).unsqueeze(-1)).squeeze(-1)
        exponent = self.decay.mul_(slopes)  # the slope by step_t a is e^(step_t a) h_(t-1) g_t
        exponent[:, 1:].mul_(self.states[:, :-1])
        exponent[:, 0].mul_(self.start)
        of_a = torch.mul(exponent, self.step.unsqueeze(-2), out=room).sum((0, 1))
        of_step = exponent.mul_(self.a).sum(2).addcmul_(through, self.inputs)
        return through * self.step, of_step, of_b, of_c, of_a, before

    def _places(self, array):
        """[B, S, ...] as the list of first, second, ... steps of all blocks, [B, blocks, ...] each."""
        return array.unflatten(1, (self.blocks, -1)).unbind(2)

    def _kept(self):
        """Decay of a state over a whole block."""
        return (self.step.unflatten(1, (self.blocks, -1)).sum(2).unsqueeze(-2) * self.a).exp_()


def workspace(count, start, steps):
    """Arrays for the states of a segment that begins at `start`."""
    batch, states, channels = start.shape
    return [start.new_empty(batch, steps, states, channels) for _ in range(count)]


def sizes(steps, initial):
    """Number of blocks of a segment and of steps of a block, both powers of two, for states that begin as `initial`."""
    width, largest = CPU if on_cpu(initial) else ACCELERATOR
    blocks, length, lanes = 1, 1, initial.numel()
    while 4 * blocks**2 <= steps and 2 * blocks * lanes <= width:
        blocks *= 2
    while blocks * length < steps and 2 * blocks * length * lanes <= largest:
        length *= 2
    return blocks, length


def on_cpu(array):
    """Tensors without memory, on which the cost of a recipe is counted, stand for those of an accelerator."""
    return array.device.type == "cpu" and (torch.compiler.is_compiling() or not isinstance(array, FakeTensor))


def segments(size, *sequences):
    """The sequences cut into segments; the last is filled with steps of size zero, which change no state."""
    missing = -sequences[0].shape[1] % size
    return list(zip(*(pad(sequence, (0, 0, 0, missing)).split(size, 1) for sequence in sequences), strict=True))


def ends(values, between):
    """Final states of blocks that begin at zero: x <- decay x + value, place by place."""
    end = values[0]
    for value, decay in zip(values[1:], between, strict=True):
        end = torch.addcmul(value, decay, end)
    return end if len(values) > 1 else end.clone()


def run(values, between):
    """x <- decay x + value in place, from the first value, which is a state."""
    for before, value, decay in zip(values, values[1:], between, strict=False):
        value.addcmul_(decay, before)


def carried(ends, kept, state):
    """The states at which the blocks begin, and the one behind the last of them."""
    states = [state]
    for end, share in zip(ends, kept, strict=True):
        states.append(torch.addcmul(end, share, states[-1]))
    return states[:-1], states[-1]
