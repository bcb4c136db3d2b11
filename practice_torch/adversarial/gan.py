"""Generative adversarial networks: the losses of both players, and the exact game on finite spaces."""

import torch
from torch.nn.functional import logsigmoid

from practice_torch.arguments import require, require_log_probs, require_rank, require_same_shape
from practice_torch.foundations.f_divergence import f_divergence


def discriminator_loss(logits_real, logits_fake, *, real_target=1.0):
    r"""-a log sigma(r) - (1 - a) log sigma(-r) - log sigma(-f), a the real_target: two cross-entropies, in nats.

    a < 1 smooths the labels of the real examples alone.

    Raises ValueError if the shapes differ or real_target is outside (0, 1].
    Source: Goodfellow et al. 2014, eq. 1; Salimans et al. 2016, section 3.4 (a < 1).
    [B], [B] -> [B]
    """
    require_rank(1, logits_real=logits_real)
    require_same_shape(logits_real=logits_real, logits_fake=logits_fake)
    require(0 < real_target <= 1, f"real_target is {real_target}; it must be in (0, 1]")
    # logsigmoid, not softplus: torch's softplus is the identity beyond its threshold of 20
    as_real, as_fake = logsigmoid(logits_real), logsigmoid(-logits_real)
    return -torch.lerp(as_fake, as_real, real_target) - logsigmoid(-logits_fake)


def minimax_generator_loss(logits_fake):
    r"""log(1 - D) = log sigma(-f): the generator's side of the discriminator's own game, which saturates as f -> -inf.

    Raises ValueError unless logits_fake has one axis.  Source: Goodfellow et al. 2014, eq. 1.
    [B] -> [B]
    """
    require_rank(1, logits_fake=logits_fake)
    return logsigmoid(-logits_fake)


def non_saturating_generator_loss(logits_fake):
    r"""-log D = -log sigma(f): the same fixed point, and a slope where the discriminator is sure.

    Raises ValueError unless logits_fake has one axis.  Source: Goodfellow et al. 2014, section 3.
    [B] -> [B]
    """
    require_rank(1, logits_fake=logits_fake)
    return -logsigmoid(logits_fake)


def optimal_discriminator_logit(log_density_data, log_density_model):
    r"""log p - log q, the logit of D* = p / (p + q); 0 where both densities are zero and every D is as good.

    Raises ValueError if the shapes differ.  Source: Goodfellow et al. 2014, proposition 1.
    [B], [B] -> [B]
    """
    require_rank(1, log_density_data=log_density_data)
    require_same_shape(log_density_data=log_density_data, log_density_model=log_density_model)
    nowhere = log_density_data.isneginf() & log_density_model.isneginf()
    return (log_density_data - log_density_model).masked_fill(nowhere, 0.0)


def exact_value(log_probs_p, log_probs_q, logits):
    r"""V(D) = sum_k p_k log sigma(l_k) + q_k log sigma(-l_k): the value of the game over a finite space, in nats.

    An outcome of probability 0 adds nothing, for any logit.

    Raises ValueError if the shapes differ or a row of log_probs_p or log_probs_q does not sum to one.
    Source: Goodfellow et al. 2014, eq. 1.
    [B, K], [B, K], [B, K] -> [B]
    """
    require_rank(2, log_probs_p=log_probs_p)
    require_same_shape(log_probs_p=log_probs_p, log_probs_q=log_probs_q, logits=logits)
    require_log_probs(log_probs_p=log_probs_p, log_probs_q=log_probs_q)
    value = 0.0
    for log_probs, correct in ((log_probs_p, logits), (log_probs_q, -logits)):
        # a perfect discriminator's infinite logit on an outcome of the other side alone: 0 times inf must not become NaN
        value = value + log_probs.exp() * logsigmoid(correct.masked_fill(log_probs.isneginf(), 0.0))
    return value.sum(dim=-1)


def jensen_shannon_divergence(log_probs_p, log_probs_q):
    r"""1/2 KL(p || m) + 1/2 KL(q || m) with m = (p + q)/2, in nats: between 0 and log 2.

    Raises ValueError if the shapes differ or a row of log_probs_p or log_probs_q does not sum to one.
    Source: Lin 1991; Goodfellow et al. 2014, theorem 1.
    [B, K], [B, K] -> [B]
    """
    return f_divergence(log_probs_p, log_probs_q, divergence="jensen_shannon")
