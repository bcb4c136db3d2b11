"""Returns and advantages of rows of steps, by sums that run backwards in blocks, or in place where there is no gradient.

rewards[t], values[t] of the state before step t, and values[T] for what follows the row. terminals[t] is 1 if step t ended its
episode. An episode cut by a time limit has not ended: its row stops there, and the last value estimates the rest.
"""

import torch
from torch.nn.functional import pad

from practice_torch.arguments import (
    require,
    require_at_least,
    require_binary,
    require_positive,
    require_rank,
    require_shape,
    require_share,
)

BLOCK = 16  # steps that are summed one by one, in all blocks at once: a longer block is more work, a shorter one more rounds


def discounted_returns(rewards, terminals, bootstrap, *, discount):
    r"""G_t = r_t + discount (1 - d_t) G_(t+1), with G_T = bootstrap: the rewards from step t to the end of its episode.

    Raises ValueError if the shapes differ, rewards has no step, terminals holds anything but 0 and 1, or discount is not in
    [0, 1].
    Source: Sutton & Barto 2018, eq. 3.9.
    [B, T], [B, T], [B] -> [B, T]
    """
    factors = _factors(rewards, terminals, discount)
    require_shape(rewards.shape[:1], bootstrap=bootstrap)
    return _summed_backwards(_continued(rewards, factors, bootstrap), factors)


def temporal_difference_errors(rewards, values, terminals, *, discount):
    r"""delta_t = r_t + discount (1 - d_t) v_(t+1) - v_t: by how much one step was better than the value said.

    Raises ValueError if the shapes differ, rewards has no step, terminals holds anything but 0 and 1, or discount is not in
    [0, 1].
    Source: Sutton & Barto 2018, eq. 6.5.
    [B, T], [B, T+1], [B, T] -> [B, T]
    """
    return _errors(rewards, values, _factors(rewards, terminals, discount, values))


def n_step_returns(rewards, values, terminals, *, discount, num_steps):
    r"""G_t = sum_(k<n) discount^k r_(t+k) + discount^n v_(t+n) with n = min(num_steps, T - t), up to the end of the episode.

    A term counts only if none of the steps t, ..., t+k-1 is terminal.

    Raises ValueError if the shapes differ, rewards has no step, terminals holds anything but 0 and 1, discount is not in [0, 1],
    or num_steps is less than 1.  Source: Sutton & Barto 2018, eq. 7.1.
    [B, T], [B, T+1], [B, T] -> [B, T]
    """
    factors = _factors(rewards, terminals, discount, values)
    require_at_least(1, num_steps=num_steps)
    last = values[:, -1:]
    for _ in range(min(num_steps, rewards.shape[1])):  # each sweep looks one step further; the row's end stays where it is
        values = torch.cat((torch.addcmul(rewards, factors, values[:, 1:]), last), 1)
    return values[:, :-1]


def generalized_advantages(rewards, values, terminals, *, discount, trace_decay):
    r"""A_t = delta_t + discount lambda (1 - d_t) A_(t+1), A_T = 0: the sum of all later errors, each step back counting less.

    lambda = trace_decay: 0 gives delta_t itself, 1 the return less v_t.

    Raises ValueError if the shapes differ, rewards has no step, terminals holds anything but 0 and 1, or discount or trace_decay
    is not in [0, 1].  Source: Schulman et al. 2016, eq. 16.
    [B, T], [B, T+1], [B, T] -> [B, T]
    """
    require_share(trace_decay=trace_decay)
    factors = _factors(rewards, terminals, discount, values)
    return _summed_backwards(_errors(rewards, values, factors), trace_decay * factors)


def lambda_returns(rewards, values, terminals, *, discount, trace_decay):
    r"""G_t = r_t + discount (1 - d_t) ((1 - lambda) v_(t+1) + lambda G_(t+1)), G_T = v_T: A_t + v_t, A_t the advantage above.

    The returns of 1, 2, ... steps, mixed with weights (1 - lambda) lambda^(n-1), the rest on the longest. What a value function
    is fitted to; lambda = trace_decay.

    Raises ValueError if the shapes differ, rewards has no step, terminals holds anything but 0 and 1, or discount or trace_decay
    is not in [0, 1].  Source: Sutton & Barto 2018, eq. 12.3.
    [B, T], [B, T+1], [B, T] -> [B, T]
    """
    require_share(trace_decay=trace_decay)
    factors = _factors(rewards, terminals, discount, values)
    decayed = trace_decay * factors
    # Not by the advantages: what the values add to them and take away again would be lost in rounding.
    mixed = torch.addcmul(rewards, factors - decayed, values[:, 1:])
    return _summed_backwards(_continued(mixed, decayed, values[:, -1]), decayed)


def whiten(advantages, mask, *, epsilon):
    r"""(A - mean) / (s + epsilon) where mask is 1, and 0 elsewhere: mean and deviation s of all valid entries of the batch.

    s^2 is the mean squared distance from the mean. Without a valid entry, or if all of them are equal, the result is 0.

    Raises ValueError if the shapes differ, mask holds anything but 0 and 1, or epsilon is not positive.
    Source: Schulman et al. 2017, as it is commonly implemented.
    [B, T], [B, T] -> [B, T]
    """
    require_rank(2, advantages=advantages)
    require_shape(advantages.shape, mask=mask)
    require_binary(mask=mask)
    require_positive(epsilon=epsilon)
    masked = mask == 0
    count = (~masked).sum().clamp(min=1).to(advantages.dtype)
    centered = advantages.masked_fill(masked, 0)
    for _ in range(2):  # once more, because the first mean is rounded, and equal entries must give 0
        centered = (centered - centered.sum() / count).masked_fill(masked, 0)
    return centered / (torch.linalg.vector_norm(centered) / count.sqrt() + epsilon)


def _factors(rewards, terminals, discount, values=None):
    """discount (1 - d_t), [B, T], of arguments that fit."""
    require_share(discount=discount)
    require_rank(2, rewards=rewards)
    batch, length = rewards.shape
    require(length > 0, f"rewards has shape {list(rewards.shape)}; it must have at least one step")
    require_shape((batch, length), terminals=terminals)
    if values is not None:
        require_shape((batch, length + 1), values=values)
    require_binary(terminals=terminals)
    going_on = terminals.logical_not().view(torch.uint8)  # converts five times faster than booleans
    return discount * going_on.to(rewards.dtype)


def _errors(rewards, values, factors):
    """delta_t, with factors = discount (1 - d_t)."""
    return torch.addcmul(rewards - values[:, :-1], factors, values[:, 1:])


def _continued(terms, factors, last):
    """The terms, with what the last of them passes on of y_T = last."""
    return torch.cat((terms[:, :-1], torch.addcmul(terms[:, -1], factors[:, -1], last).unsqueeze(1)), 1)


def _summed_backwards(terms, factors):
    """y_t = terms_t + factors_t y_(t+1), with y_T = 0. Only products of factors occur, no quotients, so a factor may be 0."""
    if terms.requires_grad or factors.requires_grad:
        return _in_blocks(terms, factors)
    return _in_place(*(part.T.clone(memory_format=torch.contiguous_format) for part in (terms, factors))).T


def _in_place(terms, factors):
    """The sums over terms and factors, [T, B], that are written over, where no gradient needs them: by halves, then by doubles.

    Every step takes in the one after it, every second both of the next two, and so on: what remains are the steps between, from
    the widest on.
    """
    length, widths = len(terms), []
    while (width := 2 ** len(widths)) < length:
        first, second = slice(0, length - width, 2 * width), slice(width, None, 2 * width)
        terms[first].addcmul_(factors[first], terms[second])
        factors[first].mul_(factors[second])
        widths.append(width)
    for width in reversed(widths):
        after = terms[2 * width :: 2 * width]
        between = slice(width, width + 2 * width * len(after), 2 * width)
        terms[between].addcmul_(factors[between], after)
    return terms


def _in_blocks(terms, factors):
    """The same for a backward pass: first within blocks, then from block to block by the same sum.

    y at the start of a block is (sum within the block) + (product of its factors) (y at the start of the next block).
    """
    batch, length = terms.shape
    size = min(BLOCK, length)
    blocks = -(-length // size)
    if rest := blocks * size - length:
        terms, factors = pad(terms, (0, rest)), pad(factors, (0, rest))
    rows = (part.view(batch, blocks, size).permute(2, 0, 1).contiguous() for part in (terms, factors))
    (total, *others), (product, *fades) = (reversed(part.unbind()) for part in rows)
    totals, products = [total], [product]
    for term, factor in zip(others, fades, strict=True):
        totals.append(torch.addcmul(term, factor, totals[-1]))
        products.append(factor * products[-1])
    if blocks > 1:
        following = pad(_in_blocks(totals[-1], products[-1])[:, 1:], (0, 1))
        totals = [torch.addcmul(total, product, following) for total, product in zip(totals, products, strict=True)]
    # Stacked in the order in which they lie, then turned: faster than into every sixteenth place.
    return torch.stack(totals[::-1]).permute(1, 2, 0).reshape(batch, blocks * size)[:, :length]
