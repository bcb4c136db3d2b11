"""Wrong bridges between diffusion and flow that the rows must refuse, and other right forms that they must accept."""

from practice_torch.flows import diffusion_bridge as right
from practice_torch.mathematics.levels import per_example
from tests.support.mistakes import Mistake


def _velocity(formula):
    """formula(x, score, alpha, sigma, alpha', sigma') in the place of the velocity."""

    def wrong(x, score, alpha, sigma, alpha_slope, sigma_slope):
        at = (alpha, sigma, alpha_slope, sigma_slope)
        right.velocity_from_score(x, score, *at)  # for its checks
        return formula(x, score, *(per_example(c, x) for c in at))

    return wrong


def _from_velocity(function):
    """formula(x, velocity, alpha, sigma, alpha', sigma') in the place of a function of the velocity."""

    def with_formula(formula):
        def wrong(x, velocity, alpha, sigma, alpha_slope, sigma_slope):
            at = (alpha, sigma, alpha_slope, sigma_slope)
            function(x, velocity, *at)  # for its checks
            return formula(x, velocity, *(per_example(c, x) for c in at))

        return wrong

    return with_formula


_score, _predictions = _from_velocity(right.score_from_velocity), _from_velocity(right.predictions_from_velocity)


def _scaled(formula):
    def wrong(x, alpha, sigma):
        right.rescale_to_linear(x, alpha, sigma)
        return formula(x, per_example(alpha, x), per_example(sigma, x), alpha, sigma)

    return wrong


def _drift(formula):
    def wrong(velocity, score, diffusion):
        right.stochastic_drift(velocity, score, diffusion)
        return formula(velocity, score, per_example(diffusion, velocity))

    return wrong


def _weight(formula):
    def wrong(alpha, sigma, alpha_slope, sigma_slope):
        right.loss_weight_between(alpha, sigma, alpha_slope, sigma_slope)
        return formula(alpha, sigma, alpha_slope, sigma_slope)

    return wrong


def _unchecked_end(x, score, alpha, sigma, alpha_slope, sigma_slope):
    """Where there is no noise, what the noise adds to the velocity is lost."""
    return right.velocity_from_score(x, score, alpha, sigma.where(sigma != 0, 1e-5), alpha_slope, sigma_slope)


MISTAKES = (
    Mistake("velocity_from_score", "sigma for its square", _velocity(
        lambda x, score, a, s, da, ds: da / a * x + s * (da / a - ds / s) * score)),
    Mistake("velocity_from_score", "the time of diffusion", _velocity(
        lambda x, score, a, s, da, ds: -(da / a * x + s**2 * (da / a - ds / s) * score))),
    Mistake("velocity_from_score", "the score of the noise alone", _velocity(
        lambda x, score, a, s, da, ds: da / a * x - s * ds * score)),
    Mistake("velocity_from_score", "the end without noise", _unchecked_end, only_checks=True),
    Mistake("score_from_velocity", "minus the noise", _score(
        lambda x, v, a, s, da, ds: (a * v - da * x) / (da * s - a * ds))),
    Mistake("score_from_velocity", "by the variance", _score(
        lambda x, v, a, s, da, ds: (a * v - da * x) / (s**2 * (da * s - a * ds)))),
    Mistake("score_from_velocity", "the noise over sigma", _score(
        lambda x, v, a, s, da, ds: (da * x - a * v) / (s * (da * s - a * ds)))),
    Mistake("score_from_velocity", "of the linear path", _score(lambda x, v, a, s, da, ds: (a * v - x) / s)),
    Mistake("predictions_from_velocity", "noise first", _predictions(
        lambda x, v, a, s, da, ds: ((da * x - a * v) / (da * s - a * ds), (s * v - ds * x) / (da * s - a * ds)))),
    Mistake("predictions_from_velocity", "w as a sum", _predictions(
        lambda x, v, a, s, da, ds: ((s * v - ds * x) / (da * s + a * ds), (da * x - a * v) / (da * s + a * ds)))),
    Mistake("predictions_from_velocity", "of the linear path", _predictions(
        lambda x, v, a, s, da, ds: (x + s * v, x - a * v))),
    Mistake("rescale_to_linear", "the share of the noise", _scaled(
        lambda x, a, s, alpha, sigma: (x / (a + s), sigma / (alpha + sigma)))),
    Mistake("rescale_to_linear", "by the root of the squares", _scaled(
        lambda x, a, s, alpha, sigma: (x / (a**2 + s**2).sqrt(), alpha / (alpha**2 + sigma**2).sqrt()))),
    Mistake("stochastic_drift", "without the half", _drift(lambda v, score, g: v + g**2 * score)),
    Mistake("stochastic_drift", "not squared", _drift(lambda v, score, g: v + g / 2 * score)),
    Mistake("stochastic_drift", "away from the data", _drift(lambda v, score, g: v - g**2 / 2 * score)),
    Mistake("stochastic_drift", "no correction", _drift(lambda v, score, g: v + 0 * score)),
    Mistake("loss_weight_between", "turned over", _weight(lambda a, s, da, ds: (a / (da * s - a * ds)) ** 2)),
    Mistake("loss_weight_between", "not squared", _weight(lambda a, s, da, ds: (da * s - a * ds) / a)),
    Mistake("loss_weight_between", "of the data", _weight(
        lambda a, s, da, ds: ((da * s - a * ds) / s.where(s > 0, 1.0)) ** 2)),
)  # fmt: skip

EQUIVALENT = (
    Mistake(
        "velocity_from_score",
        "over alpha",
        _velocity(lambda x, score, a, s, da, ds: (da * x + s * (da * s - a * ds) * score) / a),
    ),
    Mistake(
        "velocity_from_score",
        "by the predictions",
        _velocity(lambda x, score, a, s, da, ds: da * (x + s**2 * score) / a - ds * s * score),
    ),
    Mistake(
        "score_from_velocity", "from the noise", _score(lambda x, v, a, s, da, ds: -((da * x - a * v) / (da * s - a * ds)) / s)
    ),
    Mistake("loss_weight_between", "by rates", _weight(lambda a, s, da, ds: (da * s / a - ds).square())),
)
