"""Wrong forms of the adversarial game that the rows must refuse, and other right forms that they must accept."""

import torch
from torch.nn import functional

from practice_torch.adversarial import gan as right
from tests.support.mistakes import Mistake


def _probabilities_first(logits_real, logits_fake, *, real_target=1.0):
    """Sigmoid and logarithm one after the other: log(1 - sigma) loses its digits, then everything."""
    real, fake = torch.sigmoid(logits_real), torch.sigmoid(logits_fake)
    return -real_target * real.log() - (1 - real_target) * torch.log(1 - real) - torch.log(1 - fake)


def _cross_entropies(logits_real, logits_fake, *, real_target, fake_target, reduction="none"):
    bce = functional.binary_cross_entropy_with_logits
    return sum(
        bce(logits, torch.full_like(logits, target), reduction=reduction)
        for logits, target in ((logits_real, real_target), (logits_fake, fake_target))
    )


def _loss(fake_target=0.0, **how):
    return lambda r, f, *, real_target=1.0: _cross_entropies(r, f, real_target=real_target, fake_target=fake_target, **how)


def _by_keyword(wrong):
    """The wrong form under the arguments' own names."""
    return lambda logits_real, logits_fake, **named: wrong(logits_real, logits_fake, **named)


def _value(log_probs_p, log_probs_q, logits, *, masked=True, swap=False, same=False, mean=False, data_alone=False):
    p, q = (log_probs_q.exp(), log_probs_p.exp()) if swap else (log_probs_p.exp(), log_probs_q.exp())
    real, fake = functional.logsigmoid(logits), functional.logsigmoid(logits if same else -logits)
    terms = [torch.where(w > 0, w * a, 0.0) if masked else w * a for w, a in ((p, real), (q, fake))]
    total = terms[0] if data_alone else terms[0] + terms[1]
    return total.mean(-1) if mean else total.sum(-1)


def _wrong_value(**how):
    return lambda log_probs_p, log_probs_q, logits: _value(log_probs_p, log_probs_q, logits, **how)


def _jensen_shannon(log_probs_p, log_probs_q, *, half=True, unhalved_mixture=False, one_side=False, in_logs=False, masked=True):
    p, q = log_probs_p.exp(), log_probs_q.exp()
    m = p + q if unhalved_mixture else (p + q) / 2
    log_m = (log_probs_p + log_probs_q) / 2 if in_logs else m.log()

    def kl(a, log_a):
        return torch.where(a > 0, a * (log_a - log_m), 0.0).sum(-1) if masked else (a * (log_a - log_m)).sum(-1)

    total = 2 * kl(p, log_probs_p) if one_side else kl(p, log_probs_p) + kl(q, log_probs_q)
    return total / 2 if half else total


def _wrong_divergence(**how):
    return lambda log_probs_p, log_probs_q: _jensen_shannon(log_probs_p, log_probs_q, **how)


def _entropies(log_probs_p, log_probs_q):
    """H(m) - H(p)/2 - H(q)/2: right on paper; where p is near q, three numbers of size 1 leave nothing of 5e-9."""

    def entropy(p):
        return -torch.where(p > 0, p * p.log(), 0.0).sum(-1)

    p, q = log_probs_p.exp(), log_probs_q.exp()
    return entropy((p + q) / 2) - entropy(p) / 2 - entropy(q) / 2


MISTAKES = (
    Mistake("discriminator_loss", "log(1 - sigma)", _by_keyword(_probabilities_first)),
    Mistake("discriminator_loss", "sign", _by_keyword(lambda r, f, **named: -right.discriminator_loss(r, f, **named))),
    Mistake("discriminator_loss", "fakes called real", _by_keyword(_loss(fake_target=1.0))),
    Mistake("discriminator_loss", "both labels smoothed", _by_keyword(
        lambda r, f, *, real_target=1.0: _cross_entropies(r, f, real_target=real_target, fake_target=1 - real_target))),
    Mistake("discriminator_loss", "the term scaled, not the label", _by_keyword(
        lambda r, f, *, real_target=1.0: -real_target * functional.logsigmoid(r) - functional.logsigmoid(-f))),
    Mistake("discriminator_loss", "smoothing ignored", _by_keyword(
        lambda r, f, *, real_target=1.0: right.discriminator_loss(r, f))),
    Mistake("discriminator_loss", "averaged over the batch", _by_keyword(_loss(reduction="mean"))),
    Mistake("discriminator_loss", "mean of the two terms", _by_keyword(
        lambda r, f, **named: right.discriminator_loss(r, f, **named) / 2)),
    Mistake("discriminator_loss", "sigmoid before the loss on logits", _by_keyword(
        lambda r, f, **named: right.discriminator_loss(r.sigmoid(), f.sigmoid(), **named))),
    Mistake("discriminator_loss", "real and fake swapped", _by_keyword(
        lambda r, f, **named: right.discriminator_loss(f, r, **named))),
    Mistake("discriminator_loss", "softplus that becomes the identity", _by_keyword(
        lambda r, f, *, real_target=1.0: -real_target * functional.logsigmoid(r) - (1 - real_target) * functional.logsigmoid(-r)
        + functional.softplus(f))),
    Mistake("discriminator_loss", "any target", _by_keyword(
        lambda r, f, *, real_target=1.0: right.discriminator_loss(r, f) + 0 * real_target), only_checks=True),
    Mistake("minimax_generator_loss", "generator sign", lambda logits_fake: -right.minimax_generator_loss(logits_fake)),
    Mistake("minimax_generator_loss", "the other loss", lambda logits_fake: right.non_saturating_generator_loss(logits_fake)),
    Mistake("minimax_generator_loss", "log(1 - sigma)", lambda logits_fake: torch.log(1 - torch.sigmoid(logits_fake))),
    Mistake("minimax_generator_loss", "epsilon inside the logarithm", lambda logits_fake: torch.log(
        1 - torch.sigmoid(logits_fake) + 1e-8)),
    Mistake("minimax_generator_loss", "averaged over the batch", lambda logits_fake: functional.logsigmoid(-logits_fake).mean()),
    Mistake("minimax_generator_loss", "any number of axes", lambda logits_fake: functional.logsigmoid(-logits_fake),
            only_checks=True),
    Mistake("non_saturating_generator_loss", "generator sign", lambda logits_fake: functional.logsigmoid(logits_fake)),
    Mistake("non_saturating_generator_loss", "fakes called fake", lambda logits_fake: -functional.logsigmoid(-logits_fake)),
    Mistake("non_saturating_generator_loss", "the other loss", lambda logits_fake: right.minimax_generator_loss(logits_fake)),
    Mistake("non_saturating_generator_loss", "log(sigma)", lambda logits_fake: -torch.log(torch.sigmoid(logits_fake))),
    Mistake("non_saturating_generator_loss", "sigmoid before the loss on logits",
            lambda logits_fake: right.non_saturating_generator_loss(torch.sigmoid(logits_fake))),
    Mistake("non_saturating_generator_loss", "averaged over the batch",
            lambda logits_fake: right.non_saturating_generator_loss(logits_fake).mean()),
    Mistake("optimal_discriminator_logit", "model over data",
            lambda log_density_data, log_density_model: right.optimal_discriminator_logit(log_density_model, log_density_data)),
    Mistake("optimal_discriminator_logit", "densities divided before the logarithm",
            lambda log_density_data, log_density_model: torch.log(log_density_data.exp() / log_density_model.exp())),
    Mistake("optimal_discriminator_logit", "the probability",
            lambda log_density_data, log_density_model: torch.sigmoid(log_density_data - log_density_model)),
    Mistake("optimal_discriminator_logit", "NaN where both densities are zero",
            lambda log_density_data, log_density_model: log_density_data - log_density_model),
    Mistake("exact_value", "p and q swapped", _wrong_value(swap=True)),
    Mistake("exact_value", "q log sigma(l)", _wrong_value(same=True)),
    Mistake("exact_value", "mean over outcomes", _wrong_value(mean=True)),
    Mistake("exact_value", "data alone", _wrong_value(data_alone=True)),
    Mistake("exact_value", "0 times inf", _wrong_value(masked=False)),
    Mistake("exact_value", "sign", lambda log_probs_p, log_probs_q, logits: -right.exact_value(log_probs_p, log_probs_q, logits)),
    Mistake("exact_value", "rows off the simplex pass", lambda log_probs_p, log_probs_q, logits: right.exact_value(
        log_probs_p.log_softmax(-1), log_probs_q.log_softmax(-1), logits), only_checks=True),
    Mistake("jensen_shannon_divergence", "without the halves", _wrong_divergence(half=False)),
    Mistake("jensen_shannon_divergence", "m = p + q", _wrong_divergence(unhalved_mixture=True)),
    Mistake("jensen_shannon_divergence", "KL(p || m) alone", _wrong_divergence(one_side=True)),
    Mistake("jensen_shannon_divergence", "geometric mixture", _wrong_divergence(in_logs=True)),
    Mistake("jensen_shannon_divergence", "0 log 0", _wrong_divergence(masked=False)),
    Mistake("jensen_shannon_divergence", "a difference of entropies", _entropies),
    Mistake("jensen_shannon_divergence", "rows off the simplex pass", lambda log_probs_p, log_probs_q:
            right.jensen_shannon_divergence(log_probs_p.log_softmax(-1), log_probs_q.log_softmax(-1)), only_checks=True),
    Mistake("jensen_shannon_divergence", "bits",
            lambda log_probs_p, log_probs_q: right.jensen_shannon_divergence(log_probs_p, log_probs_q) / 0.6931471805599453),
)  # fmt: skip


def _torchs_cross_entropies(logits_real, logits_fake, *, real_target=1.0):
    right.discriminator_loss(logits_real, logits_fake, real_target=real_target)  # for its checks
    return _cross_entropies(logits_real, logits_fake, real_target=real_target, fake_target=0.0)


def _by_logaddexp(logits_fake):
    right.non_saturating_generator_loss(logits_fake)  # for its checks
    return torch.logaddexp(-logits_fake, torch.zeros_like(logits_fake))


def _masked_after_the_product(log_probs_p, log_probs_q, logits):
    right.exact_value(log_probs_p, log_probs_q, logits)  # for its checks
    real, fake = (functional.logsigmoid(side.clamp(-1e4, 1e4)) for side in (logits, -logits))
    terms = ((log_probs_p, real), (log_probs_q, fake))
    return sum(torch.where(log_weight.isneginf(), 0.0, log_weight.exp() * term) for log_weight, term in terms).sum(-1)


def _torchs_cross_entropy_of_ones(logits_fake):
    right.non_saturating_generator_loss(logits_fake)  # for its checks
    return functional.binary_cross_entropy_with_logits(logits_fake, torch.ones_like(logits_fake), reduction="none")


EQUIVALENT = (
    Mistake("discriminator_loss", "torch's cross-entropies", _torchs_cross_entropies),
    Mistake("non_saturating_generator_loss", "torch's cross-entropy", _torchs_cross_entropy_of_ones),
    Mistake("non_saturating_generator_loss", "by logaddexp", _by_logaddexp),
    Mistake("exact_value", "masked after the product", _masked_after_the_product),
)
