"""Classifier guidance: the exact classifier of noised mixtures, the gradient of any classifier, and its effect on a step."""

import torch

from practice_torch.arguments import (
    as_int64,
    require,
    require_integers,
    require_rank,
    require_same_shape,
    require_timesteps,
    require_values,
)
from practice_torch.diffusion.score_prediction import diffused_mixture
from practice_torch.mathematics.levels import level_at, per_example
from practice_torch.mathematics.mixture import log_joint
from practice_torch.networks.level_classifier import LevelClassifier as LevelClassifier


def class_log_probs(x_t, t, means, log_vars, log_weights, alpha_bar):
    r"""log q(k | x_t) = log-softmax_k of log w_k N(x_t; sqrt(a_t) m_k, (a_t e^l_k + 1 - a_t) I): a mixture's exact classifier.

    Its classes are the components; at pure noise it returns their weights.
    Raises ValueError if the shapes do not fit, the weights of log_weights do not sum to one, t is not an integer in 1..T, or
    alpha_bar is no schedule.  Source: Bayes' rule; Dhariwal & Nichol 2021, section 4.
    [B, D], [B], [K, D], [K], [K], [T+1] -> [B, K]
    """
    require_rank(2, x_t=x_t)
    require_timesteps(alpha_bar, x_t, t=t)
    noised_means, noised_log_vars = diffused_mixture(means, log_vars, t, alpha_bar)
    return log_joint(x_t, noised_means, noised_log_vars, log_weights)[0].log_softmax(1)


def classifier_gradient(x_t, labels, log_probs_fn):
    r"""grad_x log p(y | x) at x_t, y the label of each example; log_probs_fn(x) -> log-probabilities of the K classes, [B, K].

    Each row of log_probs_fn must depend on its own example only, and be normalized: a logit has another slope.

    Raises ValueError if labels are not integers in 0..K-1, one for each example, or log_probs_fn does not return [B, K].
    Source: Dhariwal & Nichol 2021, algorithm 1; Sohl-Dickstein et al. 2015, section 2.5.
    [B, ...], [B] -> [B, ...]
    """
    require_integers(labels=labels)
    batch, given = len(x_t), list(labels.shape)
    require(given == [batch], f"labels has shape {given}; it must have one entry for each of the {batch} examples")

    def of_the_labels(x):
        log_probs = log_probs_fn(x)
        found = list(log_probs.shape)
        require(len(found) == 2 and found[0] == batch, f"log_probs_fn returned shape {found}; it must return [{batch}, K]")
        require_values("labels", labels, lambda y: (y >= 0) & (y < found[1]), f"a class in 0..{found[1] - 1}")
        return log_probs.gather(1, as_int64(labels)[:, None]).sum()

    return torch.func.grad(of_the_labels)(x_t)  # also under no_grad and inference_mode, where samplers run


def guided_mean(mean, log_var, gradient, *, scale):
    r"""mean + scale e^log_var gradient: the mean of a reverse step, moved uphill in log p(y | x) in units of its variance.

    Raises ValueError if gradient has another shape than mean, or log_var neither that shape nor one entry for each example.
    Source: Dhariwal & Nichol 2021, algorithm 1.
    [B, ...], [B], [B, ...] -> [B, ...]
    """
    require_same_shape(mean=mean, gradient=gradient)
    given, each, all_of_them = list(log_var.shape), list(mean.shape[:1]), list(mean.shape)
    require(given in (each, all_of_them), f"log_var has shape {given}; it must have shape {each} or {all_of_them}")
    variance = log_var.exp()
    if given == each:
        variance = per_example(variance, mean)
    return torch.addcmul(mean, variance, gradient, value=scale)


def guided_noise(noise_pred, gradient, t, alpha_bar, *, scale):
    r"""noise_pred - scale sqrt(1 - a_t) gradient: the noise of the score of the model plus scale times the classifier's gradient.

    Raises ValueError if the shapes differ, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Dhariwal & Nichol 2021, eq. 14 and algorithm 2.
    [B, ...], [B, ...], [B], [T+1] -> [B, ...]
    """
    require_same_shape(noise_pred=noise_pred, gradient=gradient)
    require_timesteps(alpha_bar, noise_pred, t=t)
    deviation = (1 - level_at(t, alpha_bar)).sqrt()
    return torch.addcmul(noise_pred, per_example(deviation, gradient), gradient, value=-scale)
