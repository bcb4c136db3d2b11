"""What torch's cross-entropy and SciPy say of the adversarial game."""

import numpy as np
import scipy.special
import torch
from scipy.spatial.distance import jensenshannon
from torch.nn.functional import binary_cross_entropy_with_logits

from practice_torch.adversarial import gan as practice
from practice_torch.foundations.f_gan import f_gan_alternative_generator_loss, f_gan_critic_loss, f_gan_generator_loss

GENERATOR = torch.Generator().manual_seed(6)
LOGITS = torch.linspace(-60, 60, 25, dtype=torch.float64)


def draw(*shape):
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64)


def close(ours, theirs, rtol=1e-12, atol=0.0):
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=rtol, atol=atol)


def test_the_discriminators_loss_is_torchs_cross_entropy_with_soft_labels():
    real, fake = LOGITS, LOGITS.flip(0) + 1.5
    for target in (1.0, 0.9, 0.3):
        wanted = binary_cross_entropy_with_logits(real, torch.full_like(real, target), reduction="none")
        wanted = wanted + binary_cross_entropy_with_logits(fake, torch.zeros_like(fake), reduction="none")
        # torch computes (1 - t) x - log sigma(x), whose digits cancel where the answer is right
        close(practice.discriminator_loss(real, fake, real_target=target), wanted, atol=1e-13)


def test_the_generators_losses_are_scipys_log_expit():
    close(practice.minimax_generator_loss(LOGITS), scipy.special.log_expit(-LOGITS.numpy()))
    close(practice.non_saturating_generator_loss(LOGITS), -scipy.special.log_expit(LOGITS.numpy()))


def test_the_game_is_the_f_gan_of_its_row():
    """Lecture 4's losses for the divergence "gan", a sign apart where a bound is raised and a loss lowered."""
    real, fake = draw(9), draw(9)
    close(practice.discriminator_loss(real, fake), f_gan_critic_loss(real, fake, divergence="gan"))
    close(practice.minimax_generator_loss(fake), f_gan_generator_loss(fake, divergence="gan"))
    close(practice.non_saturating_generator_loss(fake), f_gan_alternative_generator_loss(fake, divergence="gan"))


def test_the_divergence_is_the_square_of_scipys_distance():
    log_p, log_q = (torch.log_softmax(3 * draw(6, 5), dim=-1) for _ in range(2))
    log_p[0] = torch.log_softmax(torch.tensor([0.0, 1.0, 2.0, -torch.inf, -torch.inf], dtype=torch.float64), 0)
    wanted = jensenshannon(log_p.exp().numpy(), log_q.exp().numpy(), axis=1) ** 2
    close(practice.jensen_shannon_divergence(log_p, log_q), wanted, rtol=1e-10)


def test_no_search_finds_a_better_discriminator():
    """Newton's method on the value, from indifference: it ends at the log-ratio and at 2 JSD - log 4."""
    log_p, log_q = (torch.log_softmax(draw(4, 5), dim=-1) for _ in range(2))
    logits = torch.zeros(4, 5, dtype=torch.float64, requires_grad=True)
    for _ in range(40):
        (slope,) = torch.autograd.grad(practice.exact_value(log_p, log_q, logits).sum(), logits, create_graph=True)
        (curvature,) = torch.autograd.grad(slope.sum(), logits)
        with torch.no_grad():
            logits -= (slope / curvature).clamp(-1, 1)
    close(logits.detach(), practice.optimal_discriminator_logit(log_p.flatten(), log_q.flatten()).view(4, 5), rtol=1e-9)
    value = practice.exact_value(log_p, log_q, logits.detach())
    close(value, 2 * practice.jensen_shannon_divergence(log_p, log_q) - np.log(4), rtol=1e-10)
