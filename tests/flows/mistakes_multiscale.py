"""Wrong squeezes and priors that the rows must refuse, and other right ones."""

import math

import torch

from practice_torch.flows import multiscale as right
from tests.support.mistakes import Mistake


def _blocks(x, order):
    right.squeeze(x)
    batch, channels, height, width = x.shape
    blocks = x.reshape(batch, channels, height // 2, 2, width // 2, 2).permute(*order)
    return blocks.reshape(batch, 4 * channels, height // 2, width // 2)


def _of_what_stays(x, mean_fn, log_var_fn):
    kept, left = x.chunk(2, dim=1)
    right.split_prior_log_prob(x, mean_fn, log_var_fn)
    return kept, right.split_prior_log_prob(torch.cat([left, kept], 1), mean_fn, log_var_fn)[1]


def _with_any_noise(kept, noise, mean_fn, log_var_fn):
    fitting = noise if noise.shape == kept.shape else noise[:, :1].expand_as(kept)
    return right.split_prior_sample(kept, fitting, mean_fn, log_var_fn)


def _by_torch(x, mean_fn, log_var_fn):
    kept, left = x.chunk(2, dim=1)
    law = torch.distributions.Normal(mean_fn(kept), (log_var_fn(kept) / 2).exp(), validate_args=False)
    return kept, law.log_prob(left).flatten(1).sum(1)


MISTAKES = (
    Mistake("squeeze", "space to depth: places before channels", lambda x: _blocks(x, (0, 3, 5, 1, 2, 4))),
    Mistake("squeeze", "columns before rows", lambda x: _blocks(x, (0, 1, 5, 3, 2, 4))),
    Mistake("squeeze", "halves of the image in place of neighbors", lambda x: right.squeeze(x).flip(1)),
    Mistake("unsqueeze", "columns before rows", lambda x: right.unsqueeze(
        x.unflatten(1, (-1, 2, 2)).transpose(2, 3).flatten(1, 3)) if x.numel() else right.unsqueeze(x)),
    Mistake("split_prior_log_prob", "the prior of the half that stays", _of_what_stays),
    Mistake("split_prior_log_prob", "the second half stays", lambda x, mean_fn, log_var_fn: (
        x.chunk(2, dim=1)[1], right.split_prior_log_prob(x, mean_fn, log_var_fn)[1])),
    Mistake("split_prior_log_prob", "no constant", lambda x, mean_fn, log_var_fn: (
        right.split_prior_log_prob(x, mean_fn, log_var_fn)[0],
        right.split_prior_log_prob(x, mean_fn, log_var_fn)[1] + math.log(2 * math.pi) / 4 * x[:1].numel())),
    Mistake("split_prior_log_prob", "a log-deviation", lambda x, mean_fn, log_var_fn: (
        right.split_prior_log_prob(x, mean_fn, lambda kept: 2 * log_var_fn(kept)))),
    Mistake("split_prior_sample", "noise scaled by the variance", lambda kept, noise, mean_fn, log_var_fn: (
        right.split_prior_sample(kept, noise, mean_fn, lambda half: 2 * log_var_fn(half)))),
    Mistake("split_prior_sample", "what was drawn comes first", lambda kept, noise, mean_fn, log_var_fn: (
        right.split_prior_sample(kept, noise, mean_fn, log_var_fn).roll(kept.shape[1], 1))),
    Mistake("split_prior_sample", "noise of one shape for another", _with_any_noise, only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake("squeeze", "by a permutation of axes", lambda x: _blocks(x, (0, 1, 3, 5, 2, 4))),
    Mistake("split_prior_log_prob", "torch.distributions", _by_torch, core_alone=True),
)
