"""Wrong forms of decoding that the rows must refuse, and other right forms that they must accept."""

import math

import torch

from practice_torch.autoregressive import decoding as right
from tests.support.mistakes import Mistake

INF = torch.inf


def _where(logits, keep, otherwise=-INF):
    return torch.where(keep, logits, otherwise)


def _top_k(logits, k, *, otherwise=-INF, cut_ties=False, strict=False, smallest=False):
    chosen = logits.topk(min(k, logits.shape[1]), largest=not smallest)
    if cut_ties:
        return _where(logits, torch.zeros_like(logits, dtype=torch.bool).scatter(1, chosen.indices, True), otherwise)
    last = chosen.values[:, -1:]
    return _where(logits, logits > last if strict else logits <= last if smallest else logits >= last, otherwise)


def _nucleus(logits, mass, *, key=None, crossing=True, strict=True, otherwise=-INF, first=False, rows=False):
    """The textbook's: sort, cumulate, compare, and back."""
    probs = logits.softmax(-1)
    key = -logits if key is None else key(logits)
    order = key.argsort(dim=-1, stable=True)
    sums = (probs.gather(1, order)).cumsum(-1)
    before = torch.nn.functional.pad(sums[:, :-1], (1, 0)) if crossing else sums
    kept = before < mass if strict else before <= mass
    if mass == 1:
        kept = torch.ones_like(kept)
    if first:
        kept = kept | (torch.arange(kept.shape[1]) == 0)
    if rows:
        return _where(logits, kept, otherwise)  # sorted truth values on unsorted logits
    return _where(logits, torch.zeros_like(kept).scatter(1, order, kept), otherwise)


def _surprise(logits, *, base=1.0, magnitude=True):
    log_probs = logits.log_softmax(-1)
    entropy = torch.special.entr(log_probs.exp()).sum(-1, keepdim=True) / base
    deviation = -log_probs - entropy
    return deviation.abs() if magnitude else deviation


def _typical(logits, mass, **wrong):
    return _nucleus(logits, mass, key=lambda logits: _surprise(logits, **wrong))


def _typical_with_nan(logits, *, mass):
    """0 log 0."""
    log_probs = logits.log_softmax(-1)
    entropy = -(log_probs.exp() * log_probs).sum(-1, keepdim=True)
    return _nucleus(logits, mass, key=lambda _: (-log_probs - entropy).abs())


def _minimum(logits, fraction, threshold):
    return _where(logits, logits.softmax(-1) >= threshold(logits, fraction))


def _penalized(logits, tokens, change):
    seen = torch.zeros_like(logits, dtype=torch.bool).scatter(1, tokens, True)
    return torch.where(seen, change(logits), logits)


def _every_time(logits, tokens, *, penalty):
    for t in range(tokens.shape[1]):
        logits = right.repetition_penalty(logits, tokens[:, t : t + 1], penalty=penalty)
    return logits


def _whole_batch(logits, tokens, *, penalty):
    """The tokens of all rows count in every row."""
    return right.repetition_penalty(logits, tokens.flatten().expand(logits.shape[0], -1), penalty=penalty)


def _sums(logits, uniform, reached, *, clamp=True):
    sums = logits.softmax(-1).cumsum(-1)
    found = (~reached(sums, uniform[:, None])).sum(-1)
    return found.clamp(max=logits.shape[1] - 1) if clamp else found


def _gumbel(logits, noise):
    return (logits + noise).argmax(-1)


def _unclamped(logits, uniforms):
    """inf - inf at a removed token with a uniform of 1."""
    return _gumbel(logits, -(-uniforms.log()).log())


def _ends(logits, uniforms, below_one):
    """Uniforms clamped as they should be below, and above to 1 less a part of machine epsilon."""
    numbers = torch.finfo(uniforms.dtype)
    return _gumbel(logits, -(-uniforms.clamp(numbers.tiny, 1 - numbers.eps * below_one).log()).log())


def _no_checks(logits, *, temperature):
    return logits / temperature


MISTAKES = (
    Mistake("apply_temperature", "multiplied", lambda logits, *, temperature: logits * temperature),
    Mistake("apply_temperature", "squared", lambda logits, *, temperature: logits / temperature**2),
    Mistake("apply_temperature", "applied to probabilities", lambda logits, *, temperature: logits.softmax(-1) / temperature),
    Mistake("apply_temperature", "normalized on the way", lambda logits, *, temperature: (logits / temperature).log_softmax(-1)),
    Mistake("apply_temperature", "temperature 0 accepted", _no_checks, only_checks=True),
    Mistake("top_k_filter", "ties cut", lambda logits, *, k: _top_k(logits, k, cut_ties=True)),
    Mistake("top_k_filter", "above the k-th", lambda logits, *, k: _top_k(logits, k, strict=True)),
    Mistake("top_k_filter", "0 for -inf", lambda logits, *, k: _top_k(logits, k, otherwise=0.0)),
    Mistake("top_k_filter", "-1e4 for -inf", lambda logits, *, k: _top_k(logits, k, otherwise=-1e4)),
    Mistake("top_k_filter", "the smallest", lambda logits, *, k: _top_k(logits, k, smallest=True)),
    Mistake("top_k_filter", "one too many", lambda logits, *, k: _top_k(logits, k + 1)),
    Mistake("top_k_filter", "k above V fails", lambda logits, *, k: _where(logits, logits >= logits.topk(k).values[:, -1:])),
    Mistake("top_k_filter", "gradient cut", lambda logits, *, k: _top_k(logits, k).detach()),
    Mistake("top_k_filter", "probabilities that are not normalized again",
            lambda logits, *, k: _where(logits.softmax(-1), logits >= logits.topk(min(k, 6)).values[:, -1:], 0.0)),
    Mistake("nucleus_filter", "the token that crosses the mass dropped",
            lambda logits, *, mass: _nucleus(logits, mass, crossing=False, strict=False)),
    Mistake("nucleus_filter", "the same, but for the first",
            lambda logits, *, mass: _nucleus(logits, mass, crossing=False, strict=False, first=True)),
    Mistake("nucleus_filter", "sums in the order of the vocabulary",
            lambda logits, *, mass: _nucleus(logits, mass, key=lambda logits: torch.arange(6.0)[: logits.shape[1]].expand_as(
                logits))),
    Mistake("nucleus_filter", "the least likely first", lambda logits, *, mass: _nucleus(logits, mass, key=lambda x: x)),
    Mistake("nucleus_filter", "one more where the mass is met", lambda logits, *, mass: _nucleus(logits, mass, strict=False)),
    Mistake("nucleus_filter", "sorted decisions on unsorted tokens", lambda logits, *, mass: _nucleus(logits, mass, rows=True)),
    Mistake("nucleus_filter", "probabilities set to 0 and not normalized",
            lambda logits, *, mass: torch.where(_nucleus(logits, mass) > -INF, logits.softmax(-1), 0.0)),
    Mistake("nucleus_filter", "log-probabilities of the whole for logits", lambda logits, *, mass: torch.where(
        _nucleus(logits, mass) > -INF, logits.log_softmax(-1), -INF)),
    Mistake("nucleus_filter", "the higher index first among equals",
            lambda logits, *, mass: _nucleus(logits.flip(-1), mass).flip(-1)),
    Mistake("nucleus_filter", "a threshold on every probability", lambda logits, *, mass: _where(
        logits, logits.softmax(-1) >= (1 - mass))),
    Mistake("nucleus_filter", "gradient through the mass", lambda logits, *, mass: _nucleus(logits, mass)
            + logits.softmax(-1).sum(-1, keepdim=True) - logits.detach().softmax(-1).sum(-1, keepdim=True)
            + 1e-3 * (logits.softmax(-1) - logits.detach().softmax(-1))),
    Mistake("typical_filter", "the nucleus", lambda logits, *, mass: _nucleus(logits, mass)),
    Mistake("typical_filter", "deviation with its sign", lambda logits, *, mass: _typical(logits, mass, magnitude=False)),
    Mistake("typical_filter", "entropy in bits", lambda logits, *, mass: _typical(logits, mass, base=math.log(2))),
    Mistake("typical_filter", "the least typical first",
            lambda logits, *, mass: _nucleus(logits, mass, key=lambda logits: -_surprise(logits))),
    Mistake("typical_filter", "the crossing token dropped",
            lambda logits, *, mass: _nucleus(logits, mass, key=_surprise, crossing=False, first=True)),
    Mistake("typical_filter", "0 log 0 is NaN", _typical_with_nan),
    Mistake("minimum_probability_filter", "an absolute threshold",
            lambda logits, *, fraction: _minimum(logits, fraction, lambda _, fraction: fraction)),
    Mistake("minimum_probability_filter", "a fraction of the largest logit", lambda logits, *, fraction: _where(
        logits, logits >= fraction * logits.amax(-1, keepdim=True))),
    Mistake("minimum_probability_filter", "a fraction of the mean", lambda logits, *, fraction: _minimum(
        logits, fraction, lambda logits, fraction: fraction / logits.shape[-1])),
    Mistake("minimum_probability_filter", "the largest of the batch", lambda logits, *, fraction: _minimum(
        logits, fraction, lambda logits, fraction: fraction * logits.softmax(-1).amax())),
    Mistake("minimum_probability_filter", "probabilities that underflow", lambda logits, *, fraction: _where(
        logits, (logits.softmax(-1) > 0) & (logits.softmax(-1) >= fraction * logits.softmax(-1).amax(-1, keepdim=True)))),
    Mistake("minimum_probability_filter", "strictly above", lambda logits, *, fraction: _minimum(
        logits, fraction, lambda logits, fraction: fraction * logits.softmax(-1).amax(-1, keepdim=True) * (1 + 1e-9))),
    Mistake("repetition_penalty", "negative logits divided",
            lambda logits, tokens, *, penalty: _penalized(logits, tokens, lambda logits: logits / penalty)),
    Mistake("repetition_penalty", "multiplied", lambda logits, tokens, *, penalty: _penalized(
        logits, tokens, lambda logits: logits * penalty)),
    Mistake("repetition_penalty", "subtracted", lambda logits, tokens, *, penalty: _penalized(
        logits, tokens, lambda logits: logits - penalty)),
    Mistake("repetition_penalty", "once for every occurrence", _every_time),
    Mistake("repetition_penalty", "tokens of other rows", _whole_batch),
    Mistake("repetition_penalty", "on new log-probabilities", lambda logits, tokens, *, penalty: right.repetition_penalty(
        logits.log_softmax(-1), tokens, penalty=penalty)),
    Mistake("repetition_penalty", "any penalty accepted", lambda logits, tokens, *, penalty: _penalized(
        logits, tokens, lambda logits: torch.where(logits > 0, logits / penalty, logits * penalty)), only_checks=True),
    Mistake("categorical_from_uniform", "u <= sum draws removed tokens",
            lambda logits, uniform: _sums(logits, uniform, lambda sums, u: u <= sums)),
    Mistake("categorical_from_uniform", "index V", lambda logits, uniform: _sums(
        logits, uniform, lambda sums, u: u < sums, clamp=False)),
    Mistake("categorical_from_uniform", "the last token, be it removed", lambda logits, uniform: _sums(
        logits, uniform, lambda sums, u: u < sums)),
    Mistake("categorical_from_uniform", "sums of logits", lambda logits, uniform: (
        logits.nan_to_num(neginf=-50.0).exp().cumsum(-1) <= uniform[:, None]).sum(-1).clamp(max=logits.shape[1] - 1)),
    Mistake("categorical_from_uniform", "from above", lambda logits, uniform: right.categorical_from_uniform(
        logits, 1 - uniform)),
    Mistake("categorical_from_uniform", "the most likely token", lambda logits, uniform: logits.argmax(-1)),
    Mistake("categorical_from_uniform", "one uniform for the batch", lambda logits, uniform: right.categorical_from_uniform(
        logits, uniform[:1].expand(uniform.shape))),
    Mistake("gumbel_argmax", "l + log u", lambda logits, uniforms: _gumbel(logits, uniforms.log())),
    Mistake("gumbel_argmax", "l - log u", lambda logits, uniforms: _gumbel(logits, -uniforms.log())),
    Mistake("gumbel_argmax", "l + log(-log u)", lambda logits, uniforms: _gumbel(logits, (-uniforms.log()).log())),
    Mistake("gumbel_argmax", "probabilities for logits", lambda logits, uniforms: right.gumbel_argmax(
        logits.softmax(-1), uniforms)),
    Mistake("gumbel_argmax", "no noise", lambda logits, uniforms: logits.argmax(-1)),
    Mistake("gumbel_argmax", "no logits", lambda logits, uniforms: uniforms.argmax(-1)),
    Mistake("gumbel_argmax", "the same noise for all rows", lambda logits, uniforms: right.gumbel_argmax(
        logits, uniforms[:1].expand_as(uniforms))),
    Mistake("gumbel_argmax", "a uniform of 1 at a removed token", _unclamped),
    Mistake("gumbel_argmax", "a uniform of 1 counts as the last number but one", lambda logits, uniforms: _ends(
        logits, uniforms, below_one=1.0)),
)  # fmt: skip


def _by_definition(logits, *, mass):
    """Every pair of tokens compared: no sorting."""
    right.nucleus_filter(logits, mass=mass)  # for its checks
    if mass == 1:
        return logits
    index = torch.arange(logits.shape[1])
    ahead = (logits[:, None, :] > logits[:, :, None]) | (
        (logits[:, None, :] == logits[:, :, None]) & (index[None, None, :] < index[None, :, None])
    )
    return _where(logits, (ahead * logits.softmax(-1)[:, None, :]).sum(-1) < mass)


def _cumulated(logits, *, mass):
    right.typical_filter(logits, mass=mass)  # for its checks
    return _typical(logits, mass)


def _relative(logits, *, fraction):
    right.minimum_probability_filter(logits, fraction=fraction)  # for its checks
    log_probs = logits.log_softmax(-1)
    gap = math.log(fraction) if fraction else -INF
    return _where(logits, log_probs - log_probs.amax(-1, keepdim=True) >= gap)


def _counted(logits, uniform):
    right.categorical_from_uniform(logits, uniform)  # for its checks
    sums = logits.softmax(-1).cumsum(-1)
    return torch.minimum((sums <= uniform[:, None]).sum(-1), sums.argmax(-1))


def _race(logits, uniforms):
    """The first of independent exponential clocks with rates p."""
    right.gumbel_argmax(logits, uniforms)  # for its checks
    numbers = torch.finfo(uniforms.dtype)
    return ((-uniforms.clamp(numbers.tiny, 1 - numbers.eps / 2).log()).log() - logits.log_softmax(-1)).argmin(-1)


EQUIVALENT = (
    Mistake("top_k_filter", "by sorting", lambda logits, *, k: torch.where(
        right.top_k_filter(logits, k=k) > -INF,
        torch.where(logits >= logits.sort(descending=True).values[:, [min(k, logits.shape[1]) - 1]], logits, -INF), -INF)),
    Mistake("nucleus_filter", "by definition, without sorting", _by_definition),
    Mistake("typical_filter", "summed from the most typical", _cumulated),
    Mistake("minimum_probability_filter", "in log-probabilities", _relative),
    Mistake("repetition_penalty", "the less likely of the two", lambda logits, tokens, *, penalty: (
        lambda wanted: _penalized(logits, tokens, lambda logits: (torch.minimum if penalty > 1 else torch.maximum)(
            logits / penalty, logits * penalty)).where(wanted == wanted, wanted))(
                right.repetition_penalty(logits, tokens, penalty=penalty))),
    Mistake("categorical_from_uniform", "counted", _counted),
    Mistake("gumbel_argmax", "a race of exponential clocks", _race),
)  # fmt: skip
