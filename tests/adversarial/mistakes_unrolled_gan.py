"""Wrong forms of the steps of the smallest game that the rows must refuse, and other right ones."""

import math

import torch

from practice_torch.adversarial import unrolled_gan as right
from tests.support.mistakes import Mistake, after_checks


def _real(theta, omega):
    return torch.sigmoid(-theta * omega)


def _planted(function, **wrongs):
    """Wrong forms of a function, behind the right one's checks, by the mistake."""
    return [Mistake(function, name.replace("_", " "), after_checks(right, function, wrong)) for name, wrong in wrongs.items()]


def _step(form):
    """form(theta, omega, h, b), b the damping of a step."""

    def wrong(generator, discriminator, *, learning_rate, penalty=0.0):
        return form(generator, discriminator, learning_rate, learning_rate * penalty)

    return wrong


def _ahead(form):
    def wrong(generator, discriminator, *, learning_rate):
        return form(generator, discriminator, learning_rate)

    return wrong


def _unrolling(form):
    def wrong(generator, discriminator, *, learning_rate, num_steps):
        return form(generator, discriminator, learning_rate, num_steps)

    return wrong


def _new_generator_at_once(theta, omega, h, b):
    theta = theta - h * omega * _real(theta, omega)
    return theta, (1 - b) * omega + h * theta * _real(theta, omega)


def _discriminator_first(theta, omega, h, b, *, factor=None, sign=1):
    new = (1 - sign * b) * omega + h * theta * _real(theta, omega)
    return theta - h * new * _real(theta, new if factor is None else omega), new


def _simultaneous(theta, omega, h, b, *, sign=1, pulled=0):
    slope = h * _real(theta, omega)
    return theta - slope * omega - pulled * b * theta, (1 - sign * b) * omega + slope * theta


def _from_the_place_ahead(theta, omega, h):
    theta, omega = _simultaneous(theta, omega, h, 0.0)
    return _simultaneous(theta, omega, h, 0.0)


def _old_factor(theta, omega, h):
    ahead, slope = _simultaneous(theta, omega, h, 0.0), h * _real(theta, omega)
    return theta - slope * ahead[1], omega + slope * ahead[0]


def _rolled(theta, omega, h, count):
    for _ in range(count):
        omega = omega + h * theta * _real(theta, omega)
    return omega


def _descended(theta, omega, h, count):
    for _ in range(count):
        omega = omega - h * theta * _real(theta, omega)
    return omega


def _plain(theta, omega):
    return omega * _real(theta, omega)


def _answers_slope(theta, omega, h, count):
    """The second term, through the answer."""
    last, pull = torch.func.vjp(lambda theta: _rolled(theta, omega, h, count), theta)
    return pull(theta * _real(theta, last))[0]


VALUE, TOGETHER, TURNS, AHEAD = "dirac_gan_value", "simultaneous_step", "alternating_step", "extragradient_step"
ANSWER, SLOPE = "unrolled_discriminator", "unrolled_generator_gradient"
LOG_2 = math.log(2)
MISTAKES = (
    *_planted(
        VALUE,
        the_logit_of_real=lambda generator, discriminator: right.dirac_gan_value(-generator, discriminator),
        data_forgotten=lambda generator, discriminator: right.dirac_gan_value(generator, discriminator) + LOG_2,
        log_of_a_sigmoid=lambda generator, discriminator: (generator * discriminator).sigmoid().log() - LOG_2,
        averaged=lambda generator, discriminator: right.dirac_gan_value(generator, discriminator).mean(),
        generator_detached=lambda generator, discriminator: right.dirac_gan_value(generator.detach(), discriminator),
    ),
    Mistake(
        VALUE,
        "any shapes",
        lambda generator, discriminator: torch.nn.functional.logsigmoid(generator * discriminator) - LOG_2,
        only_checks=True,
    ),
    *_planted(
        TOGETHER,
        the_new_generator_in_the_discriminators_step=_step(_new_generator_at_once),
        in_turn=_step(_discriminator_first),
        the_penaltys_sign=_step(lambda *how: _simultaneous(*how, sign=-1)),
        half_the_penalty=_step(lambda *how: _simultaneous(*how, sign=0.5)),
        a_penalty_on_both=_step(lambda *how: _simultaneous(*how, pulled=1)),
        no_penalty=_step(lambda theta, omega, h, b: _simultaneous(theta, omega, h, 0.0)),
        both_ascend=_step(lambda theta, omega, h, b: (theta + h * _plain(theta, omega), _simultaneous(theta, omega, h, b)[1])),
        Wasserstein=_step(lambda theta, omega, h, b: (theta - h * omega, (1 - b) * omega + h * theta)),
    ),
    *_planted(
        TURNS,
        generator_first=_step(_new_generator_at_once),
        at_once=_step(_simultaneous),
        the_old_factor=_step(lambda *how: _discriminator_first(*how, factor="old")),
        the_penaltys_sign=_step(lambda *how: _discriminator_first(*how, sign=-1)),
        half_the_penalty=_step(lambda *how: _discriminator_first(*how, sign=0.5)),
    ),
    *_planted(
        AHEAD,
        from_the_place_ahead=_ahead(_from_the_place_ahead),
        at_once=_ahead(lambda theta, omega, h: _simultaneous(theta, omega, h, 0.0)),
        in_turn=_ahead(lambda theta, omega, h: _discriminator_first(theta, omega, h, 0.0)),
        the_old_factor=_ahead(_old_factor),
    ),
    *_planted(
        ANSWER,
        descent=_unrolling(_descended),
        one_step_more=_unrolling(lambda theta, omega, h, count: _rolled(theta, omega, h, count + 1)),
        one_long_step=_unrolling(lambda theta, omega, h, count: _rolled(theta, omega, h * count, 1)),
        detached=_unrolling(lambda theta, omega, h, count: _rolled(theta.detach(), omega, h, count)),
    ),
    *_planted(
        SLOPE,
        detached=_unrolling(lambda theta, omega, h, count: _plain(theta, _rolled(theta, omega, h, count))),
        not_unrolled=_unrolling(lambda theta, omega, h, count: _plain(theta, omega)),
        the_second_term_alone=_unrolling(_answers_slope),
        the_plain_slope_at_the_start=_unrolling(lambda *how: _plain(*how[:2]) + _answers_slope(*how)),
        one_step_more=_unrolling(
            lambda theta, omega, h, count: right.unrolled_generator_gradient(theta, omega, learning_rate=h, num_steps=count + 1)
        ),
        a_constant=_unrolling(
            lambda theta, omega, h, count: right.unrolled_generator_gradient(
                theta, omega, learning_rate=h, num_steps=count
            ).detach()
        ),
    ),
    Mistake(ANSWER, "any learning rate", _unrolling(_rolled), only_checks=True),
)


def _through_autograd(theta, omega, h, count):
    def total(theta):
        return torch.nn.functional.softplus(-theta * _rolled(theta, omega, h, count), threshold=1e3).neg().sum()

    return torch.func.grad(total)(theta)


EQUIVALENT = (
    *_planted(
        VALUE, by_logaddexp=lambda generator, discriminator: -torch.logaddexp(-generator * discriminator, 0 * generator) - LOG_2
    ),
    *_planted(TOGETHER, two_products=_step(_simultaneous)),
    *_planted(TURNS, two_products=_step(_discriminator_first)),
    *_planted(SLOPE, reverse_mode=_unrolling(_through_autograd)),
)
