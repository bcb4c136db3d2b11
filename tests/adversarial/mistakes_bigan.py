"""Wrong forms of the game on pairs that the rows must refuse, and other right forms that they must accept."""

from torch.nn import functional

from practice_torch.adversarial import bigan as right
from practice_torch.adversarial.gan import discriminator_loss, minimax_generator_loss, non_saturating_generator_loss
from tests.support.mistakes import Mistake


def _entropy(log_joint, *, over=0, masked=True, joint=False):
    right.conditional_entropy(log_joint)  # for its checks
    nowhere = log_joint.isneginf()
    log_conditional = log_joint if joint else log_joint.masked_fill(nowhere.all(over, keepdim=True), 0.0).log_softmax(over)
    return -(log_joint.exp() * (log_conditional.masked_fill(nowhere, 0.0) if masked else log_conditional)).sum()


def _value(log_joint_encoder, log_joint_generator, logits, *, swapped=False, mean=False, same=False):
    right.joint_exact_value(log_joint_encoder, log_joint_generator, logits)  # for its checks
    first, second = log_joint_encoder.exp(), log_joint_generator.exp()
    first, second = (second, first) if swapped else (first, second)
    terms = first * functional.logsigmoid(logits) + second * functional.logsigmoid(logits if same else -logits)
    return terms.mean() if mean else terms.sum()


def _logit(log_density_x, log_encoder, log_prior, log_generator, *, prior=1.0, encoder=1.0, sign=1.0):
    right.optimal_joint_logit(log_density_x, log_encoder, log_prior, log_generator)  # for its checks
    return sign * (log_density_x + encoder * log_encoder - prior * log_prior - log_generator)


MISTAKES = (
    Mistake("bigan_discriminator_loss", "labels exchanged", right.bigan_generator_encoder_loss),
    Mistake("bigan_discriminator_loss", "the encoder's pairs alone", lambda logits_encoder, logits_generator: (
        non_saturating_generator_loss(logits_encoder) + 0 * right.bigan_discriminator_loss(logits_encoder, logits_generator))),
    Mistake("bigan_discriminator_loss", "the mean of both", lambda logits_encoder, logits_generator: (
        right.bigan_discriminator_loss(logits_encoder, logits_generator) / 2)),
    Mistake("bigan_generator_encoder_loss", "the discriminator's own", right.bigan_discriminator_loss),
    Mistake("bigan_generator_encoder_loss", "the encoder does not play", lambda logits_encoder, logits_generator: (
        right.bigan_generator_encoder_loss(logits_encoder.detach(), logits_generator) + 0 * logits_encoder)),
    Mistake("bigan_generator_encoder_loss", "the encoder helps the discriminator", lambda logits_encoder, logits_generator: (
        right.bigan_generator_encoder_loss(-logits_encoder, logits_generator))),
    Mistake("bigan_generator_encoder_loss", "saturating", lambda logits_encoder, logits_generator: (
        minimax_generator_loss(-logits_encoder) + minimax_generator_loss(logits_generator))),
    Mistake("bigan_generator_encoder_loss", "shapes may differ", lambda logits_encoder, logits_generator: (
        functional.softplus(logits_encoder, threshold=1e9) - functional.logsigmoid(logits_generator)), only_checks=True),
    Mistake("optimal_joint_logit", "the pairs exchanged", lambda *given, **named: _logit(*given, **named, sign=-1.0)),
    Mistake("optimal_joint_logit", "the prior forgotten", lambda *given, **named: _logit(*given, **named, prior=0.0)),
    Mistake("optimal_joint_logit", "the encoder forgotten", lambda *given, **named: _logit(*given, **named, encoder=0.0)),
    Mistake("optimal_joint_logit", "NaN where both are zero", _logit),
    Mistake("joint_exact_value", "the pairs exchanged", lambda *given, **named: _value(*given, **named, swapped=True)),
    Mistake("joint_exact_value", "the mean over pairs", lambda *given, **named: _value(*given, **named, mean=True)),
    Mistake("joint_exact_value", "Q log sigma(l)", lambda *given, **named: _value(*given, **named, same=True)),
    Mistake("joint_exact_value", "rows are normalized", lambda log_joint_encoder, log_joint_generator, logits: _value(
        *(table.flatten().log_softmax(0).view_as(table) for table in (log_joint_encoder, log_joint_generator)), logits),
        only_checks=True),
    Mistake("conditional_entropy", "H(z|x)", lambda log_joint: _entropy(log_joint, over=1)),
    Mistake("conditional_entropy", "of the pairs", lambda log_joint: _entropy(log_joint, joint=True)),
    Mistake("conditional_entropy", "0 log 0", lambda log_joint: _entropy(log_joint, masked=False)),
    Mistake("conditional_entropy", "bits", lambda log_joint: right.conditional_entropy(log_joint) / 0.6931471805599453),
    Mistake("conditional_entropy", "not weighted by the latents", lambda log_joint: -(
        log_joint.log_softmax(0).exp() * log_joint.log_softmax(0)).sum() + 0 * right.conditional_entropy(log_joint)),
)  # fmt: skip


EQUIVALENT = (
    Mistake("bigan_discriminator_loss", "a GAN's", lambda logits_encoder, logits_generator: (
        right.bigan_discriminator_loss(logits_encoder, logits_generator) * 0
        + discriminator_loss(logits_encoder, logits_generator))),
    Mistake("bigan_generator_encoder_loss", "two losses of a generator", lambda logits_encoder, logits_generator: (
        right.bigan_discriminator_loss(logits_encoder, logits_generator) * 0
        + non_saturating_generator_loss(-logits_encoder) + non_saturating_generator_loss(logits_generator))),
    Mistake("joint_exact_value", "term by term", _value),
)  # fmt: skip
