"""Wrong forms of inversion by optimization that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.adversarial import gan_inversion as right
from tests.support.mistakes import Mistake


def _objective(x, reconstruction, z, mask, *, prior_weight, outside=False, late=False, mean=False, prior=True, squared=True):
    right.inversion_objective(x, reconstruction, z, mask, prior_weight=prior_weight)  # its checks
    seen = (x - reconstruction).square() * mask if outside else torch.where(mask, x - reconstruction, 0.0).square()
    if late:
        seen = torch.where(mask, (x - reconstruction).square(), 0.0)
    length = z.square().sum(1) if squared else z.norm(dim=1)
    return (seen.mean(1) if mean else seen.sum(1)) + (prior_weight * length if prior else 0.0)


def _wrong_objective(**mistake):
    return lambda **given: _objective(**given, **mistake)


def _descent(x, initial_z, mask, generator_fn, *, learning_rate, num_steps, prior_weight=0.0, shared=False, over=1.0, cut=False):
    right.invert_by_gradient_descent(
        x, initial_z, mask, generator_fn, learning_rate=learning_rate, num_steps=0, prior_weight=prior_weight
    )  # its checks
    if num_steps < 0:
        raise ValueError(f"num_steps is {num_steps}; it must be at least 0")
    z = initial_z.clone()
    for _ in range(num_steps):
        slope = torch.func.grad(
            lambda z: right.inversion_objective(x, generator_fn(z), z, mask, prior_weight=prior_weight).sum()
        )(z.detach() if cut else z)
        if shared:
            slope = slope.mean(0, keepdim=True).expand_as(slope)
        z = z - learning_rate * slope / (over if over else max(1, len(x)))
    return z


def _wrong_descent(**mistake):
    return lambda **given: _descent(**given, **mistake)


def _normal_equations(z, residual, jacobian, *, damping, sign=1.0, scale=1.0, begin=True):
    right.gauss_newton_step(z, residual, jacobian, damping=damping)  # its checks
    system = jacobian.mT @ jacobian + scale * damping * torch.eye(z.shape[1]).to(z)
    return begin * z + sign * torch.linalg.solve(system, jacobian.mT @ residual[:, :, None])[:, :, 0]


def _wrong_step(**mistake):
    return lambda **given: _normal_equations(**given, **mistake)


def _damped_jacobian(z, residual, jacobian, *, damping):
    right.gauss_newton_step(z, residual, jacobian, damping=damping)
    moved = jacobian + damping * torch.eye(*jacobian.shape[1:]).to(z)
    return z + torch.linalg.lstsq(moved, residual[:, :, None]).solution[:, :, 0]


def _undamped(z, residual, jacobian, *, damping):
    right.gauss_newton_step(z, residual, jacobian, damping=damping)
    return z + (torch.linalg.pinv(jacobian) @ residual[:, :, None])[:, :, 0]


def _clipped(z, uniforms, *, bound, **mistake):
    right.stochastic_clip(z, uniforms, bound=bound)  # its checks
    beyond = z > bound if mistake.get("upper") else z.abs() >= bound if mistake.get("at") else z.abs() > bound
    anew = bound * uniforms if mistake.get("positive") else bound * (2 * uniforms - 1)
    if mistake.get("border"):
        anew = z.clamp(-bound, bound) + 0 * uniforms
    return torch.where(beyond, anew, z)


def _wrong_clip(**mistake):
    return lambda **given: _clipped(**given, **mistake)


MISTAKES = (
    Mistake("inversion_objective", "the mask outside the square", _wrong_objective(outside=True)),
    Mistake("inversion_objective", "masked after the square, NaN in the gradient", _wrong_objective(late=True)),
    Mistake("inversion_objective", "the mean", _wrong_objective(mean=True)),
    Mistake("inversion_objective", "no prior", _wrong_objective(prior=False)),
    Mistake("inversion_objective", "the code's norm", _wrong_objective(squared=False)),
    Mistake("inversion_objective", "the mask turned over", lambda x, reconstruction, z, mask, *, prior_weight: (
        right.inversion_objective(x, reconstruction, z, ~mask, prior_weight=prior_weight))),
    Mistake("inversion_objective", "twice the prior", lambda x, reconstruction, z, mask, *, prior_weight: (
        right.inversion_objective(x, reconstruction, z, mask, prior_weight=2 * prior_weight))),
    Mistake("inversion_objective", "numbers for a mask", lambda x, reconstruction, z, mask, *, prior_weight: (
        right.inversion_objective(x, reconstruction, z, mask.bool(), prior_weight=prior_weight)), only_checks=True),
    Mistake("invert_by_gradient_descent", "divided by the batch", _wrong_descent(over=0.0)),
    Mistake("invert_by_gradient_descent", "half of the gradient", _wrong_descent(over=2.0)),
    Mistake("invert_by_gradient_descent", "uphill", _wrong_descent(over=-1.0)),
    Mistake("invert_by_gradient_descent", "a gradient shared by the batch", _wrong_descent(shared=True)),
    Mistake("invert_by_gradient_descent", "the start's influence is cut off", _wrong_descent(cut=True)),
    Mistake("invert_by_gradient_descent", "no prior", lambda x, initial_z, mask, generator_fn, *, learning_rate, num_steps,
            prior_weight=0.0: right.invert_by_gradient_descent(
                x, initial_z, mask, generator_fn, learning_rate=learning_rate, num_steps=num_steps,
                prior_weight=0 * abs(prior_weight))),
    Mistake("invert_by_gradient_descent", "one step more", lambda x, initial_z, mask, generator_fn, *, learning_rate, num_steps,
            prior_weight=0.0: right.invert_by_gradient_descent(
                x, initial_z, mask, generator_fn, learning_rate=learning_rate, num_steps=num_steps + 1,
                prior_weight=prior_weight)),
    Mistake("gauss_newton_step", "against the residual", _wrong_step(sign=-1.0)),
    Mistake("gauss_newton_step", "the step alone", _wrong_step(begin=0.0)),
    Mistake("gauss_newton_step", "the damping squared", lambda z, residual, jacobian, *, damping: _normal_equations(
        z, residual, jacobian, damping=damping, scale=damping)),
    Mistake("gauss_newton_step", "damping in the Jacobian", _damped_jacobian),
    Mistake("gauss_newton_step", "no damping", _undamped),
    Mistake("gauss_newton_step", "a step of descent", lambda z, residual, jacobian, *, damping: (
        z + (jacobian.mT @ residual[:, :, None])[:, :, 0] / damping)),
    Mistake("gauss_newton_step", "no damping is accepted", lambda z, residual, jacobian, *, damping: right.gauss_newton_step(
        z, residual, jacobian, damping=max(abs(damping), 1e-6)), only_checks=True),
    Mistake("stochastic_clip", "at the border", _wrong_clip(border=True)),
    Mistake("stochastic_clip", "the upper bound alone", _wrong_clip(upper=True)),
    Mistake("stochastic_clip", "positive alone", _wrong_clip(positive=True)),
    Mistake("stochastic_clip", "at the bound, too", _wrong_clip(at=True)),
    Mistake("stochastic_clip", "uniforms are cut off", lambda z, uniforms, *, bound: right.stochastic_clip(
        z, uniforms.clamp(0, 1), bound=bound), only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake("inversion_objective", "by where", _objective),
    Mistake("invert_by_gradient_descent", "by another loop", _descent),
    Mistake("gauss_newton_step", "the normal equations", _normal_equations),
    Mistake("stochastic_clip", "by a comparison", _clipped),
)
