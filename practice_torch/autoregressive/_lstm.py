"""An LSTM over a sequence of projected inputs: one matrix product per step, and hand-written gradients.

Of what the backward pass multiplies, only the gradients of h and c come from later times. All the rest is computed for all times
at once, before the loop and after it.
"""

import torch


class LongShortTermMemory(torch.autograd.Function):
    """h of all times [B, T, H] and the last h and c [B, H], from W x + b of all times [B, T, 4 H], the first h and c, and U."""

    @staticmethod
    def forward(ctx, driven, h, c, weight_hidden):
        """Time comes first in memory, so that a step is one block; the gates take the place of what drives them."""
        gates = driven.transpose(0, 1).clone(memory_format=torch.contiguous_format)
        outputs, cells = (first.expand(len(gates) + 1, *first.shape).clone() for first in (h, c))
        h, c, transposed, hidden = outputs[0], cells[0], weight_hidden.T.contiguous(), h.shape[1]
        parts = (part.unbind() for part in (gates, gates[..., : 2 * hidden], *gates.chunk(4, 2), outputs[1:], cells[1:]))
        for gate, i_and_f, i, f, g, o, following, cell in zip(*parts, strict=True):
            gate.addmm_(h, transposed)
            i_and_f.sigmoid_()
            g.tanh_()
            o.sigmoid_()
            c = torch.mul(f, c, out=cell).addcmul_(i, g)
            h = torch.tanh(c, out=following).mul_(o)
        ctx.save_for_backward(gates, outputs, cells, weight_hidden)
        return outputs[1:].transpose(0, 1).contiguous(), h.clone(), c.clone()

    @staticmethod
    def backward(ctx, upstream, of_h, of_c):
        """of_h, of_c: the gradients for the last state."""
        gates, outputs, cells, weight_hidden = ctx.saved_tensors
        i, f, g, o = gates.chunk(4, 2)
        read = cells[1:].tanh()
        through = o * (1 - read * read)  # from h to c
        # from c to i, f and g, and from h to o: multiplied by the gradients of c and h, the slopes of what drives the gates
        slopes = torch.cat((g * i * (1 - i), cells[:-1] * f * (1 - f), i * (1 - g * g), read * o * (1 - o)), 2)
        parts = (part.unbind()[::-1] for part in (slopes, upstream.transpose(0, 1), through, f))
        for slope, direct, passed, kept in zip(*parts, strict=True):
            of_h = of_h + direct
            of_c = torch.addcmul(of_c, of_h, passed)
            slope.mul_(torch.cat((of_c, of_c, of_c, of_h), 1))
            of_h, of_c = slope @ weight_hidden, of_c * kept
        return slopes.transpose(0, 1), of_h, of_c, slopes.flatten(0, 1).T @ outputs[:-1].flatten(0, 1)
