"""Wrong forms of the chain rule and of masked networks that the rows must refuse, and other right forms that they must accept."""

import torch
from torch.nn import functional

from practice_torch.autoregressive import chain_rule as right
from tests.support.mistakes import Mistake


def _scores(tokens, logits, mask):
    """Log-probabilities of the tokens, zero where they are not valid."""
    mask = torch.ones(tokens.shape, dtype=torch.bool) if mask is None else mask
    chosen = logits.log_softmax(-1).gather(-1, tokens.clamp(0, logits.shape[-1] - 1)[..., None])[..., 0]
    return torch.where(mask, chosen, 0.0), mask


def _masked_after_the_fact(tokens, logits, mask):
    """0 * NaN is NaN: padding leaks through a product."""
    log_probs, mask = _scores(tokens, logits, None)[0], mask if mask is not None else torch.ones_like(tokens)
    return (log_probs * mask).sum(-1)


def _shifted(tokens, logits, mask):
    """The labels are shifted although the logits are aligned."""
    pad = functional.pad(tokens[:, 1:], (0, 1))
    return _scores(pad, logits, mask)[0].sum(-1)


def _without_checks(tokens, logits, mask):
    return _scores(tokens, logits, mask)[0].sum(-1)


def _masks(order, degrees, hidden, output):
    units = (order, *degrees)
    inner = tuple(hidden(above[:, None], below[None]) for below, above in zip(units[:-1], units[1:], strict=True))
    return (*inner, output(order[:, None], units[-1][None]))


def _masks_without_checks(input_order, hidden_degrees):
    return _masks(input_order, hidden_degrees, torch.ge, torch.gt)


def _transposed(input_order, hidden_degrees):
    return tuple(mask.T.contiguous() for mask in _masks_without_checks(input_order, hidden_degrees))


def _network(x, weights, biases, masks, *, inside=lambda h: h.relu(), masked=lambda w, m: w * m):
    for i, (weight, bias, mask) in enumerate(zip(weights, biases, masks, strict=False)):
        x = functional.linear(inside(x) if i else x, masked(weight, mask), bias)
    return x


def _masks_activations(x, weights, biases, masks):
    for i, (weight, bias, mask) in enumerate(zip(weights, biases, masks, strict=True)):
        x = functional.linear(x.relu() if i else x, weight, bias) * mask.any(1)
    return x


def _ancestral(uniforms, logits_fn, variables, draw=torch.lt):
    x = torch.zeros_like(uniforms)
    for d in variables:
        x[:, d] = draw(uniforms[:, d], logits_fn(x)[:, d].sigmoid()).to(x.dtype)
    return x


def _in_index_order(uniforms, logits_fn, *, order):
    return _ancestral(uniforms, logits_fn, range(uniforms.shape[1]))


def _order_as_list(uniforms, logits_fn, *, order):
    return _ancestral(uniforms, logits_fn, (order - 1).tolist())


def _all_at_once(uniforms, logits_fn, *, order):
    return (uniforms < logits_fn(torch.zeros_like(uniforms)).sigmoid()).to(uniforms.dtype)


def _other_side(uniforms, logits_fn, *, order):
    return _ancestral(uniforms, logits_fn, order.argsort().tolist(), torch.gt)


def _without_order_check(uniforms, logits_fn, *, order):
    return _ancestral(uniforms, logits_fn, order.argsort().tolist())


MISTAKES = (
    Mistake("sequence_log_prob", "accepts tokens outside the vocabulary", _without_checks, only_checks=True),
    Mistake("sequence_log_prob", "the mask multiplies what may be NaN", _masked_after_the_fact),
    Mistake("sequence_log_prob", "labels shifted twice", _shifted),
    Mistake("sequence_log_prob", "mask ignored", lambda tokens, logits, mask: _scores(tokens, logits, None)[0].sum(-1)),
    Mistake("sequence_log_prob", "mask inverted",
            lambda tokens, logits, mask: _scores(tokens, logits, None if mask is None else ~mask)[0].sum(-1)),
    Mistake("sequence_log_prob", "mean over the valid steps",
            lambda tokens, logits, mask: (lambda s, m: s.sum(-1) / m.sum(-1).clamp(min=1))(*_scores(tokens, logits, mask))),
    Mistake("sequence_log_prob", "log of softmax overflows to -inf", lambda tokens, logits, mask: torch.where(
        _scores(tokens, logits, mask)[1], logits.softmax(-1).log().gather(-1, tokens.clamp(0)[..., None])[..., 0], 0.0).sum(-1)),
    Mistake("sequence_log_prob", "logits read as log-probabilities", lambda tokens, logits, mask: torch.where(
        _scores(tokens, logits, mask)[1], logits.gather(-1, tokens.clamp(0, logits.shape[-1] - 1)[..., None])[..., 0],
        0.0).sum(-1)),
    Mistake("autoregressive_bernoulli_log_prob", "log of sigmoid is -inf at -800",
            lambda x, logits: (x * logits.sigmoid().log() + (1 - x) * (1 - logits.sigmoid()).log()).sum(-1)),
    Mistake("autoregressive_bernoulli_log_prob", "log(1 + e^l) overflows",
            lambda x, logits: (x * logits - (1 + logits.exp()).log()).sum(-1)),
    Mistake("autoregressive_bernoulli_log_prob", "torch's softplus, the identity beyond 20",
            lambda x, logits: -functional.softplus((1 - 2 * x) * logits).sum(-1)),
    Mistake("autoregressive_bernoulli_log_prob", "x flipped",
            lambda x, logits: right.autoregressive_bernoulli_log_prob(1 - x, logits)),
    Mistake("autoregressive_bernoulli_log_prob", "mean over variables",
            lambda x, logits: right.autoregressive_bernoulli_log_prob(x, logits) / x.shape[1]),
    Mistake("autoregressive_bernoulli_log_prob", "accepts gray pixels",
            lambda x, logits: -functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1),
            only_checks=True),
    Mistake("made_masks", "output mask >=", lambda input_order, hidden_degrees: _masks(
        input_order, hidden_degrees, torch.ge, torch.ge)),
    Mistake("made_masks", "hidden mask >", lambda input_order, hidden_degrees: _masks(
        input_order, hidden_degrees, torch.gt, torch.gt)),
    Mistake("made_masks", "transposed", _transposed),
    Mistake("made_masks", "accepts an order that is no permutation", _masks_without_checks, only_checks=True),
    Mistake("made_logits", "no masks", lambda x, weights, biases, masks: _network(
        x, weights, biases, masks, masked=lambda weight, mask: weight)),
    Mistake("made_logits", "activations masked instead of weights", _masks_activations),
    Mistake("made_logits", "no ReLU", lambda x, weights, biases, masks: _network(x, weights, biases, masks, inside=lambda h: h)),
    Mistake("made_logits", "ReLU at the end, too", lambda x, weights, biases, masks: _network(x, weights, biases, masks).relu()),
    Mistake("made_logits", "no bias", lambda x, weights, biases, masks: _network(
        x, weights, [torch.zeros_like(b) for b in biases], masks)),
    Mistake("made_logits", "a short list of layers ends early", _network, only_checks=True),
    Mistake("mask_connectivity", "multiplied in the wrong order", lambda masks: right.mask_connectivity(
        tuple(mask.T for mask in reversed(masks)))),
    Mistake("mask_connectivity", "whether, not how many", lambda masks: (right.mask_connectivity(masks) > 0).long()),
    Mistake("ancestral_bernoulli", "generated in index order", _in_index_order),
    Mistake("ancestral_bernoulli", "order read as the list of variables", _order_as_list),
    Mistake("ancestral_bernoulli", "all variables at once", _all_at_once),
    Mistake("ancestral_bernoulli", "u > sigma", _other_side),
    Mistake("ancestral_bernoulli", "accepts an order that is no permutation", _without_order_check, only_checks=True),
)  # fmt: skip


def _product_and_softplus(x, logits):
    """The textbook's form."""
    right.autoregressive_bernoulli_log_prob(x, logits)  # for its checks
    return (x * logits - torch.logaddexp(logits, torch.zeros_like(logits))).sum(-1)


def _one_by_one(uniforms, logits_fn, *, order):
    right.ancestral_bernoulli(uniforms, logits_fn, order=order)  # for its checks
    return _without_order_check(uniforms, logits_fn, order=order)


EQUIVALENT = (
    Mistake("autoregressive_bernoulli_log_prob", "x l - softplus(l)", _product_and_softplus),
    Mistake("ancestral_bernoulli", "assigned variable by variable", _one_by_one),
)
