r"""Structured state spaces (S4): kernels of a diagonal matrix minus an outer product, by their transform at roots of unity.

Lambda (eigenvalues), low_rank, b and c are complex [S], in the coordinates of the normal part's eigenvectors.
What is made from numbers alone is computed in float64 and returned in torch's default dtype.
"""

import torch

from practice_torch.arguments import require, require_at_least, require_rank, require_shape, require_values
from practice_torch.state_space._pyramid import PyramidDecoder as PyramidDecoder


def low_rank_vector(*, order):
    r"""p_n = sqrt(n + 1/2): with p p^T added, LegS's matrix is normal.

    Raises ValueError if order < 1.  Source: Gu et al. 2022, theorem 1 and appendix C.1.
    -> [S]
    """
    require_at_least(1, order=order)
    return _root(order).to(torch.get_default_dtype())


def normal_part(*, order):
    r"""A + p p^T, A of LegS: -1/2 on the diagonal, -sqrt((2n+1)(2k+1)) / 2 below it, and the opposite above.

    Raises ValueError if order < 1.  Source: Gu et al. 2022, theorem 1 and appendix C.1.
    -> [S, S]
    """
    require_at_least(1, order=order)
    products = torch.outer(_root(order), _root(order))
    skew = products.triu(1) - products.tril(-1)
    return (skew - torch.eye(order).to(skew) / 2).to(torch.get_default_dtype())


def cauchy_product(nodes, poles, weights):
    r"""sum_n w_n / (g - lambda_n) at every node g, with poles lambda_n: a product with Cauchy's matrix.

    Raises ValueError if the shapes do not fit, or one of the nodes is a pole.  Source: Gu et al. 2022, proposition 5.
    complex [B], complex [S], complex [S] -> complex [B]
    """
    require_rank(1, nodes=nodes, poles=poles)
    require_shape(poles.shape, weights=weights)
    return _cauchy_matrix(nodes, poles) @ weights


def low_rank_resolvent(nodes, eigenvalues, low_rank, b, c):
    r"""c* (g - Lambda + p p*)^-1 b = k_cb - k_cp k_pb / (1 + k_pp) at every node g: four Cauchy products and no inverse.

    k_uv = sum_n conj(u_n) v_n / (g - lambda_n), p = low_rank; c* is conjugate.

    Raises ValueError if the shapes do not fit, or one of the nodes is an eigenvalue of Lambda or of Lambda - p p*.
    Source: Gu et al. 2022, appendix C.3, by Woodbury's identity.
    complex [B], complex [S], complex [S], complex [S], complex [S] -> complex [B]
    """
    require_rank(1, nodes=nodes, eigenvalues=eigenvalues)
    require_shape(eigenvalues.shape, low_rank=low_rank, b=b, c=c)
    cb, cp, pb, pp = _four_products(_cauchy_matrix(nodes, eigenvalues), low_rank, b, c.conj())
    require_values("1 + k_pp at the nodes", 1 + pp, lambda d: d != 0, "not 0: no node is an eigenvalue of Lambda - p p*")
    return cb - cp * pb / (1 + pp)


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
    require_at_least(1, length=length)
    step_size = torch.as_tensor(step_size, dtype=eigenvalues.real.dtype, device=eigenvalues.device)
    require_rank(0, step_size=step_size)
    require_values("step_size", step_size, lambda size: size > 0, "positive")
    # With w = e^(-i angle), g = 2/h (1 - w)/(1 + w) = 2i/h tan(angle/2) is infinite at w = -1. Multiplied by the cosine,
    # nothing is: 2/(1 + w) k_uv(g) = e^(i angle/2) sum_n conj(u_n) v_n (h/2) / (i sine - h/2 lambda_n cosine), h = step_size.
    half_angles = torch.arange(length, device=step_size.device, dtype=torch.float64) * (torch.pi / length)
    cosine, turn = half_angles.cos().to(step_size), torch.polar(torch.ones_like(half_angles), half_angles).to(eigenvalues)
    half = step_size / 2
    scaled = half / (1j * turn.imag.unsqueeze(1) - half * cosine.unsqueeze(1) * eigenvalues)
    cb, cp, pb, pp = _four_products(scaled, low_rank, b, _until(length, eigenvalues, low_rank, c.conj(), half))
    return torch.fft.ifft(turn * (cb - cosine * cp * pb / (1 + cosine * pp))).real


def _until(length, eigenvalues, low_rank, row, half):
    """row (I - A_bar^length): what the kernel's transform has in place of c*, as the kernel ends at its length."""
    a = half * (eigenvalues.diag() - torch.outer(low_rank, low_rank.conj()))
    identity = torch.eye(len(a), dtype=a.dtype, device=a.device)
    return row - row @ torch.linalg.matrix_power(torch.linalg.solve(identity - a, identity + a), length)


def _four_products(inverse, p, b, row):
    """row b, row p, p* b and p* p, with the diagonal matrix of each row of `inverse` [B, S] between them."""
    return (inverse @ torch.stack((row * b, row * p, p.conj() * b, p.conj() * p), 1)).unbind(1)


def _cauchy_matrix(nodes, poles):
    """1 / (g_k - lambda_n)."""
    distances = nodes.unsqueeze(1) - poles
    require_values("nodes", nodes, lambda _: (distances.detach() != 0).all(1), "none of the poles")
    return distances.reciprocal()


def _root(order):
    return (torch.arange(order, dtype=torch.float64) + 0.5).sqrt()
