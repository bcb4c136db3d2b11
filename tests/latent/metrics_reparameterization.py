"""Categorical codes by torch.distributions; the variances of gradients from gradients that are derived by hand."""

import math

import torch

from tests.support.metrics import bernoulli, mean

FLOAT32 = True


def pixels(e, batch):
    return (batch["image"].flatten(1) > e.recipe.threshold).to(batch["image"].dtype)


def code_law(e, x):
    return torch.distributions.Categorical(logits=e.encoder(x).view(len(x), e.recipe.codes, e.recipe.categories))


def rate(law):
    uniform = torch.distributions.Categorical(logits=torch.zeros_like(law.logits))
    return torch.distributions.kl_divergence(law, uniform).sum(1)


def logs(e, batch, phase):
    return {"kl": mean(rate(code_law(e, pixels(e, batch))))}


def drawn(e, logits, draws):
    """One-hot codes, [B, S, C, K]."""
    index = torch.multinomial(logits.softmax(-1).flatten(0, 1), draws, replacement=True, generator=e.generator)
    return torch.eye(logits.shape[-1])[index].view(*logits.shape[:2], draws, -1).transpose(1, 2)


def log_likelihood(e, x, codes):
    return bernoulli(e.decoder(codes.flatten(2))).log_prob(x[:, None])


def evaluate(e, data):
    x = pixels(e, data.batch())
    law = code_law(e, x)
    reconstruction = -mean(log_likelihood(e, x, drawn(e, law.logits, 16)).mean(1))
    kl = mean(rate(law))
    found = {"negative_elbo": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}
    return found | variances(e, x, e.encoder(x).view(len(x), e.recipe.codes, e.recipe.categories), 64)


def variances(e, x, logits, repetitions):
    tiled, many = x.repeat(repetitions, 1), logits.repeat(repetitions, 1, 1)
    share = many.softmax(-1)
    begin, end = e.recipe.first_temperature, e.recipe.last_temperature
    temperature = math.exp(math.log(begin) + min(1.0, int(e.step) / e.recipe.steps) * math.log(end / begin))

    # the relaxed codes are softmax((logits + Gumbel) / temperature), through which the decoder's gradient flows
    uniforms = torch.rand(many.flatten(0, 1).shape, generator=e.generator).view_as(many).clamp(2.0**-25, 1 - 2.0**-24)
    codes = ((many - (-uniforms.log()).log()) / temperature).softmax(-1)
    with torch.enable_grad():
        leaf = codes.clone().requires_grad_()
        (slope,) = torch.autograd.grad(log_likelihood(e, tiled, leaf[:, None]).sum(), leaf)
    gradients = {"relaxed": codes * (slope - (codes * slope).sum(-1, keepdim=True)) / temperature}

    # of log q the gradient in the logits is the code less the probabilities
    codes = drawn(e, many, 1)
    values = log_likelihood(e, tiled, codes)
    gradients["score"] = values[:, 0, None, None] * (codes[:, 0] - share)
    codes = drawn(e, many, 2)
    values = log_likelihood(e, tiled, codes)
    half = (values[:, 0] - values[:, 1])[:, None, None] / 2
    gradients["leave_one_out"] = half * (codes[:, 0] - codes[:, 1])

    found = {}
    for name, gradient in gradients.items():
        each = gradient.view(repetitions, len(x), -1).double()
        away = each - each.mean(0)
        spread = away.square().sum(0).mean() / (repetitions - 1)
        found[f"{name}_gradient_variance"] = float(spread) * (2 if name == "leave_one_out" else 1)
    return found


def preview(e, data):
    x = pixels(e, data.batch())
    shown = e.decoder(drawn(e, code_law(e, x).logits, 1)[:, 0].flatten(1)).sigmoid()
    pairs = [image.view(e.shape) for pair in zip(x, shown, strict=True) for image in pair]
    return {"reconstructions": torch.stack(pairs)}
