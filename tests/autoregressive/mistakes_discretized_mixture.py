"""Wrong forms of discretized logistic mixtures that the rows must refuse, and other right forms that they must accept."""

import math

import torch
from torch.nn.functional import logsigmoid

from practice_torch.autoregressive import discretized_mixture as right
from practice_torch.autoregressive.decoding import categorical_from_uniform
from tests.support.mistakes import Mistake


def _edges(x, mean, log_scale, num_levels, half=None):
    """The standardized edges of the cells, checked."""
    right.discretized_logistic_log_prob(x, mean, log_scale, num_levels=num_levels)
    half = 1 / (num_levels - 1) if half is None else half
    return ((x + side * half - mean) / log_scale.exp() for side in (-1, 1))


def _difference(x, mean, log_scale, *, num_levels, half=None, first=True, final=True, lowest=None):
    """The logarithm of the difference of two logistic functions; first, final: whether these cells are open."""
    lower, upper = (edge.sigmoid() for edge in _edges(x, mean, log_scale, num_levels, half))
    if first:
        lower = lower.masked_fill(x < 0.5 / (num_levels - 1) - 1, 0.0)
    if final:
        upper = upper.masked_fill(x > 1 - 0.5 / (num_levels - 1), 1.0)
    probability = upper - lower
    return (probability if lowest is None else probability.clamp(min=lowest)).log()


def _wrong(**mistake):
    def wrong(x, mean, log_scale, *, num_levels):
        half = mistake["half"](num_levels) if "half" in mistake else None
        return _difference(x, mean, log_scale, num_levels=num_levels, **mistake | {"half": half})

    return wrong


def _density(x, mean, log_scale, *, num_levels):
    lower, upper = _edges(x, mean, log_scale, num_levels)
    middle = (lower + upper) / 2
    return (upper - lower).log() + logsigmoid(middle) + logsigmoid(-middle)


def _anywhere(x, mean, log_scale, *, num_levels):
    """Takes whatever is given for the nearest level."""
    nearest = ((x + 1) * (num_levels - 1) / 2).round().clamp(0, num_levels - 1)
    return right.discretized_logistic_log_prob(2 * nearest / (num_levels - 1) - 1, mean, log_scale, num_levels=num_levels)


def _by_softplus(x, mean, log_scale, *, num_levels):
    """log(1 - e^(b - a)) - log(1 + e^-a) - log(1 + e^b)."""
    lower, upper = _edges(x, mean, log_scale, num_levels)
    zero = torch.zeros_like(mean)
    first, final = x < 0.5 / (num_levels - 1) - 1, x > 1 - 0.5 / (num_levels - 1)
    below = torch.where(final, zero, torch.logaddexp(zero, -upper))
    above = torch.where(first, zero, torch.logaddexp(zero, lower))
    width = 2 / (num_levels - 1) * (-log_scale).exp()
    return torch.where(first | final, zero, (-torch.expm1(-width)).log()) - below - above


def _parts(x, mixture_logits, mean, log_scale, num_levels):
    """log pi and log P of every component, checked."""
    right.discretized_logistic_mixture_log_prob(x, mixture_logits, mean, log_scale, num_levels=num_levels)
    cells = right.discretized_logistic_log_prob(x[..., None].expand_as(mean), mean, log_scale, num_levels=num_levels)
    return mixture_logits.log_softmax(-1), cells


def _mixture(combine):
    return lambda x, mixture_logits, mean, log_scale, *, num_levels: combine(
        mixture_logits, *_parts(x, mixture_logits, mean, log_scale, num_levels)
    )


def _component_by_component(logits, log_pi, cells):
    total = log_pi[..., 0] + cells[..., 0]
    for k in range(1, cells.shape[-1]):
        total = torch.logaddexp(total, log_pi[..., k] + cells[..., k])
    return total


def _chosen(component_uniform, mixture_logits):
    rows = categorical_from_uniform(mixture_logits.flatten(0, 1), component_uniform.flatten())
    return rows.view(component_uniform.shape)[..., None]


def _drawn(component_uniform, value_uniform, mixture_logits, mean, log_scale, *, num_levels, nearest=torch.round, clipped=True,
           inverse=torch.logit, expected=False):  # fmt: skip
    right.discretized_logistic_mixture_sample(
        component_uniform, value_uniform, mixture_logits, mean, log_scale, num_levels=num_levels
    )
    k = _chosen(component_uniform, mixture_logits)
    if expected:
        m, log_s = ((mixture_logits.softmax(-1) * each).sum(-1) for each in (mean, log_scale))
    else:
        m, log_s = (each.gather(-1, k)[..., 0] for each in (mean, log_scale))
    numbers = torch.finfo(value_uniform.dtype)
    place = m + log_s.exp() * inverse(value_uniform.clamp(numbers.tiny, 1 - numbers.eps / 2))
    level = nearest((place + 1) * (num_levels - 1) / 2)
    return 2 * (level.clamp(0, num_levels - 1) if clipped else level) / (num_levels - 1) - 1


def _wrong_draw(**mistake):
    return lambda **given: _drawn(**given, **mistake)


def _swapped(component_uniform, value_uniform, mixture_logits, mean, log_scale, *, num_levels):
    right.discretized_logistic_mixture_sample(
        component_uniform, value_uniform, mixture_logits, mean, log_scale, num_levels=num_levels
    )
    return right.discretized_logistic_mixture_sample(
        value_uniform, component_uniform, mixture_logits, mean, log_scale, num_levels=num_levels
    )


def _by_edges(component_uniform, value_uniform, mixture_logits, mean, log_scale, *, num_levels):
    """Number of inner edges with a distribution function of at most u."""
    right.discretized_logistic_mixture_sample(
        component_uniform, value_uniform, mixture_logits, mean, log_scale, num_levels=num_levels
    )
    k = _chosen(component_uniform, mixture_logits)
    edges = (2 * torch.arange(1, num_levels, device=mean.device).to(mean.dtype) - num_levels) / (num_levels - 1)
    below = ((edges - mean.gather(-1, k)) / log_scale.gather(-1, k).exp()).sigmoid() <= value_uniform[..., None]
    return (2 * below.sum(-1) - (num_levels - 1)).to(mean.dtype) / (num_levels - 1)


MISTAKES = (
    Mistake("discretized_logistic_log_prob", "half a cell is 1/levels", _wrong(half=lambda num_levels: 1 / num_levels)),
    Mistake("discretized_logistic_log_prob", "a whole cell to each side", _wrong(half=lambda num_levels: 2 / (num_levels - 1))),
    Mistake("discretized_logistic_log_prob", "both ends closed", _wrong(first=False, final=False)),
    Mistake("discretized_logistic_log_prob", "the highest cell closed", _wrong(final=False)),
    Mistake("discretized_logistic_log_prob", "a difference that cancels", _wrong()),
    Mistake("discretized_logistic_log_prob", "a difference cut off below: no gradient in the tails", _wrong(lowest=1e-12)),
    Mistake("discretized_logistic_log_prob", "density times width", _density),
    Mistake("discretized_logistic_log_prob", "half the logarithm of the scale", lambda x, mean, log_scale, *, num_levels: (
        right.discretized_logistic_log_prob(x, mean, log_scale / 2, num_levels=num_levels))),
    Mistake("discretized_logistic_log_prob", "bits", lambda x, mean, log_scale, *, num_levels: (
        right.discretized_logistic_log_prob(x, mean, log_scale, num_levels=num_levels) / math.log(2))),
    Mistake("discretized_logistic_log_prob", "accepts what is off the grid", _anywhere, only_checks=True),
    Mistake("discretized_logistic_mixture_log_prob", "a mixture of logarithms",
            _mixture(lambda logits, log_pi, cells: (log_pi.exp() * cells).sum(-1))),
    Mistake("discretized_logistic_mixture_log_prob", "weights not normalized",
            _mixture(lambda logits, log_pi, cells: (logits + cells).logsumexp(-1))),
    Mistake("discretized_logistic_mixture_log_prob", "the likeliest component alone",
            _mixture(lambda logits, log_pi, cells: (log_pi + cells).amax(-1))),
    Mistake("discretized_logistic_mixture_log_prob", "probabilities that underflow",
            _mixture(lambda logits, log_pi, cells: (log_pi.exp() * cells.exp()).sum(-1).log())),
    Mistake("discretized_logistic_mixture_log_prob", "weights normalized over the dimensions",
            _mixture(lambda logits, log_pi, cells: (logits.log_softmax(1) + cells).logsumexp(-1))),
    Mistake("discretized_logistic_mixture_log_prob", "weights without gradient",
            _mixture(lambda logits, log_pi, cells: (log_pi.detach() + 0 * logits.nan_to_num(neginf=0) + cells).logsumexp(-1))),
    Mistake("discretized_logistic_mixture_log_prob", "summed over the dimensions",
            _mixture(lambda logits, log_pi, cells: (log_pi + cells).logsumexp(-1).sum(-1, keepdim=True).expand(cells.shape[:2]))),
    Mistake("discretized_logistic_mixture_sample", "not clipped", _wrong_draw(clipped=False)),
    Mistake("discretized_logistic_mixture_sample", "the level below", _wrong_draw(nearest=torch.floor)),
    Mistake("discretized_logistic_mixture_sample", "a draw of the mean component", _wrong_draw(expected=True)),
    Mistake("discretized_logistic_mixture_sample", "the other tail", _wrong_draw(inverse=lambda u: -torch.logit(u))),
    Mistake("discretized_logistic_mixture_sample", "a normal draw", _wrong_draw(inverse=torch.special.ndtri)),
    Mistake("discretized_logistic_mixture_sample", "the uniforms exchanged", _swapped),
    Mistake("discretized_logistic_mixture_sample", "codes for levels", lambda num_levels, **given: (
        (right.discretized_logistic_mixture_sample(**given, num_levels=num_levels) + 1) * (num_levels - 1) / 2)),
    Mistake("discretized_logistic_mixture_sample", "uniforms cut off", lambda value_uniform, **given: (
        right.discretized_logistic_mixture_sample(value_uniform=value_uniform.clamp(0, 1), **given)), only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake("discretized_logistic_log_prob", "by softplus", _by_softplus),
    Mistake("discretized_logistic_mixture_log_prob", "one component after the other", _mixture(_component_by_component)),
    Mistake("discretized_logistic_mixture_sample", "by counting edges", _by_edges),
)
