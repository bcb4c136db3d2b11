"""Natural gradients: Fisher matrices of softmax policies and their products, conjugate gradients, and steps within a divergence.

Policies are softmaxes of logits [B, A], a row a state. Parameters, gradients and steps of a whole policy are flat, [D].
"""

import torch

from practice_torch.arguments import (
    require,
    require_at_least,
    require_positive,
    require_rank,
    require_shape,
    require_values,
    values_are_free,
)


def softmax_fisher(logits):
    r"""F = diag(p) - p p^T, p = softmax(logits): the Fisher matrix of each row of logits; its rows sum to zero.

    F = sum_a p_a (e_a - p) (e_a - p)^T, the mean of the score's outer product.

    Raises ValueError if logits has not two axes.  Source: Amari 1998, section 2; Kakade 2001, section 2.
    [B, A] -> [B, A, A]
    """
    require_rank(2, logits=logits)
    policy = logits.softmax(1)
    # p_a (1 - p_a) as a sum of products: of a policy that is nearly certain, 1 - p_a would be rounding.
    itself = torch.eye(logits.shape[1], dtype=torch.bool, device=logits.device)
    pairs = (policy.unsqueeze(2) * policy.unsqueeze(1)).masked_fill(itself, 0)
    return torch.diag_embed(pairs.sum(2)) - pairs


def linear_fisher_vector_product(vector, features, logits, *, damping):
    r"""mean_s F_s V phi_s phi_s^T + damping V, F_s = diag(p_s) - p_s p_s^T: the Fisher matrix times V = vector, never formed.

    p_s = softmax(logits[s]), where logits = features theta^T and theta is [A, K]. It is the Hessian of the mean KL in theta.

    Raises ValueError if the shapes differ, B = 0 or damping is negative.  Source: Schulman et al. 2015, appendix C.1.
    [A, K], [B, K], [B, A] -> [A, K]
    """
    require_rank(2, vector=vector, features=features)
    states, width = features.shape
    require(states > 0, f"features has shape {list(features.shape)}; it must have at least one state")
    require_shape((vector.shape[0], width), vector=vector)
    require_shape((states, vector.shape[0]), logits=logits)
    require_at_least(0, damping=damping)
    policy = logits.softmax(1)
    moved = features @ vector.mT
    centered = policy * (moved - torch.linalg.vecdot(policy, moved).unsqueeze(1))
    return torch.add(centered.mT @ features / states, vector, alpha=damping)


def conjugate_gradient(target, matvec_fn, *, iterations, tolerance=0.0):
    r"""x with A x = target, for a symmetric positive definite A of which matvec_fn(v) = A v is all that is known.

    From x = 0 it goes along directions p with p_i^T A p_j = 0, each as far as |x - A^-1 target|_A falls: in exact arithmetic to
    the end in as many iterations as A has distinct eigenvalues. It stops where |target - A x| <= tolerance |target|, and at the
    latest where the residual is rounding.

    Raises ValueError if target has not one axis, iterations < 1, tolerance < 0, or matvec_fn returns another shape or an A p with
    p^T A p <= 0.  Source: Hestenes & Stiefel 1952, section 3.
    [D] -> [D]
    """
    require_rank(1, target=target)
    require_at_least(1, iterations=iterations)
    require_at_least(0, tolerance=tolerance)
    scale = _scale(target)
    residual = direction = target / scale
    x, squared = torch.zeros_like(residual), residual.dot(residual)
    enough = max(tolerance, torch.finfo(target.dtype).eps) ** 2 * squared
    for _ in range(iterations):
        going = squared > enough
        if values_are_free(going) and not going:
            break  # where reading it is not free, the steps that are left have length 0
        product = matvec_fn(direction)
        require_shape(target.shape, **{"what matvec_fn returns": product})
        curvature = direction.dot(product).where(going, 1)
        require_values("p^T A p, for the A p of matvec_fn,", curvature, lambda a: a > 0, "positive; damping makes it so")
        length = squared.where(going, 0) / curvature
        x, residual = x + length * direction, residual - length * product
        before, squared = squared.where(going, 1), residual.dot(residual)
        direction = residual + squared / before * direction
    return scale * x


def natural_step(gradient, fisher, *, maximum_kl):
    r"""sqrt(2 maximum_kl / (g^T F^-1 g)) F^-1 g: the step s with the largest gain g^T s for which 1/2 s^T F s <= maximum_kl.

    It meets the bound with equality, and does not depend on the length of g = gradient; of a gradient that is zero it is zero.

    Raises ValueError if the shapes differ, fisher is not symmetric and positive definite, or maximum_kl is not positive.
    Source: Amari 1998, theorem 1; Schulman et al. 2015, appendix C.
    [D], [D, D] -> [D]
    """
    require_rank(1, gradient=gradient)
    require_shape(gradient.shape * 2, fisher=fisher)
    require_positive(maximum_kl=maximum_kl)
    _require_positive_definite(fisher)
    unit = gradient / _scale(gradient)
    direction = torch.linalg.solve(fisher, unit)
    squared = unit.dot(direction)
    return (2 * maximum_kl / squared.where(squared > 0, 1)).sqrt() * direction


def backtracking_line_search(parameters, step, objective_fn, kl_fn, *, maximum_kl, shrink=0.5, attempts=10):
    r"""parameters + c step and c, the first of 1, shrink, shrink^2, ... that raises objective_fn and keeps kl_fn <= maximum_kl.

    Both callables take parameters [D] and return a number. If none of the attempts will do, the parameters are unchanged, and
    c = 0. A number that is NaN does not do.

    Raises ValueError if the shapes differ, objective_fn or kl_fn does not return a number, maximum_kl is not positive, shrink is
    not in (0, 1), or attempts < 1.  Source: Schulman et al. 2015, appendix C.
    [D], [D] -> [D], []
    """
    require_rank(1, parameters=parameters)
    require_shape(parameters.shape, step=step)
    require_positive(maximum_kl=maximum_kl)
    require(0 < shrink < 1, f"shrink is {shrink}; it must be between 0 and 1")
    require_at_least(1, attempts=attempts)
    before = objective_fn(parameters)
    require_shape((), **{"what objective_fn returns": before})
    taken = parameters.new_zeros(())
    for attempt in range(attempts):
        fraction = shrink**attempt
        there = parameters + fraction * step
        divergence = kl_fn(there)
        require_shape((), **{"what kl_fn returns": divergence})
        fits = (objective_fn(there) > before) & (divergence <= maximum_kl)
        taken = torch.where(fits & (taken == 0), fraction, taken)
        if values_are_free(taken) and taken > 0:
            break  # where reading it is not free, the first that fits is remembered
    return parameters + taken * step, taken


def _scale(vector):
    """The largest entry's size, so that squares neither overflow nor vanish; 1 for a vector of zeros. A constant."""
    largest = torch.linalg.vector_norm(vector.detach(), torch.inf)
    return largest.where(largest > 0, 1)


def _require_positive_definite(fisher):
    if not values_are_free(fisher):
        return
    fixed = fisher.detach()
    require_values("fisher - fisher^T", fixed - fixed.mT, lambda a: a.abs() <= 1e-5 * fixed.abs().max(), "0: symmetric")
    rounding = len(fixed) * torch.finfo(fixed.dtype).eps
    require_values(
        "an eigenvalue of fisher", torch.linalg.eigvalsh(fixed), lambda a: a > rounding * a[-1], "positive, beyond rounding"
    )
