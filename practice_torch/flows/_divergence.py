"""A vector field and its Jacobian along given directions."""

import math

import torch


def value_and_products(x, probes, fn):
    """fn(x) and p^T J p for every probe p and example, [P, B], with J = d fn / d x of the example; all probes in one pass."""
    value, pull = torch.func.vjp(fn, x)
    (pulled,) = torch.func.vmap(pull)(probes)
    return value, (probes * pulled).reshape(*probes.shape[:2], math.prod(x.shape[1:])).sum(2)
