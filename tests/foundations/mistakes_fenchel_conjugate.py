"""Wrong forms of conjugates and output maps that the rows must refuse, and other right forms that they must accept."""

import math

import torch

from practice_torch.foundations import fenchel_conjugate as right
from tests.support.mistakes import Mistake


def _with(original, **changed):
    """The function with the rows of some divergences replaced by functions of its array (and alpha)."""

    def call(*, divergence, alpha=None, **array):
        (x,) = array.values()
        if divergence in changed:
            return changed[divergence](x, *([] if alpha is None else [alpha]))
        return original(x, divergence=divergence, alpha=alpha)

    return _named(call, original)


def _named(call, original):
    """The array by name or by position."""
    name = original.__code__.co_varnames[0]
    return lambda *arrays, **arguments: call(**dict(zip((name,), arrays, strict=False)), **arguments)


def _checked(original, **changed):
    """The same, after the original has checked the arguments."""

    def call(*, divergence, alpha=None, **array):
        (x,) = array.values()
        result = original(x, divergence=divergence, alpha=alpha)
        return changed[divergence](x, *([] if alpha is None else [alpha])) if divergence in changed else result

    return _named(call, original)


def _alpha_ignored(original):
    def call(*, divergence, alpha=None, **array):
        return original(*array.values(), divergence=divergence, alpha=alpha if divergence == "alpha" else None)

    return _named(call, original)


def _domain_dropped(t, *, divergence, alpha=None):
    """Finite beyond the domain: the last value inside is repeated."""
    value = right.fenchel_conjugate(t, divergence=divergence, alpha=alpha)
    return value.nan_to_num(posinf=0.0)


def _open_domain(t, *, divergence, alpha=None):
    value = right.fenchel_conjugate(t, divergence=divergence, alpha=alpha)
    edge = {"total_variation": 0.5, "neyman_chi_squared": 1.0}.get(divergence, 0.5 if alpha == -1.0 else math.inf)
    return value.masked_fill(t >= edge, math.inf)


def _nan_outside(t, *, divergence, alpha=None):
    value = right.fenchel_conjugate(t, divergence=divergence, alpha=alpha)
    return value.masked_fill(value.isinf(), math.nan)


def _nan_gradient_outside(t):
    """Right values; the mask does not keep the root's gradient from the points beyond the domain."""
    return right.fenchel_conjugate(t, divergence="gan") + torch.where(t < 0, 0 * (-t).sqrt(), 0.0)


def _alpha_rising_again(t, alpha):
    s = (1 + (alpha - 1) * t).abs()
    value = (s ** (alpha / (alpha - 1)) - 1) / alpha
    return value.masked_fill((alpha < 1) & (t > 1 / (1 - alpha)), math.inf)


def _alpha_without_division(t, alpha):
    return right.fenchel_conjugate(t, divergence="alpha", alpha=alpha) * alpha


def _newton_in_omega(x, steps=3):
    """Too few steps from too far."""
    omega = torch.ones_like(x)
    for _ in range(steps):
        omega = omega * (1 + x - omega.log()) / (1 + omega)
    return omega


def _gradient_missing(x):
    return right.wright_omega(x.detach()) + 0 * x


def _legendre(slopes, points, values):
    return slopes[:, None] * points - values


def _newton_in_log_omega(x):
    y = torch.where(x > 1, x.clamp(min=1).log(), x - 1)
    for _ in range(12):
        y = y - (y + y.exp() - x) / (1 + y.exp())
    return torch.where(x > 1, x - y, y.exp())


MISTAKES = (
    Mistake("fenchel_conjugate", "no domain", _domain_dropped),
    Mistake("fenchel_conjugate", "the closed domains are open", _open_domain),
    Mistake("fenchel_conjugate", "NaN beyond the domain", _nan_outside),
    Mistake("fenchel_conjugate", "NaN gradient beyond the domain", _with(right.fenchel_conjugate, gan=_nan_gradient_outside)),
    Mistake("fenchel_conjugate", "Pearson without its flat part", _with(
        right.fenchel_conjugate, pearson_chi_squared=lambda t: t * (1 + t / 4))),
    Mistake("fenchel_conjugate", "total variation without its flat part", _with(
        right.fenchel_conjugate, total_variation=lambda t: t.masked_fill(t > 0.5, math.inf))),
    Mistake("fenchel_conjugate", "alpha = 3 without its flat part", _with(right.fenchel_conjugate, alpha=_alpha_rising_again)),
    Mistake("fenchel_conjugate", "alpha without 1/alpha", _with(right.fenchel_conjugate, alpha=_alpha_without_division)),
    Mistake("fenchel_conjugate", "kl: e^t", _with(right.fenchel_conjugate, kl=torch.exp)),
    Mistake("fenchel_conjugate", "reverse kl without - 1", _with(
        right.fenchel_conjugate, reverse_kl=lambda t: torch.where(t < 0, -torch.log(-t.clamp(max=-1e-300)), math.inf))),
    Mistake("fenchel_conjugate", "Jensen-Shannon: -log(2 - e^t), of the generator without the half", _with(
        right.fenchel_conjugate, jensen_shannon=lambda t: -torch.log(2 - t.exp()))),
    Mistake("fenchel_conjugate", "1 - e^t instead of expm1", _with(
        right.fenchel_conjugate, gan=lambda t: torch.where(t < 0, -torch.log(1 - t.clamp(max=-1e-30).exp()), math.inf))),
    Mistake("fenchel_conjugate", "Neyman: 2 sqrt(1-t) - 2", _with(
        right.fenchel_conjugate, neyman_chi_squared=lambda t: -right.fenchel_conjugate(t, divergence="neyman_chi_squared"))),
    Mistake("fenchel_conjugate", "Jeffreys by way of omega only, which cancels", _with(
        right.fenchel_conjugate, jeffreys=lambda t: right.wright_omega(1 - t) + 1 / right.wright_omega(1 - t) + t - 2)),
    Mistake("fenchel_conjugate", "Jeffreys with Lambert's W of 1 - t", _with(
        right.fenchel_conjugate, jeffreys=lambda t: right.wright_omega(t) + 1 / right.wright_omega(t) + t - 2)),
    Mistake("fenchel_conjugate", "an unwanted alpha is ignored", _alpha_ignored(right.fenchel_conjugate), only_checks=True),
    Mistake("fenchel_conjugate_derivative", "the ratio inverted", lambda t, **row: (
        1 / right.fenchel_conjugate_derivative(t, **row))),
    Mistake("fenchel_conjugate_derivative", "negative ratios of Pearson's", _with(
        right.fenchel_conjugate_derivative, pearson_chi_squared=lambda t: 1 + t / 2)),
    Mistake("fenchel_conjugate_derivative", "Jensen-Shannon: e^t/(2 - e^t)", _with(
        right.fenchel_conjugate_derivative,
        jensen_shannon=lambda t: (t.exp() / (2 - t.exp())).masked_fill(t >= math.log(2) / 2, math.inf))),
    Mistake("fenchel_conjugate_derivative", "GAN: the sigmoid", _with(
        right.fenchel_conjugate_derivative, gan=lambda t: torch.sigmoid(t).masked_fill(t >= 0, math.inf))),
    Mistake("fenchel_conjugate_derivative", "total variation: the slope of a clipped conjugate", _with(
        right.fenchel_conjugate_derivative, total_variation=lambda t: ((t >= -0.5) & (t <= 0.5)).to(t.dtype))),
    Mistake("fenchel_conjugate_derivative", "finite beyond the domain", lambda t, **row: (
        right.fenchel_conjugate_derivative(t, **row).nan_to_num(posinf=0.0))),
    Mistake("fenchel_conjugate_derivative", "an unwanted alpha is ignored", _alpha_ignored(right.fenchel_conjugate_derivative),
            only_checks=True),
    Mistake("output_activation", "v left alone", lambda v, **row: v),
    Mistake("output_activation", "applied twice", lambda v, **row: right.output_activation(
        right.output_activation(v, **row), **row)),
    Mistake("output_activation", "GAN: the sigmoid", _with(right.output_activation, gan=torch.sigmoid)),
    Mistake("output_activation", "GAN: logarithm of a rounded sigmoid", _with(
        right.output_activation, gan=lambda v: torch.log(torch.sigmoid(v)))),
    Mistake("output_activation", "total variation: tanh v, twice too wide", _with(
        right.output_activation, total_variation=torch.tanh)),
    Mistake("output_activation", "reverse kl: -e^v, which decreases", _with(
        right.output_activation, reverse_kl=lambda v: -v.exp())),
    Mistake("output_activation", "Jensen-Shannon: log 2 - softplus(-v), outside the domain of the half-scaled conjugate", _with(
        right.output_activation, jensen_shannon=lambda v: math.log(2) + torch.nn.functional.logsigmoid(v))),
    Mistake("output_activation", "alpha < 1 unbounded", _with(right.output_activation, alpha=lambda v, alpha: v)),
    Mistake("output_activation", "alpha: the edge at 1/alpha", _with(
        right.output_activation, alpha=lambda v, alpha: v if alpha > 1 else 1 / abs(alpha) + torch.nn.functional.logsigmoid(v))),
    Mistake("output_activation", "slopes of a rounded tanh", _with(
        right.output_activation, total_variation=lambda v: torch.tanh(v) / 2)),
    Mistake("output_activation", "an unwanted alpha is ignored", _alpha_ignored(right.output_activation), only_checks=True),
    Mistake("wright_omega", "Lambert's W of x", lambda x: right.wright_omega(x.clamp(min=1e-300).log())),
    Mistake("wright_omega", "its logarithm", lambda x: right.wright_omega(x).log()),
    Mistake("wright_omega", "three Newton steps from one", _newton_in_omega),
    Mistake("wright_omega", "gradient lost in the iteration", _gradient_missing),
    Mistake("wright_omega", "exp of a rounded logarithm", lambda x: (x - right.wright_omega(x)).exp()),
    Mistake("discrete_legendre_transform", "minimum for maximum", lambda slopes, points, values: _legendre(
        slopes, points, values).amin(-1)),
    Mistake("discrete_legendre_transform", "plus the values", lambda slopes, points, values: _legendre(
        slopes, points, -values).amax(-1)),
    Mistake("discrete_legendre_transform", "the maximizing point", lambda slopes, points, values: points[
        _legendre(slopes, points, values).argmax(-1)]),
    Mistake("discrete_legendre_transform", "a soft maximum", lambda slopes, points, values: torch.logsumexp(
        _legendre(slopes, points, values), -1)),
    Mistake("discrete_legendre_transform", "broadcasts what it should refuse", lambda slopes, points, values: _legendre(
        slopes.flatten(), points.flatten()[: values.numel()], values.flatten()).nan_to_num().amax(-1), only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake("fenchel_conjugate", "kl as e^t/e, Pearson as t^2/4 + t", _checked(
        right.fenchel_conjugate, kl=lambda t: torch.exp(t) / math.e,
        pearson_chi_squared=lambda t: torch.where(t < -2, -1.0, t.square() / 4 + t))),
    Mistake("discrete_legendre_transform", "the maximum of the table", lambda slopes, points, values: (
        right.discrete_legendre_transform(slopes, points, values) * 0 + _legendre(slopes, points, values).amax(-1))),
    Mistake("wright_omega", "Newton in log omega, differentiated through its last steps", _newton_in_log_omega),
    Mistake("output_activation", "logsigmoid as minus softplus", _checked(
        right.output_activation, gan=lambda v: -torch.logaddexp(-v, torch.zeros_like(v)))),
)  # fmt: skip
