"""Wrong forms of least-squares, hinge and relativistic losses that the rows must refuse, and other right ones."""

import torch
from torch.nn import functional

from practice_torch.adversarial import loss_variants as right
from tests.support.mistakes import Mistake, after_checks


def _pairs(function, name, wrong):
    """A wrong form of a loss of two scores, behind the right one's checks."""
    return Mistake(function, name, after_checks(right, function, wrong))


def _squares(change):
    def wrong(scores_real, scores_fake, *, real_target=1.0, fake_target=0.0):
        return change(scores_real, scores_fake, real_target, fake_target)

    return wrong


def _half_squares(r, f, b, a):
    return ((r - b).square() + (f - a).square()) / 2


def _unchecked(scores_real, scores_fake, *, real_target=1.0, fake_target=0.0):
    return _half_squares(scores_real, scores_fake, real_target, fake_target)


LEAST, HINGE, PAIR = "least_squares_discriminator_loss", "hinge_discriminator_loss", "relativistic_discriminator_loss"
MISTAKES = (
    *(_pairs(LEAST, name, _squares(change)) for name, change in {
        "sigmoid before the squares": lambda r, f, b, a: _half_squares(r.sigmoid(), f.sigmoid(), b, a),
        "without the halves": lambda r, f, b, a: 2 * _half_squares(r, f, b, a),
        "labels exchanged": lambda r, f, b, a: _half_squares(r, f, a, b),
        "the fakes' label ignored": lambda r, f, b, a: _half_squares(r, f, b, 0.0),
        "labels ignored": lambda r, f, b, a: _half_squares(r, f, 1.0, 0.0),
        "sign": lambda r, f, b, a: -_half_squares(r, f, b, a),
        "absolute values": lambda r, f, b, a: ((r - b).abs() + (f - a).abs()) / 2,
        "one residual for both": lambda r, f, b, a: ((r - b) + (f - a)).square() / 2,
        "fakes detached": lambda r, f, b, a: _half_squares(r, f.detach(), b, a),
        "averaged over the batch": lambda r, f, b, a: _half_squares(r, f, b, a).mean(),
    }.items()),
    Mistake(LEAST, "any labels, any shapes", _unchecked, only_checks=True),
    Mistake("least_squares_generator_loss", "sigmoid before the square",
            lambda scores_fake, *, target=1.0: right.least_squares_generator_loss(scores_fake.sigmoid(), target=target)),
    Mistake("least_squares_generator_loss", "without the half",
            lambda scores_fake, *, target=1.0: 2 * right.least_squares_generator_loss(scores_fake, target=target)),
    Mistake("least_squares_generator_loss", "away from the target",
            lambda scores_fake, *, target=1.0: -right.least_squares_generator_loss(scores_fake, target=target)),
    Mistake("least_squares_generator_loss", "target ignored",
            lambda scores_fake, *, target=1.0: right.least_squares_generator_loss(scores_fake)),
    Mistake("least_squares_generator_loss", "no cost beyond the target",
            lambda scores_fake, *, target=1.0: (target - scores_fake).relu().square() / 2),
    Mistake("least_squares_generator_loss", "averaged over the batch",
            lambda scores_fake, *, target=1.0: right.least_squares_generator_loss(scores_fake, target=target).mean()),
    Mistake("least_squares_generator_loss", "any target", lambda scores_fake, *, target=1.0: (scores_fake - target).square() / 2,
            only_checks=True),
    *(_pairs(HINGE, name, wrong) for name, wrong in {
        "signs exchanged": lambda scores_real, scores_fake: (1 + scores_real).relu() + (1 - scores_fake).relu(),
        "no hinge": lambda scores_real, scores_fake: 2 - scores_real + scores_fake,
        "no margin": lambda scores_real, scores_fake: (-scores_real).relu() + scores_fake.relu(),
        "one hinge for the sum": lambda scores_real, scores_fake: (2 - scores_real + scores_fake).relu(),
        "the margin of the real for both": lambda scores_real, scores_fake: (1 - scores_real).relu() + (1 - scores_fake).relu(),
        "squared": lambda scores_real, scores_fake: (1 - scores_real).relu().square() + (1 + scores_fake).relu().square(),
        "a minimum": lambda scores_real, scores_fake: (scores_real - 1).clamp(max=0) + (-1 - scores_fake).clamp(max=0),
        "smooth": lambda scores_real, scores_fake: functional.softplus(1 - scores_real) + functional.softplus(1 + scores_fake),
        "of probabilities": lambda scores_real, scores_fake: (1 - scores_real.sigmoid()).relu()
        + (1 + scores_fake.sigmoid()).relu(),
        "averaged over the batch": lambda scores_real, scores_fake: right.hinge_discriminator_loss(
            scores_real, scores_fake).mean(),
    }.items()),
    Mistake(HINGE, "any shapes", lambda scores_real, scores_fake: (1 - scores_real).relu() + (1 + scores_fake).relu(),
            only_checks=True),
    Mistake("hinge_generator_loss", "sign", lambda scores_fake: -right.hinge_generator_loss(scores_fake)),
    Mistake("hinge_generator_loss", "a margin", lambda scores_fake: (1 - scores_fake).relu()),
    Mistake("hinge_generator_loss", "averaged over the batch",
            lambda scores_fake: right.hinge_generator_loss(scores_fake).mean()),
    Mistake("hinge_generator_loss", "any number of axes", lambda scores_fake: -scores_fake, only_checks=True),
    *(_pairs(PAIR, name, wrong) for name, wrong in {
        "sigma for softplus": lambda scores_real, scores_fake: (scores_fake - scores_real).sigmoid(),
        "real and fake exchanged": lambda scores_real, scores_fake: -functional.logsigmoid(scores_fake - scores_real),
        "sign": lambda scores_real, scores_fake: functional.logsigmoid(scores_real - scores_fake),
        "each score by itself": lambda scores_real, scores_fake: -functional.logsigmoid(scores_real)
        - functional.logsigmoid(-scores_fake),
        "against the mean fake": lambda scores_real, scores_fake: -functional.logsigmoid(scores_real - scores_fake.mean()),
        "log of a sigmoid": lambda scores_real, scores_fake: -(scores_real - scores_fake).sigmoid().log(),
        "softplus that becomes the identity": lambda scores_real, scores_fake: functional.softplus(scores_fake - scores_real),
        "every pair": lambda scores_real, scores_fake: -functional.logsigmoid(scores_real[:, None] - scores_fake).mean(1),
        "averaged over the batch": lambda scores_real, scores_fake: right.relativistic_discriminator_loss(
            scores_real, scores_fake).mean(),
    }.items()),
    Mistake(PAIR, "any shapes", lambda scores_real, scores_fake: -functional.logsigmoid(scores_real - scores_fake),
            only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    _pairs(LEAST, "torch's squared errors", _squares(lambda r, f, b, a: sum(
        functional.mse_loss(x, torch.full_like(x, label), reduction="none") for x, label in ((r, b), (f, a))) / 2)),
    _pairs(HINGE, "two minima, as in the paper", lambda scores_real, scores_fake: -(scores_real - 1).clamp(max=0)
           - (-1 - scores_fake).clamp(max=0)),
    _pairs(PAIR, "torch's cross-entropy", lambda scores_real, scores_fake: functional.binary_cross_entropy_with_logits(
        scores_real - scores_fake, torch.ones_like(scores_real), reduction="none")),
    _pairs(PAIR, "by logaddexp", lambda scores_real, scores_fake: torch.logaddexp(
        scores_fake - scores_real, torch.zeros_like(scores_real))),
)  # fmt: skip
