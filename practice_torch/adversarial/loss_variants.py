"""Adversarial losses on scores without a sigmoid: least squares, the hinge, and the relativistic loss of pairs."""

import math

from torch.nn.functional import logsigmoid

from practice_torch.arguments import require, require_rank, require_same_shape


def least_squares_discriminator_loss(scores_real, scores_fake, *, real_target=1.0, fake_target=0.0):
    r"""1/2 (r - b)^2 + 1/2 (f - a)^2, b the real_target and a the fake_target: a regression of the two labels on the score.

    Raises ValueError if the shapes differ, or real_target and fake_target are equal or not finite.
    Source: Mao et al. 2017, eq. 2.
    [B], [B] -> [B]
    """
    _require_pairs(scores_real, scores_fake)
    for name, label in (("real_target", real_target), ("fake_target", fake_target)):
        require(math.isfinite(label), f"{name} is {label}; it must be finite")
    require(real_target != fake_target, f"fake_target is {fake_target}; it must differ from real_target, {real_target}")
    return _half_square(scores_real, real_target) + _half_square(scores_fake, fake_target)


def least_squares_generator_loss(scores_fake, *, target=1.0):
    r"""1/2 (f - c)^2, c the target: a fake is moved towards the places with this score, also from beyond them.

    Raises ValueError unless scores_fake has one axis and target is finite.  Source: Mao et al. 2017, eq. 2.
    [B] -> [B]
    """
    require_rank(1, scores_fake=scores_fake)
    require(math.isfinite(target), f"target is {target}; it must be finite")
    return _half_square(scores_fake, target)


def hinge_discriminator_loss(scores_real, scores_fake):
    r"""max(0, 1 - r) + max(0, 1 + f): scores beyond the margins, 1 for real and -1 for fake examples, are not pushed further.

    Raises ValueError if the shapes differ.  Source: Lim & Ye 2017; Miyato et al. 2018, eq. 16.
    [B], [B] -> [B]
    """
    _require_pairs(scores_real, scores_fake)
    return (1 - scores_real).relu() + (1 + scores_fake).relu()


def hinge_generator_loss(scores_fake):
    r"""-f: the generator's side of the hinge has no margin.

    Raises ValueError unless scores_fake has one axis.  Source: Lim & Ye 2017; Miyato et al. 2018, eq. 17.
    [B] -> [B]
    """
    require_rank(1, scores_fake=scores_fake)
    return -scores_fake


def relativistic_discriminator_loss(scores_real, scores_fake):
    r"""-log sigma(r - f) = log(1 + e^(f - r)): the real example of each pair is to score higher than the fake one, in nats.

    With the two exchanged it is the generator's loss.

    Raises ValueError if the shapes differ.  Source: Jolicoeur-Martineau 2019, section 4.1.
    [B], [B] -> [B]
    """
    _require_pairs(scores_real, scores_fake)
    return -logsigmoid(scores_real - scores_fake)  # torch's softplus is the identity beyond 20


def _half_square(scores, label):
    return (scores - label).square() / 2


def _require_pairs(scores_real, scores_fake):
    require_rank(1, scores_real=scores_real)
    require_same_shape(scores_real=scores_real, scores_fake=scores_fake)
