"""Boltzmann machines: free energies by a sum over the hidden units, walks between temperatures written out."""

import math

import torch

from tests.support.metrics import mean

FIELDS = {name: {"temperatures": 5, "runs": 3} for name in ("digits", "digits_cd", "digits_enumerated", "mnist")}


def free_energy(x, weight, visible_bias, hidden_bias):
    """-log sum_h e^(x a + h b + x W h), with each hidden unit summed over by itself."""
    return -(x @ visible_bias) - (1 + (x @ weight + hidden_bias).exp()).log().sum(1)


def pixels(e, batch):
    image = batch["image"].flatten(1)
    if e.recipe.pixels == "stochastic":
        return torch.bernoulli(image, generator=e.generator)
    return (image > e.recipe.threshold).to(image.dtype)


def uniforms(e, *shape):
    return torch.rand(shape, generator=e.generator)


def machine(e):
    return e.weight, e.visible_bias, e.hidden_bias


def logs(e, batch, phase):
    x = pixels(e, batch)
    v, hidden = e.particles if e.recipe.particles else x, e.recipe.hidden
    steps, size = e.recipe.chain_steps, x.shape[1]
    of_hidden, of_visible = uniforms(e, steps, len(v), hidden), uniforms(e, steps, len(v), size)
    for k in range(steps):
        h = (of_hidden[k] < (v @ e.weight + e.hidden_bias).sigmoid()).to(v)
        v = (of_visible[k] < (h @ e.weight.T + e.visible_bias).sigmoid()).to(v)
    return {"data_free_energy": mean(free_energy(x, *machine(e))), "chain_free_energy": mean(free_energy(v, *machine(e)))}


def log_partition(e):
    """By a sum over all states of the smaller layer, a number of bits that count up."""
    weight, visible, hidden = machine(e)
    if len(visible) > len(hidden):
        weight, visible, hidden = weight.T, hidden, visible
    size, total = len(visible), []
    for part in torch.arange(2**size).split(2**14):
        states = (part[:, None] >> torch.arange(size) & 1).to(weight)
        total.append((-free_energy(states, weight, visible, hidden)).logsumexp(0))
    return float(torch.stack(total).logsumexp(0))


def walks(e, base):
    """log w of walks with a bias from the base's to the model's and weights growing from 0, with a Gibbs step at each."""
    t, runs = torch.linspace(0, 1, e.recipe.temperatures), e.recipe.runs
    size, hidden = e.weight.shape
    first, of_hidden, of_visible = (
        uniforms(e, runs, size),
        uniforms(e, len(t) - 2, runs, hidden),
        uniforms(e, len(t) - 2, runs, size),
    )

    def at(share):
        return share * e.weight, (1 - share) * base + share * e.visible_bias, share * e.hidden_bias

    v, total = (first < base.sigmoid()).to(base), 0.0
    for k in range(1, len(t)):
        total = total + free_energy(v, *at(t[k - 1])) - free_energy(v, *at(t[k]))
        if k < len(t) - 1:
            weight, visible, hidden_bias = at(t[k])
            h = (of_hidden[k - 1] < (v @ weight + hidden_bias).sigmoid()).to(v)
            v = (of_visible[k - 1] < (h @ weight.T + visible).sigmoid()).to(v)
    return total


def evaluate(e, data):
    x = pixels(e, data.batch())
    share = (x.sum(0) + 0.5) / (len(x) + 1)
    base = (share / (1 - share)).log()
    log_w = walks(e, base)
    log_z = float((1 + base.exp()).log().sum()) + len(e.hidden_bias) * math.log(2) + math.log(mean(log_w.exp()))
    energy, weights = mean(free_energy(x, *machine(e))), log_w.exp()
    found = {
        "negative_log_likelihood": energy + log_z,
        "free_energy": energy,
        "log_weight_deviation": math.sqrt(sum((w - mean(log_w)) ** 2 for w in log_w.tolist()) / (len(log_w) - 1)),
        "effective_fraction": mean(weights) ** 2 / mean(weights.square()),
    }
    return found | {"estimate_error": log_z - log_partition(e)}


def preview(e, data):
    filters = [column.view(e.shape) / (2 * max(map(abs, column.tolist()))) + 0.5 for column in e.weight.T[:64]]
    return {"filters": torch.stack(filters)}
