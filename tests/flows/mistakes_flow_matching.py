"""Wrong forms of flow matching that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.flows import flow_matching as right
from tests.support.mistakes import Mistake


def at(c, x):
    return c.to(x.dtype).reshape(-1, *[1] * (x.ndim - 1))


def _loss(*, sign=1, reduce=torch.sum, turned=False, hidden=False, along_last=False, batch=False, unweighted=True):
    def wrong(x0, x1, time, velocity_fn):
        right.conditional_flow_matching_loss(x0, x1, time, velocity_fn)  # for its checks
        t = time if along_last and x0.shape[-1] == len(time) else at(time, x0)
        x = t * x0 + (1 - t) * x1 if turned else (1 - t) * x0 + t * x1
        error = velocity_fn(x.detach() if hidden else x, time) - sign * (x1 - x0)
        if not unweighted:  # the error of the data that the velocity predicts
            error = (1 - t) * error
        losses = reduce(error.square().reshape(len(x0), x0[:1].numel()), 1)
        return losses.mean().expand(len(x0)) if batch else losses

    return wrong


def _no_check(x0, x1, time, velocity_fn):
    """A velocity of another shape is broadcast."""
    x = torch.lerp(x0, x1, at(time, x0))
    velocity = velocity_fn(x, time)
    if velocity.shape == x.shape:
        return right.conditional_flow_matching_loss(x0, x1, time, velocity_fn)
    return (velocity[:, None] - (x1 - x0)).square().sum(1)


def _marginal(*, power=2, half=2, sign=1, shrunk=True, prior=False, nearest=False, divided=True, hidden=False):
    def wrong(x, data, time):
        right.marginal_velocity(x, data, time)
        points, t = data.reshape(1, len(data), -1), time.to(x.dtype)[:, None]
        seen = x.reshape(len(x), 1, -1) - (t[:, :, None] if shrunk else 1) * points
        logits = -seen.square().sum(2) / (half * (1 - t) ** power)
        weights = (torch.zeros_like(logits) if prior else logits).softmax(1)
        if nearest:
            weights = torch.nn.functional.one_hot(logits.argmax(1), len(data)).to(x.dtype)
        mean = ((weights.detach() if hidden else weights) @ points[0]).reshape(x.shape)
        return sign * (mean - x) / (1 - at(time, x) if divided else 1)

    return wrong


def _by_products(x, data, time):
    right.marginal_velocity(x, data, time)
    points, seen, t = data.flatten(1), x.flatten(1), time[:, None]
    weights = ((t * seen @ points.T - t.square() * points.square().sum(1) / 2) / (1 - t).square()).softmax(1)
    return ((weights @ points).reshape(x.shape) - x) / (1 - at(time, x))


def _clipped(x, data, time):
    return right.marginal_velocity(x, data, time.clamp(max=1 - 1e-3))


def _mixture(*, shrunk=True, plus=-1, half=2, root=1.0, alike=False, prior=False, normalizer=1, sign=1):
    def wrong(x, time, means, log_vars, log_weights):
        right.mixture_velocity(x, time, means, log_vars, log_weights)
        t, s = time[:, None], log_vars.exp()
        noised = (1 - t).square() + t.square() * s
        away = x[:, None] - t[:, :, None] * means
        logits = -away.square().sum(2) / noised**root / half - normalizer * x.shape[1] * noised.log() / 2
        shares = (logits + (0 if alike else log_weights)).softmax(1)
        shares = log_weights.exp().expand(shares.shape) if prior else shares
        slopes = (t * s + plus * (1 - t)) / noised
        return sign * (shares[:, :, None] * (means + slopes[:, :, None] * (away if shrunk else x[:, None] - means))).sum(1)

    return wrong


def _point_mass(x, time, means, log_vars, log_weights):
    """A log-variance of -inf taken for a narrow one."""
    return right.mixture_velocity(x, time, means, log_vars.clamp(min=-60), log_weights)


def _by_score(x, time, means, log_vars, log_weights):
    """x/t + (1 - t)/t times the score: 0/0 at time 0."""
    right.mixture_velocity(x, time, means, log_vars, log_weights)
    t = time[:, None]
    noised = (1 - t).square() + t.square() * log_vars.exp()
    away = t[:, :, None] * means - x[:, None]
    logits = log_weights - away.square().sum(2) / noised / 2 - x.shape[1] * noised.log() / 2
    score = ((logits.softmax(1) / noised)[:, :, None] * away).sum(1)
    return (x + (1 - t) * score) / t


def _times(form):
    def wrong(normals, *, mean=0.0, std=1.0):
        right.logit_normal_times(normals, mean=mean, std=std)
        return form(normals, mean, std)

    return wrong


MISTAKES = (
    Mistake("conditional_flow_matching_loss", "from data to noise", _loss(sign=-1)),
    Mistake("conditional_flow_matching_loss", "the mean over dimensions", _loss(reduce=torch.mean)),
    Mistake("conditional_flow_matching_loss", "the mean over the batch", _loss(batch=True)),
    Mistake("conditional_flow_matching_loss", "the time of diffusion", _loss(turned=True)),
    Mistake("conditional_flow_matching_loss", "no gradient through the place", _loss(hidden=True)),
    Mistake("conditional_flow_matching_loss", "the error of the predicted data", _loss(unweighted=False)),
    Mistake("conditional_flow_matching_loss", "a velocity of another shape is broadcast", _no_check, only_checks=True),
    Mistake("marginal_velocity", "from data to noise", _marginal(sign=-1)),
    Mistake("marginal_velocity", "the deviation for the variance", _marginal(power=1)),
    Mistake("marginal_velocity", "without the half", _marginal(half=1)),
    Mistake("marginal_velocity", "data not shrunk", _marginal(shrunk=False)),
    Mistake("marginal_velocity", "weights before anything is seen", _marginal(prior=True)),
    Mistake("marginal_velocity", "the nearest", _marginal(nearest=True)),
    Mistake("marginal_velocity", "not divided", _marginal(divided=False)),
    Mistake("marginal_velocity", "weights without a slope", _marginal(hidden=True)),
    Mistake("marginal_velocity", "time clipped", _clipped, only_checks=True),
    Mistake("mixture_velocity", "from data to noise", _mixture(sign=-1)),
    Mistake("mixture_velocity", "covariances added", _mixture(plus=1)),
    Mistake("mixture_velocity", "means not shrunk", _mixture(shrunk=False)),
    Mistake("mixture_velocity", "the deviation for the variance", _mixture(root=0.5)),
    Mistake("mixture_velocity", "without the half", _mixture(half=1)),
    Mistake("mixture_velocity", "components alike", _mixture(alike=True)),
    Mistake("mixture_velocity", "shares before anything is seen", _mixture(prior=True)),
    Mistake("mixture_velocity", "shares without the normalizers", _mixture(normalizer=0)),
    Mistake("mixture_velocity", "through the score, which is 0/0 at time 0", _by_score),
    Mistake("mixture_velocity", "a point of data taken for a narrow component", _point_mass, only_checks=True),
    Mistake("logit_normal_times", "the time of diffusion", _times(lambda n, mean, std: (-mean - std * n).sigmoid())),
    Mistake("logit_normal_times", "the variance for the deviation", _times(lambda n, mean, std: (mean + std**2 * n).sigmoid())),
    Mistake(
        "logit_normal_times", "the normal distribution function", _times(lambda n, mean, std: torch.special.ndtr(mean + std * n))
    ),
    Mistake(
        "data_prediction", "the time for the rest", lambda x, velocity, time: x + right.data_prediction(0 * x, velocity, 1 - time)
    ),
    Mistake("data_prediction", "the noise", lambda x, velocity, time: x - at(time, x) * velocity),
    Mistake("data_prediction", "backward", lambda x, velocity, time: x + right.data_prediction(0 * x, -velocity, time)),
)

EQUIVALENT = (
    Mistake("conditional_flow_matching_loss", "a sum", _loss()),
    Mistake("marginal_velocity", "products in place of distances", _by_products),
    Mistake("mixture_velocity", "components shared out", _mixture()),
    Mistake("logit_normal_times", "written out", _times(lambda n, mean, std: 1 / (1 + (-mean - std * n).exp()))),
    Mistake(
        "data_prediction",
        "a sum",
        lambda x, velocity, time: right.data_prediction(x, velocity, time).detach() * 0 + x + (1 - at(time, x)) * velocity,
    ),
)
