"""Inversion by optimization: the objective of a code, descent on it, a damped Gauss-Newton step, and random clipping."""

import torch

from practice_torch.arguments import (
    require,
    require_at_least,
    require_positive,
    require_rank,
    require_same_shape,
    require_shape,
    require_unit_interval,
)


def inversion_objective(x, reconstruction, z, mask, *, prior_weight):
    r"""sum over the seen pixels of (x - reconstruction)^2, plus prior_weight |z|^2; hidden pixels may hold anything.

    With the variance of the pixels' noise as prior_weight it is -log p(z|x), up to a factor and a constant.

    Raises ValueError if the batch sizes or the shapes of x, reconstruction and mask differ, mask does not hold truth values, or
    prior_weight is negative.  Source: Creswell & Bharath 2018, eq. 2; Yeh et al. 2017, section 3.
    [B, D], [B, D], [B, L], [B, D] -> [B]
    """
    require_rank(2, x=x, z=z)
    require_same_shape(x=x, reconstruction=reconstruction, mask=mask)
    require(len(z) == len(x), f"z has {len(z)} rows; it must have one for each of the {len(x)} rows of x")
    dtype = str(mask.dtype).removeprefix("torch.")
    require(mask.dtype == torch.bool, f"mask has dtype {dtype}; it must hold truth values")
    require_at_least(0, prior_weight=prior_weight)
    # filled, not multiplied: a hidden pixel may hold NaN
    residual = (x - reconstruction).masked_fill(~mask, 0.0)
    return residual.square().sum(1) + prior_weight * z.square().sum(1)


def invert_by_gradient_descent(x, initial_z, mask, generator_fn, *, learning_rate, num_steps, prior_weight=0.0):
    r"""z <- z - learning_rate * gradient of inversion_objective at G(z), `num_steps` times from initial_z, for each example.

    generator_fn maps codes [B, L] to images [B, D].

    Raises ValueError if the shapes of x, initial_z, mask and generator_fn(initial_z) do not fit, mask does not hold truth values,
    learning_rate is not positive, or num_steps or prior_weight is negative.
    Source: Lipton & Tripathi 2017; Creswell & Bharath 2018, algorithm 1.
    [B, D], [B, L], [B, D] -> [B, L]
    """
    require_rank(2, x=x, initial_z=initial_z)
    require(len(initial_z) == len(x), f"initial_z has {len(initial_z)} rows; it must have one for each of the {len(x)} rows of x")
    require_positive(learning_rate=learning_rate)
    require_at_least(0, num_steps=num_steps)

    def objective(z):
        made = generator_fn(z)
        mismatch = f"generator_fn makes images of shape {list(made.shape)}; it must be that of x, {list(x.shape)}"
        require(made.shape == x.shape, mismatch)
        return inversion_objective(x, made, z, mask, prior_weight=prior_weight).sum()

    if num_steps == 0:
        objective(initial_z)  # its checks
    slope, z = torch.func.grad(objective), initial_z.clone()  # also under no_grad and inference_mode, where evaluations run
    for _ in range(num_steps):
        z = z - learning_rate * slope(z)
    return z


def gauss_newton_step(z, residual, jacobian, *, damping):
    r"""z + (J^T J + damping I)^-1 J^T residual, where residual = x - G(z) and J is the Jacobian of G at z.

    Raises ValueError if the shapes of z, residual and jacobian do not fit, or damping is not positive.
    Source: Nocedal & Wright 2006, section 10.3 (Levenberg and Marquardt).
    [B, L], [B, D], [B, D, L] -> [B, L]
    """
    require_rank(2, z=z, residual=residual)
    require(len(residual) == len(z), f"residual has {len(residual)} rows; it must have one for each of the {len(z)} rows of z")
    require_shape((len(z), residual.shape[1], z.shape[1]), jacobian=jacobian)
    require_positive(damping=damping)
    damped = jacobian.mT @ jacobian + damping * torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
    return z + torch.linalg.solve(damped, torch.linalg.vecdot(jacobian.mT, residual[:, None]))


def stochastic_clip(z, uniforms, *, bound):
    r"""z where |z| <= bound, bound (2 uniforms - 1) elsewhere: what left the prior's range begins anew within it.

    Raises ValueError if the shapes differ, an entry of uniforms is outside [0, 1], or bound is not positive.
    Source: Lipton & Tripathi 2017, section 2.
    [B, L], [B, L] -> [B, L]
    """
    require_rank(2, z=z)
    require_same_shape(z=z, uniforms=uniforms)
    require_unit_interval(uniforms=uniforms)
    require_positive(bound=bound)
    return torch.where(z.abs() > bound, bound * (2 * uniforms - 1), z)
