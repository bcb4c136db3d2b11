"""Wrong forms of the draws and their gradients that the rows must refuse, and other right forms that they must accept."""

import math

import torch
from torch.distributions import RelaxedOneHotCategorical

from practice_torch.latent import reparameterization as right
from tests.support.mistakes import Mistake


def _density(log_y, logits, temperature, *, power=1.0, gamma=True, exponent=None):
    """The Concrete density with its parts exchangeable."""
    categories = log_y.shape[-1]
    exponent = temperature + 1 if exponent is None else exponent
    constant = (math.lgamma(categories) if gamma else 0.0) + (categories - power) * math.log(temperature)
    normalizer = (logits - temperature * log_y).logsumexp(-1)
    return constant + (logits - exponent * log_y).sum(-1) - categories * normalizer


def _unchecked_gumbel(uniforms):
    return -(-uniforms.clamp(1e-30, 1 - 1e-16).log()).log()


def _baseline_by_sum(values):
    right.require_rank(2, values=values)
    right.require(values.shape[1] >= 2, "values: two samples")
    others = (values.sum(-1, keepdim=True) - values) / (values.shape[1] - 1)
    return values - others


def _scaled_score(z, mean, log_var, *, of_mean=1.0, of_log_var=1.0, shift=0.0):
    d_mean, d_log_var = right.gaussian_parameter_score(z, mean, log_var)
    return of_mean * d_mean, of_log_var * d_log_var + shift


MISTAKES = (
    Mistake("reparameterize", "variance as standard deviation", lambda noise, mean, log_var: mean + log_var.exp() * noise),
    Mistake("reparameterize", "softplus of the log-variance",
            lambda noise, mean, log_var: mean + torch.nn.functional.softplus(log_var) * noise),
    Mistake("reparameterize", "mean detached",
            lambda noise, mean, log_var: right.reparameterize(noise, mean.detach() + 0 * mean, log_var)),
    Mistake("reparameterize", "draws its own noise", lambda noise, mean, log_var: right.reparameterize(
        torch.randn_like(noise), mean, log_var)),
    Mistake("reparameterize", "one noise for the whole batch", lambda noise, mean, log_var: right.reparameterize(
        noise[:1].expand_as(noise), mean, log_var)),
    Mistake("reparameterize", "broadcasts a single variance", lambda noise, mean, log_var: mean + (log_var / 2).exp() * noise,
            only_checks=True),
    Mistake("gaussian_parameter_score", "gradient in the log standard deviation",
            lambda z, mean, log_var: _scaled_score(z, mean, log_var, of_log_var=2.0)),
    Mistake("gaussian_parameter_score", "forgets the normalizer's part",
            lambda z, mean, log_var: _scaled_score(z, mean, log_var, shift=0.5)),
    Mistake("gaussian_parameter_score", "sign", lambda z, mean, log_var: _scaled_score(z, mean, log_var, of_mean=-1.0)),
    Mistake("gaussian_parameter_score", "divides by the standard deviation",
            lambda z, mean, log_var: ((z - mean) * (-log_var / 2).exp(), right.gaussian_parameter_score(z, mean, log_var)[1])),
    Mistake("leave_one_out_advantage", "the baseline includes its own sample",
            lambda values: values - values.mean(-1, keepdim=True)),
    Mistake("leave_one_out_advantage", "baseline over the batch", lambda values: values - values.mean(0, keepdim=True)),
    Mistake("leave_one_out_advantage", "baseline detached", lambda values: (
        values + (right.leave_one_out_advantage(values) - values).detach())),
    Mistake("leave_one_out_advantage", "baseline forgotten", lambda values: values),
    Mistake("gumbel_from_uniform", "log of -log u without the sign", lambda uniforms: (-uniforms.log()).log()),
    Mistake("gumbel_from_uniform", "an epsilon inside the logarithms",
            lambda uniforms: -((-(uniforms + 1e-10).log() + 1e-10).log())),
    Mistake("gumbel_from_uniform", "accepts 0 and 1", _unchecked_gumbel, only_checks=True),
    Mistake("gumbel_softmax", "multiplied by the temperature",
            lambda uniforms, logits, *, temperature: right.gumbel_softmax(uniforms, logits, temperature=1 / temperature)),
    Mistake("gumbel_softmax", "noise not divided by the temperature", lambda uniforms, logits, *, temperature: (
        logits / temperature + right.gumbel_from_uniform(uniforms)).softmax(-1)),
    Mistake("gumbel_softmax", "softmax over the batch", lambda uniforms, logits, *, temperature: (
        (logits + right.gumbel_from_uniform(uniforms)) / temperature).softmax(0)),
    Mistake("gumbel_softmax", "noise of the wrong tail",
            lambda uniforms, logits, *, temperature: right.gumbel_softmax(1 - uniforms, logits, temperature=temperature)),
    Mistake("gumbel_softmax", "probabilities instead of logits", lambda uniforms, logits, *, temperature: right.gumbel_softmax(
        uniforms, logits.softmax(-1), temperature=temperature)),
    Mistake("gumbel_softmax", "hard draw without a gradient", lambda uniforms, logits, *, temperature: (
        torch.nn.functional.one_hot((logits + right.gumbel_from_uniform(uniforms)).argmax(-1), logits.shape[-1]) + 0 * logits)),
    Mistake("concrete_log_density", "exponent tau",
            lambda log_y, logits, *, temperature: _density(log_y, logits, temperature, exponent=temperature)),
    Mistake("concrete_log_density", "tau to the power K",
            lambda log_y, logits, *, temperature: _density(log_y, logits, temperature, power=0.0)),
    Mistake("concrete_log_density", "forgets Gamma(K)",
            lambda log_y, logits, *, temperature: _density(log_y, logits, temperature, gamma=False)),
    Mistake("concrete_log_density", "accepts y off the simplex", lambda log_y, logits, *, temperature: _density(
        log_y, logits, temperature), only_checks=True),
)  # fmt: skip


def _relaxed_one_hot(log_y, logits, *, temperature):
    temperature = torch.as_tensor(temperature, dtype=logits.dtype)
    return RelaxedOneHotCategorical(temperature, logits=logits, validate_args=False).log_prob(log_y.exp())


EQUIVALENT = (
    Mistake("concrete_log_density", "torch.distributions", _relaxed_one_hot, core_alone=True),
    Mistake("leave_one_out_advantage", "against the average of the others, literally", _baseline_by_sum),
    Mistake(
        "gumbel_softmax",
        "as a power of exponential variables",
        lambda uniforms, logits, *, temperature: (
            right.require_same_shape(uniforms=uniforms, logits=logits)
            or right.require(temperature > 0, "temperature: positive")
            or right.require_values("uniforms", uniforms, lambda u: (u > 0) & (u < 1), "inside (0, 1)")
            or ((logits - (-uniforms.log()).log()) / temperature).softmax(-1)
        ),
    ),
)
