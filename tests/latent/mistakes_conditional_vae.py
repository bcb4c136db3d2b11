"""Wrong forms of the conditional autoencoder that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.latent import conditional_vae as right
from practice_torch.latent.vae import bernoulli_log_likelihood, kl_to_standard_normal
from tests.support.mistakes import Mistake


def _planes_first(image, labels, *, num_classes):
    made = right.condition_channels(image, labels, num_classes=num_classes)
    return torch.cat([made[:, image.shape[1] :], image], 1)


def _narrow(labels, *, num_classes):
    """Compared in the type of the labels: in uint8 the class 256 is 0."""
    right.one_hot(labels, num_classes=num_classes)
    return (labels[:, None] == torch.arange(num_classes).to(labels.dtype)).to(torch.get_default_dtype())


def _bound(x, logits, mean, log_var, prior_mean, prior_log_var, kl=None):
    right.conditional_negative_elbo(x, logits, mean, log_var, prior_mean, prior_log_var)
    posterior, prior = (
        torch.distributions.Normal(m, (v / 2).exp(), validate_args=False)
        for m, v in ((mean, log_var), (prior_mean, prior_log_var))
    )
    rate = torch.distributions.kl_divergence(posterior, prior).sum(1) if kl is None else kl(posterior, prior)
    return rate - bernoulli_log_likelihood(x, logits)


MISTAKES = (
    Mistake("one_hot", "counted from 1",
            lambda labels, *, num_classes: right.one_hot(labels, num_classes=num_classes).roll(-1, 1)),
    Mistake("one_hot", "compared in uint8", _narrow, narrow=True),
    Mistake("concatenate_condition", "the label first", lambda x, labels, *, num_classes: (
        right.concatenate_condition(x, labels, num_classes=num_classes).roll(num_classes, 1))),
    Mistake("concatenate_condition", "another width", lambda x, labels, *, num_classes: (
        right.concatenate_condition(x, labels, num_classes=num_classes)[:, :-1])),
    Mistake("condition_channels", "planes before the channels", _planes_first),
    Mistake("condition_channels", "a plane of the label's number", lambda image, labels, *, num_classes: torch.cat([
        image, right.condition_channels(image, labels, num_classes=num_classes)[:, image.shape[1] :]
        * labels.to(image.dtype)[:, None, None, None]], 1)),
    Mistake("conditional_negative_elbo", "to the standard normal", lambda x, logits, mean, log_var, prior_mean, prior_log_var: (
        _bound(x, logits, mean, log_var, prior_mean, prior_log_var) * 0
        + kl_to_standard_normal(mean, log_var) - bernoulli_log_likelihood(x, logits))),
    Mistake("conditional_negative_elbo", "turned over", lambda x, logits, mean, log_var, prior_mean, prior_log_var: (
        _bound(x, logits, mean, log_var, prior_mean, prior_log_var,
               lambda q, p: torch.distributions.kl_divergence(p, q).sum(1)))),
    Mistake("conditional_negative_elbo", "the mean over latents", lambda x, logits, mean, log_var, prior_mean, prior_log_var: (
        _bound(x, logits, mean, log_var, prior_mean, prior_log_var,
               lambda q, p: torch.distributions.kl_divergence(q, p).mean(1)))),
    Mistake("conditional_negative_elbo", "the likelihood added", lambda x, logits, mean, log_var, prior_mean, prior_log_var: (
        right.conditional_negative_elbo(x, logits, mean, log_var, prior_mean, prior_log_var)
        + 2 * bernoulli_log_likelihood(x, logits))),
    Mistake("feature_wise_modulation", "without the 1", lambda h, scale, shift: (
        right.feature_wise_modulation(h, scale, shift) - h)),
    Mistake("feature_wise_modulation", "the shift scaled as well", lambda h, scale, shift: (
        right.feature_wise_modulation(h, scale, shift * (1 + scale)))),
)  # fmt: skip

EQUIVALENT = (
    Mistake("conditional_negative_elbo", "by torch.distributions", _bound, core_alone=True),
    Mistake(
        "feature_wise_modulation",
        "a product and a sum",
        lambda h, scale, shift: (
            right.feature_wise_modulation(h, scale, shift) * 0 + h * (1 + scale[..., None, None]) + shift[..., None, None]
        ),
    ),
)
