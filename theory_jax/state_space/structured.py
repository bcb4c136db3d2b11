r"""Structured state spaces (lecture 56): S4, with a normal matrix minus an outer product of vectors.

In the coordinates of the normal part's eigenvectors the system is a diagonal Lambda (eigenvalues) and vectors low_rank, b and c,
complex [S] each: A = Lambda - p p*.
"""

import jax.numpy as jnp

from theory_jax.arguments import require, require_at_least, require_rank, require_shape, require_values
from theory_jax.state_space.convolution import convolution_kernel
from theory_jax.state_space.discretization import bilinear


def low_rank_vector(*, order):
    r"""p_n = sqrt(n + 1/2): with p p^T added, LegS's matrix is normal.

    Raises ValueError if order < 1.  Source: Gu et al. 2022, theorem 1 and appendix C.1.
    -> [S]
    """
    require_at_least(1, order=order)
    return jnp.sqrt(jnp.arange(order) + 0.5)


def normal_part(*, order):
    r"""A + p p^T, A of LegS: -1/2 on the diagonal, -sqrt((2n+1)(2k+1)) / 2 below it, and the opposite above.

    Raises ValueError if order < 1.  Source: Gu et al. 2022, theorem 1 and appendix C.1.
    -> [S, S]
    """
    p = low_rank_vector(order=order)
    products = jnp.outer(p, p)
    return jnp.triu(products, 1) - jnp.tril(products, -1) - jnp.eye(order) / 2


def cauchy_product(nodes, poles, weights):
    r"""sum_n w_n / (g - lambda_n) at every node g, with poles lambda_n: a product with Cauchy's matrix.

    Raises ValueError if the shapes do not fit, or one of the nodes is a pole.  Source: Gu et al. 2022, proposition 5.
    complex [B], complex [S], complex [S] -> complex [B]
    """
    require_rank(1, nodes=nodes, poles=poles)
    require_shape(poles.shape, weights=weights)
    require_values("nodes", nodes, lambda g: (g[:, None] != poles).all(1), "none of the poles")
    return (1 / (nodes[:, None] - poles)) @ weights


def low_rank_resolvent(nodes, eigenvalues, low_rank, b, c):
    r"""c* (g - Lambda + p p*)^-1 b = k_cb - k_cp k_pb / (1 + k_pp) at every node g: four Cauchy products and no inverse.

    k_uv = sum_n conj(u_n) v_n / (g - lambda_n), p = low_rank; c* is conjugate.

    Raises ValueError if the shapes do not fit, or one of the nodes is an eigenvalue of Lambda or of Lambda - p p*.
    Source: Gu et al. 2022, appendix C.3, by Woodbury's identity.
    complex [B], complex [S], complex [S], complex [S], complex [S] -> complex [B]
    """
    require_rank(1, nodes=nodes, eigenvalues=eigenvalues)
    require_shape(eigenvalues.shape, low_rank=low_rank, b=b, c=c)
    p = low_rank
    k_cb, k_cp, k_pb, k_pp = (cauchy_product(nodes, eigenvalues, jnp.conj(u) * v) for u, v in ((c, b), (c, p), (p, b), (p, p)))
    require_values("1 + k_pp at the nodes", 1 + k_pp, lambda d: d != 0, "not 0: no node is an eigenvalue of Lambda - p p*")
    return k_cb - k_cp * k_pb / (1 + k_pp)


def structured_kernel(eigenvalues, low_rank, b, c, *, step_size, length):
    r"""K_l = Re c* A_bar^l B_bar for l = 0..length-1, with the bilinear rule's A_bar and B_bar of Lambda - p p* and b.

    p = low_rank; c* is conjugate.

    Raises ValueError if the shapes do not fit, there is no state, an eigenvalue has a real part that is not negative, step_size
    is not positive, or length < 1.  Source: Gu et al. 2022, theorem 3 and algorithm 1.
    complex [S], complex [S], complex [S], complex [S], [] -> [L]
    """
    require_rank(1, eigenvalues=eigenvalues)
    require_shape(eigenvalues.shape, low_rank=low_rank, b=b, c=c)
    require(len(eigenvalues) > 0, "eigenvalues has shape [0]; it must be [S] with at least one state")
    require_values("eigenvalues", eigenvalues, lambda rate: rate.real < 0, "of negative real part")
    moving, driving = bilinear(jnp.diag(eigenvalues) - jnp.outer(low_rank, jnp.conj(low_rank)), b[:, None], step_size=step_size)
    return convolution_kernel(moving, driving[:, 0], jnp.conj(c), length=length).real
