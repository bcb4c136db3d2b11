"""Wrong forms of natural gradients that the rows must refuse."""

import torch

from practice_torch.reinforcement import natural_gradient as right
from tests.support.mistakes import Mistake


def _fisher(logits, *, centered=True, sign=-1.0):
    policy = logits.softmax(1)
    pairs = policy.unsqueeze(2) * policy.unsqueeze(1)
    return torch.diag_embed(policy) + (sign * pairs if centered else 0 * pairs)


def _product(vector, features, logits, *, damping, centered=True, mean=True, sign=1.0):
    policy = logits.softmax(1)
    moved = features @ vector.mT
    moved = policy * (moved - (policy * moved).sum(1, keepdim=True) if centered else moved)
    return moved.mT @ features / (len(features) if mean else 1) + sign * damping * vector


def _solved(target, matvec_fn, *, iterations, tolerance=0.0, exchanged=False, descent=False, relative=True, moving=True):
    """Conjugate gradients without scaling, with one thing changed."""
    x, residual = torch.zeros_like(target), target
    direction, squared = residual, residual @ residual
    for _ in range(iterations):
        if squared <= tolerance**2 * (target @ target if relative else 1.0) + 1e-30 * (target @ target):
            break
        product = matvec_fn(direction)
        length = squared / (direction @ product)
        x = x + length * direction
        residual = residual - length * product if moving else residual
        before, squared = squared, residual @ residual
        coefficient = before / squared if exchanged else squared / before
        direction = residual + (0 if descent else coefficient) * direction
    return x


def _one_too_few(target, matvec_fn, *, iterations, tolerance=0.0):
    return _solved(target, matvec_fn, iterations=iterations - 1, tolerance=tolerance)


def _step(gradient, fisher, *, maximum_kl, root=True, double=True, plain=False):
    gradient = gradient / gradient.abs().max().detach().clamp(min=1e-30)
    direction = gradient if plain else torch.linalg.solve(fisher, gradient)
    factor = (2 if double else 1) * maximum_kl / (gradient @ direction)
    return (factor.sqrt() if root else factor) * direction


def _step_unscaled(gradient, fisher, *, maximum_kl):
    """g^T F^-1 g underflows in float32, and the step is not a number."""
    right.natural_step(gradient, fisher, maximum_kl=maximum_kl)
    direction = torch.linalg.solve(fisher, gradient)
    return (2 * maximum_kl / (gradient @ direction)).sqrt() * direction


def _step_of_any_matrix(gradient, fisher, *, maximum_kl):
    if fisher.shape != gradient.shape * 2 or maximum_kl <= 0:
        raise ValueError("fisher or maximum_kl")
    return _step(gradient, fisher, maximum_kl=maximum_kl)


def _search(
    parameters, step, objective_fn, kl_fn, *, maximum_kl, shrink=0.5, attempts=10, raises=True, bounded=True, strict=True
):
    before = objective_fn(parameters)
    for attempt in range(attempts):
        there = parameters + shrink**attempt * step
        better = objective_fn(there) > before if strict else objective_fn(there) >= before
        if (better or not raises) and (kl_fn(there) <= maximum_kl or not bounded):
            return there, torch.tensor(shrink**attempt, dtype=parameters.dtype)
    return parameters + 0 * step, parameters.new_zeros(())


def _last_attempt(parameters, step, *given, shrink=0.5, attempts=10, **more):
    found, taken = right.backtracking_line_search(parameters, step, *given, shrink=shrink, attempts=attempts, **more)
    last = shrink ** (attempts - 1)
    return (found, taken) if taken else (parameters + last * step, taken + last)


MISTAKES = (
    Mistake("softmax_fisher", "without the mean of the score", lambda logits: _fisher(logits, centered=False)),
    Mistake("softmax_fisher", "the product added", lambda logits: _fisher(logits, sign=1.0)),
    Mistake("softmax_fisher", "p - p^2 where the policy is nearly certain", _fisher),
    Mistake("softmax_fisher", "one matrix for the batch", lambda logits: right.softmax_fisher(logits).mean(0)),
    Mistake("linear_fisher_vector_product", "damping subtracted", lambda *given, **more: _product(*given, **more, sign=-1.0)),
    Mistake("linear_fisher_vector_product", "damping forgotten", lambda *given, **more: _product(*given, **more, sign=0.0)),
    Mistake(
        "linear_fisher_vector_product", "the sum over the states", lambda *given, **more: _product(*given, **more, mean=False)
    ),
    Mistake(
        "linear_fisher_vector_product",
        "without the mean of the score",
        lambda *given, **more: _product(*given, **more, centered=False),
    ),
    Mistake(
        "linear_fisher_vector_product",
        "0 but for the damping: the KL of a policy and itself",
        lambda vector, features, logits, *, damping: damping * vector + 0 * (features.sum() + logits.sum()),
    ),
    Mistake("linear_fisher_vector_product", "accepts no state", _product, only_checks=True),
    Mistake(
        "conjugate_gradient",
        "old and new exchanged in the coefficient",
        lambda *given, **more: _solved(*given, **more, exchanged=True),
    ),
    Mistake("conjugate_gradient", "steepest descent", lambda *given, **more: _solved(*given, **more, descent=True)),
    Mistake("conjugate_gradient", "an iteration too few", _one_too_few),
    Mistake("conjugate_gradient", "the residual stays the target", lambda *given, **more: _solved(*given, **more, moving=False)),
    Mistake(
        "conjugate_gradient", "a tolerance that is not relative", lambda *given, **more: _solved(*given, **more, relative=False)
    ),
    Mistake("conjugate_gradient", "the squares overflow or vanish", _solved),
    Mistake("natural_step", "along the plain gradient", lambda *given, **more: _step(*given, **more, plain=True)),
    Mistake("natural_step", "the quotient without its root", lambda *given, **more: _step(*given, **more, root=False)),
    Mistake("natural_step", "delta in place of 2 delta", lambda *given, **more: _step(*given, **more, double=False)),
    Mistake("natural_step", "descends", lambda *given, **more: -right.natural_step(*given, **more)),
    Mistake("natural_step", "0 / 0 without a gradient, and in float32 before", _step_unscaled),
    Mistake("natural_step", "accepts a singular matrix", _step_of_any_matrix, only_checks=True),
    Mistake("backtracking_line_search", "the objective alone", lambda *given, **more: _search(*given, **more, bounded=False)),
    Mistake("backtracking_line_search", "the divergence alone", lambda *given, **more: _search(*given, **more, raises=False)),
    Mistake("backtracking_line_search", "as good will do", lambda *given, **more: _search(*given, **more, strict=False)),
    Mistake("backtracking_line_search", "the last attempt if none will do", _last_attempt),
    Mistake(
        "backtracking_line_search",
        "the fraction of the first attempt",
        lambda *given, **more: (
            right.backtracking_line_search(*given, **more)[0],
            torch.ones_like(right.backtracking_line_search(*given, **more)[1]),
        ),
    ),
    Mistake("backtracking_line_search", "accepts a step that does not shrink", _search, only_checks=True),
)

EQUIVALENT = (Mistake("softmax_fisher", "diag(p) - p p^T, as it is written", _fisher, core_alone=True),)
