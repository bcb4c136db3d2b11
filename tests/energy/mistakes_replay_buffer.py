"""Wrong forms of a replay buffer that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.energy import replay_buffer as right
from tests.support.mistakes import Mistake


def _sample(draw):
    """draw(buffer, indices, fresh, uniforms, p), behind the checks of the right function."""

    def wrong(buffer, indices, fresh, uniforms, *, reinitialize_probability=0.05):
        right.sample(buffer, indices, fresh, uniforms, reinitialize_probability=reinitialize_probability)
        return draw(buffer, indices.long(), fresh, uniforms, reinitialize_probability)

    return wrong


def _chosen(anew, fresh, stored):
    return torch.where(anew.view(-1, *[1] * (fresh.ndim - 1)), fresh, stored)


def _clamped(buffer, indices, fresh, uniforms, *, reinitialize_probability=0.05):
    inside = indices.long().clamp(0, len(buffer) - 1)
    return right.sample(buffer, inside, fresh, uniforms, reinitialize_probability=reinitialize_probability)


def _update(write):
    """write(a copy of the buffer, indices, samples), behind the checks of the right function."""

    def wrong(buffer, indices, samples):
        right.update(buffer, indices, samples)
        return write(buffer.clone(), indices.long(), samples)

    return wrong


def _in_place(buffer, indices, samples):
    new = right.update(buffer, indices, samples)
    with torch.no_grad():
        buffer.copy_(new)
    return new


def _one_by_one(buffer, indices, samples):
    rows = list(buffer)
    for place, row in zip(indices.tolist(), samples, strict=True):
        rows[place] = row
    return torch.stack(rows)


def _first_wins(buffer, indices, samples):
    return _one_by_one(buffer, indices.flip(0), samples.flip(0))


def _shared(buffer, indices, samples):
    """Every duplicate is replaced by the last one first: the values are right, the last one's gradient is counted twice."""
    last = torch.stack([(indices == place).nonzero().amax() for place in indices]) if len(indices) else indices
    return buffer.index_copy(0, indices, samples[last])


def _narrow(buffer, indices, samples):
    places = indices.to(torch.int8).long().abs() if len(buffer) > 128 else indices
    return right.update(buffer, places, samples)


MISTAKES = (
    Mistake("sample", "fresh above p", _sample(lambda b, i, fresh, u, p: _chosen(u > p, fresh, b[i]))),
    Mistake("sample", "fresh at p, too", _sample(lambda b, i, fresh, u, p: _chosen(u <= p, fresh, b[i]))),
    Mistake("sample", "one fresh draw for all", _sample(
        lambda b, i, fresh, u, p: _chosen(u < p, fresh[:1].expand_as(fresh), b[i]))),
    Mistake("sample", "the first entries in order", _sample(
        lambda b, i, fresh, u, p: _chosen(u < p, fresh, b[torch.arange(len(i)) % len(b)]))),
    Mistake("sample", "one chance for the whole batch", _sample(
        lambda b, i, fresh, u, p: _chosen((u[:1] < p).expand_as(u), fresh, b[i]))),
    Mistake("sample", "a mixture of both", _sample(lambda b, i, fresh, u, p: p * fresh + (1 - p) * b[i])),
    Mistake("sample", "always one in twenty", _sample(lambda b, i, fresh, u, p: _chosen(u < 0.05, fresh, b[i]))),
    Mistake("sample", "indices out of range are clamped", _clamped, only_checks=True),
    Mistake("update", "the first wins", _update(_first_wins)),
    Mistake("update", "added", _update(lambda new, i, samples: new.index_add(0, i, samples))),
    Mistake("update", "the gradient of the last is counted twice", _update(_shared)),
    Mistake("update", "in place", _in_place),
    Mistake("update", "indices in eight bits", _narrow),
    Mistake("update", "samples without gradient", _update(lambda new, i, samples: _one_by_one(new, i, samples.detach())
                                                          + 0 * samples.sum())),
    Mistake("expected_age", "before the visit", lambda *, reinitialize_probability, chain_length: (
        right.expected_age(reinitialize_probability=reinitialize_probability, chain_length=chain_length) - chain_length)),
    Mistake("expected_age", "fresh above p", lambda *, reinitialize_probability, chain_length: (
        right.expected_age(reinitialize_probability=reinitialize_probability, chain_length=chain_length) and
        chain_length / (1 - reinitialize_probability))),
)  # fmt: skip

EQUIVALENT = (
    Mistake(
        "sample",
        "by arithmetic on the mask",
        _sample(
            lambda b, i, fresh, u, p: _chosen(
                ~(u >= p), fresh, torch.gather(b, 0, i.view(-1, *[1] * (b.ndim - 1)).expand(len(i), *b.shape[1:]))
            )
        ),
    ),
    Mistake("update", "one by one", _update(_one_by_one)),
)
