"""The natural gradient (lecture 53): the steepest step where distance is divergence, and how it is found without a matrix.

Policies are softmaxes of logits [B, A], a row a state. Parameters, gradients and steps of a whole policy are flat, [D].
"""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import require, require_at_least, require_positive, require_rank, require_shape, require_values


def softmax_fisher(logits):
    r"""F = diag(p) - p p^T, p = softmax(logits): the Fisher matrix of each row of logits; its rows sum to zero.

    F = sum_a p_a (e_a - p) (e_a - p)^T, the mean of the score's outer product.

    Raises ValueError if logits has not two axes.  Source: Amari 1998, section 2; Kakade 2001, section 2.
    [B, A] -> [B, A, A]
    """
    require_rank(2, logits=logits)
    policy = jax.nn.softmax(logits, axis=1)
    # p_a (1 - p_a) as a sum of products: of a policy that is nearly certain, 1 - p_a would be rounding.
    itself = jnp.eye(logits.shape[1], dtype=bool)
    pairs = jnp.where(itself, 0, policy[:, :, None] * policy[:, None, :])
    return jnp.where(itself, jnp.sum(pairs, axis=2, keepdims=True), -pairs)


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
    policy = jax.nn.softmax(logits, axis=1)
    moved = features @ vector.T
    centered = policy * (moved - jnp.sum(policy * moved, axis=1, keepdims=True))
    return centered.T @ features / states + damping * vector


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
    residual = target / scale
    squared = residual @ residual
    enough = max(tolerance, jnp.finfo(target.dtype).eps) ** 2 * squared

    def iterate(state, _):
        x, residual, direction, squared = state
        product = matvec_fn(direction)
        require_shape(target.shape, **{"what matvec_fn returns": product})
        going = squared > enough
        curvature = jnp.where(going, direction @ product, 1)
        length = jnp.where(going, squared, 0) / curvature
        residual = residual - length * product
        remaining = residual @ residual
        onward = residual + remaining / jnp.where(going, squared, 1) * direction
        return (x + length * direction, residual, onward, remaining), curvature

    start = jnp.zeros_like(residual), residual, residual, squared
    (x, *_), curvatures = jax.lax.scan(iterate, start, None, length=iterations)
    require_values("p^T A p, for the A p of matvec_fn,", curvatures, lambda a: a > 0, "positive; damping makes it so")
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
    direction = jnp.linalg.solve(fisher, unit)
    squared = unit @ direction
    return jnp.sqrt(2 * maximum_kl / jnp.where(squared > 0, squared, 1)) * direction


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
    fractions = jnp.asarray(shrink, parameters.dtype) ** jnp.arange(attempts)
    before = objective_fn(parameters)
    require_shape((), **{"what objective_fn returns": before})

    def will_do(fraction):
        there = parameters + fraction * step
        divergence = kl_fn(there)
        require_shape((), **{"what kl_fn returns": divergence})
        return (objective_fn(there) > before) & (divergence <= maximum_kl)

    fits = jax.vmap(will_do)(fractions)
    taken = jnp.where(jnp.any(fits), fractions[jnp.argmax(fits)], 0)
    return parameters + taken * step, taken


def _scale(vector):
    """The largest entry's size, so that squares neither overflow nor vanish; 1 for a vector of zeros. A constant."""
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(vector), initial=0))
    return jnp.where(largest > 0, largest, 1)


def _require_positive_definite(fisher):
    require_values("fisher - fisher^T", fisher - fisher.T, lambda a: np.abs(a) <= 1e-5 * np.abs(fisher).max(), "0: symmetric")
    if not isinstance(fisher, jax.core.Tracer):
        require_values(
            "an eigenvalue of fisher", np.linalg.eigvalsh(np.asarray(fisher)), _is_positive, "positive, beyond rounding"
        )


def _is_positive(eigenvalues):
    """Whether eigenvalues, in ascending order, are positive beyond rounding."""
    return eigenvalues > len(eigenvalues) * np.finfo(eigenvalues.dtype).eps * eigenvalues[-1]
