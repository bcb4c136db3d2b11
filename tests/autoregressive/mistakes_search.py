"""Wrong forms of search that the rows must refuse, and other right forms that they must accept."""

import itertools

import torch

from practice_torch.autoregressive import search as right
from tests.support.mistakes import Mistake

INF = torch.inf


def _expanded(
    scores,
    log_probs,
    width,
    *,
    total=lambda scores, log_probs: scores[..., None] + log_probs,
    divisor=None,
    largest=True,
    last=False,
):
    """The textbook's: flatten, sort, divide."""
    size = log_probs.shape[-1]
    candidates = total(scores, log_probs).flatten(1)
    if last:  # the higher index first among equals
        order = (candidates.shape[1] - 1) - candidates.flip(-1).argsort(dim=-1, descending=True, stable=True)
    else:
        order = candidates.argsort(dim=-1, descending=largest, stable=True)
    index = order[:, :width]
    return candidates.gather(1, index), index // (divisor or size), index % (divisor or size)


def _best_of_each(scores, log_probs, *, width):
    """Every beam keeps its own best continuation: the beams never compete."""
    best, token = (scores[..., None] + log_probs).max(-1)
    order = best.argsort(dim=-1, descending=True, stable=True)[:, :width]
    return best.gather(1, order), order, token.gather(1, order)


def _revived(scores, log_probs, *, width):
    """A large negative number instead of -inf: an impossible beam becomes possible."""
    return right.beam_expansion(scores.clamp(min=-1e9), log_probs.clamp(min=-1e9), width=width)


def _beams(initial, step_fn, width, length, end_token, *, reorder=True, cost=0.0, others=-INF, average=False, copies=False,
           final=False, resurrected=False, finish=True):  # fmt: skip
    """Beam search with one thing wrong."""
    scores, _, tokens = right.beam_expansion(torch.zeros_like(initial[:, :1]), initial[:, None], width=width)
    if copies:
        count = scores.shape[1]
        scores, tokens = scores[:, :1].repeat(1, count), tokens[:, :1].repeat(1, count)
    if resurrected:
        scores = scores.clamp(min=-20.0)
    prefixes = tokens[..., None]
    for t in range(1, length):
        log_probs = step_fn(prefixes.flatten(0, 1)).to(initial.dtype).unflatten(0, scores.shape)
        if end_token is not None and finish:
            finished = prefixes[..., -1:] == end_token
            ending = torch.arange(log_probs.shape[-1]) == end_token
            waiting = torch.where(ending, log_probs if cost is None else cost, others)
            log_probs = torch.where(finished, waiting, log_probs)
        if final:
            scores = torch.zeros_like(scores)
        before = scores * t if average else scores
        total = before[..., None] + log_probs
        total = total / (t + 1) if average else total
        _, parents, tokens = right.beam_expansion(torch.zeros_like(scores), total.clamp(max=0), width=width)
        scores = total.flatten(1).gather(1, parents * total.shape[-1] + tokens)
        parents_used = parents if reorder else torch.arange(parents.shape[1]).clamp(max=prefixes.shape[1] - 1).expand_as(parents)
        prefixes = torch.cat([torch.take_along_dim(prefixes, parents_used[..., None], 1), tokens[..., None]], -1)
    return prefixes, scores


def _beam_mistake(name, **wrong):
    def search(initial_log_probs, step_fn, *, width, length, end_token=None):
        right.beam_search(initial_log_probs, step_fn, width=width, length=length, end_token=end_token)  # for its checks
        return _beams(initial_log_probs, step_fn, width, length, end_token, **wrong)

    return Mistake("beam_search", name, search)


def _unsorted_batch(initial_log_probs, step_fn, *, width, length, end_token=None):
    """Prefixes flattened beam by beam, and taken apart example by example."""
    return right.beam_search(
        initial_log_probs,
        lambda p: step_fn(p).unflatten(0, (-1, len(initial_log_probs))).transpose(0, 1).flatten(0, 1),
        width=width,
        length=length,
        end_token=end_token,
    )


def _greedy(initial, step_fn, length, *, choose=lambda log_probs: log_probs.max(-1), asked=True, added=True):
    score, token = choose(initial)
    prefix = token[:, None]
    for _ in range(1, length):
        best, token = choose(step_fn(prefix).to(initial.dtype) if asked else initial)
        score = score + best if added else best
        prefix = torch.cat([prefix, token[:, None]], -1)
    return prefix, score


def _last_of_ties(log_probs):
    value, index = log_probs.flip(-1).max(-1)
    return value, log_probs.shape[-1] - 1 - index


def _path(initial, transition, length, *, start=True, back=True, backward=False, combine="max"):
    best = initial if start else torch.zeros_like(initial)
    states, pointers = [best.argmax(-1)], []
    for _ in range(1, length):
        through = best[..., None] + transition
        pointers.append(through.argmax(1))
        best = through.amax(1) if combine == "max" else through.logsumexp(1)
        states.append(best.argmax(-1))
    if back:
        states = [best.argmax(-1)]
        for before in reversed(pointers):
            states.insert(0, before.gather(1, states[0][:, None])[:, 0])
    score = best.amax(-1)
    states = states[::-1] if backward else states
    return torch.stack(states, 1), score


def _greedy_path(initial_log_probs, transition_log_probs, *, length):
    return right.greedy_search(initial_log_probs, lambda p: transition_log_probs[p[:, -1]], length=length)


MISTAKES = (
    Mistake("beam_expansion", "scores averaged", lambda scores, log_probs, *, width: _expanded(
        scores, log_probs, width, total=lambda s, p: (s[..., None] + p) / 2)),
    Mistake("beam_expansion", "the score of the prefix forgotten", lambda scores, log_probs, *, width: _expanded(
        scores, log_probs, width, total=lambda s, p: p)),
    Mistake("beam_expansion", "divided by K, not V", lambda scores, log_probs, *, width: _expanded(
        scores, log_probs, width, divisor=scores.shape[1])),
    Mistake("beam_expansion", "flattened token by token", lambda scores, log_probs, *, width: _expanded(
        scores, log_probs, width, total=lambda s, p: (s[..., None] + p).mT)),
    Mistake("beam_expansion", "the worst", lambda scores, log_probs, *, width: _expanded(
        scores, log_probs, width, largest=False)),
    Mistake("beam_expansion", "the higher index among equals", lambda scores, log_probs, *, width: _expanded(
        scores, log_probs, width, last=True)),
    Mistake("beam_expansion", "the best of each beam", _best_of_each),
    Mistake("beam_expansion", "-1e9 for -inf", _revived),
    Mistake("beam_expansion", "parents and tokens swapped", lambda scores, log_probs, *, width: (
        lambda best, parent, token: (best, token, parent))(*right.beam_expansion(scores, log_probs, width=width))),
    Mistake("beam_expansion", "gradient cut", lambda scores, log_probs, *, width: right.beam_expansion(
        scores.detach(), log_probs.detach(), width=width)),
    Mistake("beam_expansion", "logits accepted", lambda scores, log_probs, *, width: _expanded(scores, log_probs, width),
            only_checks=True),
    _beam_mistake("parents not applied to the prefixes", reorder=False),
    _beam_mistake("scores averaged during the search", average=True),
    _beam_mistake("finished beams pay for their end tokens", cost=None),
    _beam_mistake("finished beams go on with other tokens", finish=False),
    _beam_mistake("finished beams go on with other tokens, for a price", others=-1.0),
    _beam_mistake("copies of one beam at the start", copies=True),
    _beam_mistake("scores of the last step alone", final=True),
    _beam_mistake("beams of score -inf brought back", resurrected=True),
    Mistake("beam_search", "examples mixed in the batch of prefixes", _unsorted_batch),
    Mistake("beam_search", "one beam too few", lambda initial_log_probs, step_fn, *, width, length, end_token=None:
            right.beam_search(initial_log_probs, step_fn, width=max(1, width - 1), length=length, end_token=end_token)),
    Mistake("beam_search", "the end token ignored", lambda initial_log_probs, step_fn, *, width, length, end_token=None:
            right.beam_search(initial_log_probs, step_fn, width=width, length=length)),
    Mistake("greedy_search", "the least likely", lambda initial_log_probs, step_fn, *, length: _greedy(
        initial_log_probs, step_fn, length, choose=lambda log_probs: log_probs.min(-1))),
    Mistake("greedy_search", "the model not asked again", lambda initial_log_probs, step_fn, *, length: _greedy(
        initial_log_probs, step_fn, length, asked=False)),
    Mistake("greedy_search", "the score of the last step alone", lambda initial_log_probs, step_fn, *, length: _greedy(
        initial_log_probs, step_fn, length, added=False)),
    Mistake("greedy_search", "the last among equals", lambda initial_log_probs, step_fn, *, length: _greedy(
        initial_log_probs, step_fn, length, choose=_last_of_ties)),
    Mistake("greedy_search", "a beam's best", lambda initial_log_probs, step_fn, *, length: (
        lambda tokens, scores: (tokens[:, 0], scores[:, 0]))(
            *right.beam_search(initial_log_probs, step_fn, width=9, length=length))),
    Mistake("greedy_search", "asked about the last token alone", lambda initial_log_probs, step_fn, *, length: _greedy(
        initial_log_probs, lambda prefix: step_fn(prefix[:, -1:]), length)),
    Mistake("viterbi", "greedy", _greedy_path),
    Mistake("viterbi", "transitions transposed", lambda initial_log_probs, transition_log_probs, *, length: _path(
        initial_log_probs, transition_log_probs.T, length)),
    Mistake("viterbi", "the path from its end", lambda initial_log_probs, transition_log_probs, *, length: _path(
        initial_log_probs, transition_log_probs, length, backward=True)),
    Mistake("viterbi", "no pointers back", lambda initial_log_probs, transition_log_probs, *, length: _path(
        initial_log_probs, transition_log_probs, length, back=False)),
    Mistake("viterbi", "the start forgotten", lambda initial_log_probs, transition_log_probs, *, length: _path(
        initial_log_probs, transition_log_probs, length, start=False)),
    Mistake("viterbi", "sums for maxima", lambda initial_log_probs, transition_log_probs, *, length: _path(
        initial_log_probs, transition_log_probs, length, combine="sum")),
    Mistake("viterbi", "logits accepted", lambda initial_log_probs, transition_log_probs, *, length: _path(
        initial_log_probs, transition_log_probs, length), only_checks=True),
    Mistake("length_normalized_score", "n^alpha", lambda log_prob, lengths, *, exponent: log_prob / lengths**exponent),
    Mistake("length_normalized_score", "(5 + n)^alpha", lambda log_prob, lengths, *, exponent: log_prob / (
        5 + lengths) ** exponent),
    Mistake("length_normalized_score", "multiplied", lambda log_prob, lengths, *, exponent: log_prob * (
        (5 + lengths) / 6) ** exponent),
    Mistake("length_normalized_score", "the exponent outside", lambda log_prob, lengths, *, exponent: log_prob / (
        (5 + lengths) * exponent / 6)),
    Mistake("length_normalized_score", "subtracted", lambda log_prob, lengths, *, exponent: log_prob - exponent * (
        (5 + lengths) / 6).log()),
    Mistake("length_normalized_score", "float32 from integers", lambda log_prob, lengths, *, exponent: log_prob / (
        (5 + lengths.float()) / 6) ** exponent),
    Mistake("length_normalized_score", "any length accepted", lambda log_prob, lengths, *, exponent: log_prob / (
        (5 + lengths.to(log_prob.dtype)) / 6) ** exponent, only_checks=True),
)  # fmt: skip


def _sorted(scores, log_probs, *, width):
    right.beam_expansion(scores, log_probs, width=width)  # for its checks
    return _expanded(scores, log_probs, width)


def _straight(initial_log_probs, step_fn, *, width, length, end_token=None):
    right.beam_search(initial_log_probs, step_fn, width=width, length=length, end_token=end_token)  # for its checks
    return _beams(initial_log_probs, step_fn, width, length, end_token)


def _forward(initial_log_probs, transition_log_probs, *, length):
    right.viterbi(initial_log_probs, transition_log_probs, length=length)  # for its checks
    return _path(initial_log_probs, transition_log_probs, length)


def _one_beam(initial_log_probs, step_fn, *, length):
    tokens, scores = right.beam_search(initial_log_probs, step_fn, width=1, length=length)
    return tokens[:, 0], scores[:, 0]


def _in_logarithms(log_prob, lengths, *, exponent):
    right.length_normalized_score(log_prob, lengths, exponent=exponent)  # for its checks
    return log_prob * (-exponent * ((5 + lengths.to(log_prob.dtype)) / 6).log()).exp()


def _by_pairs(scores, log_probs, *, width):
    """Candidate by candidate, in the order of the flat index."""
    right.beam_expansion(scores, log_probs, width=width)  # for its checks
    rows, (_, beams, size) = [], log_probs.shape
    for candidates in (scores[..., None] + log_probs).tolist():
        pairs = itertools.product(range(beams), range(size))
        rows.append(sorted(pairs, key=lambda at: candidates[at[0]][at[1]], reverse=True)[:width])
    parents, tokens = torch.tensor(rows, dtype=torch.int64).reshape(len(rows), min(width, beams * size), 2).unbind(-1)
    return scores.gather(1, parents) + log_probs.flatten(1).gather(1, parents * size + tokens), parents, tokens


EQUIVALENT = (
    Mistake("beam_expansion", "all candidates sorted", _sorted),
    Mistake("beam_expansion", "candidate by candidate", _by_pairs),
    Mistake("beam_search", "with separate masks", _straight),
    Mistake("greedy_search", "one beam", _one_beam),
    Mistake("viterbi", "states from the left", _forward),
    Mistake("length_normalized_score", "in logarithms", _in_logarithms),
)
