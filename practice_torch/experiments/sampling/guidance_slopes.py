"""Gradients of classifiers of noisy images, compared with the exact gradients for the training images."""

import torch

from practice_torch.diffusion.classifier_guidance import classifier_gradient
from practice_torch.diffusion.score_prediction import empirical_posterior_mean
from practice_torch.experiments.media.units import Images
from practice_torch.pictures import guidance


def slopes(model, real, train):
    """A figure: how long the exact slopes are, and how far each classifier's are from them, at one level after another.

    Only where at least half of the variance is noise: below, the training images do not determine the density between them.
    """
    levels = model.levels(clearest=0.5)
    lengths, errors = [], {"noisy": [], "clean": []}
    for t, x in model.noised(real, levels):
        exact = exact_slope(x, t, real["label"], train, model.alpha_bar)
        lengths.append(_length(exact))
        for name, missed in errors.items():
            found = classifier_gradient(x, real["label"], lambda x, t=t, name=name: model.log_probs(x, t, name))
            missed.append(_length(found - exact))
    return guidance.slopes(levels, lengths, errors)


def exact_slope(x, t, label, train, alpha_bar):
    """grad_x log q(y | x_t) if the training images were all there is.

    By Tweedie's formula sqrt(a_t)/(1 - a_t) (E(x_0 | x_t, y) - E(x_0 | x_t)).
    """
    x0, kept = Images().units(train).to(x.device), alpha_bar[t].view(-1, 1, 1, 1)
    of_the_class = torch.empty_like(x)
    for k in label.unique():
        ours = label == k
        of_the_class[ours] = empirical_posterior_mean(x[ours], x0[train["label"] == k.item()], t[ours], alpha_bar)
    return kept.sqrt() / (1 - kept) * (of_the_class - empirical_posterior_mean(x, x0, t, alpha_bar))


def _length(slopes):
    """Their root mean square length."""
    return slopes.flatten(1).square().sum(1).mean().sqrt().item()
