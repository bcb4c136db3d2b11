"""Gaussians fitted under every divergence: the least divergences by a search with SciPy, densities by torch.distributions."""

import math

import torch
from scipy.optimize import minimize

from practice_torch.experiments.foundations.f_divergence import ROWS
from practice_torch.foundations.f_divergence import f_divergence, f_generator
from practice_torch.foundations.fenchel_conjugate import fenchel_conjugate
from tests.support.metrics import mean


def title(row):
    return row[0] if row[1] is None else f"alpha_{row[1]:g}"


def values(e, row, center, log_std):
    """D_f(p || q) of Gaussians on the cells, [...]."""
    center, log_std = torch.as_tensor(center)[..., None], torch.as_tensor(log_std)[..., None]
    log_q = torch.distributions.Normal(center, log_std.exp()).log_prob(e.cells)
    log_q = (log_q - log_q.logsumexp(-1, keepdim=True)).view(-1, len(e.cells))
    mixture = torch.distributions.MixtureSameFamily(*_mixture())
    log_p = mixture.log_prob(e.cells).log_softmax(0).expand_as(log_q)
    return f_divergence(log_p, log_q, divergence=row[0], alpha=row[1])


def _mixture():
    from practice_torch.data.points import MIXTURES

    bimodal = MIXTURES["bimodal"]
    weights, means, stds = (torch.tensor(part) for part in (bimodal.weights, bimodal.means, bimodal.stds))
    return torch.distributions.Categorical(weights), torch.distributions.Normal(means[:, 0], stds)


def least(e, row):
    """The least divergence of a Gaussian, from the best point of a grid on."""
    grid = torch.cartesian_prod(torch.linspace(-4, 4, 33), torch.linspace(-1.5, 1.5, 25))
    start = grid[values(e, row, *grid.T).nan_to_num(nan=math.inf).argmin()]
    how = {"method": "Nelder-Mead", "options": {"xatol": 1e-5, "fatol": 1e-11}}
    return minimize(lambda at: float(values(e, row, *torch.as_tensor(at))), start.numpy(), **how).fun


def logs(e, batch, phase):
    return {title(row): values(e, row, e.mean[k], e.log_std[k])[0] - _at_one(row) for k, row in enumerate(ROWS)}


def _at_one(row):
    return f_generator(torch.zeros(1), divergence=row[0], alpha=row[1])[0]


def evaluate(e, data):
    found, excesses = {}, []
    for k, row in enumerate(ROWS):
        fit = torch.distributions.Normal(e.mean[k], e.log_std[k].exp())
        found |= {f"mean_{title(row)}": e.mean[k], f"std_{title(row)}": fit.stddev}
        found[f"nats_{title(row)}"] = -mean(fit.log_prob(data.batch()["point"][:, 0]))
        smallest = least(e, row)
        excesses.append(float(values(e, row, e.mean[k], e.log_std[k]) - smallest) / float(smallest - _at_one(row)))
    return found | {"excess": max(excesses)}


def preview(e, data):
    x, width = e.cells, float(e.cells[1] - e.cells[0])
    by_width = sorted(range(len(ROWS)), key=lambda k: -float(e.log_std[k]))
    curves = [torch.distributions.Normal(e.mean[k], e.log_std[k].exp()).log_prob(x).softmax(0) / width for k in by_width]
    named = [{"label": title(ROWS[k]).replace("_", " ")} for k in by_width]
    p = torch.distributions.MixtureSameFamily(*_mixture()).log_prob(x).softmax(0) / width
    u, t = torch.linspace(-6, math.log(4), 600).exp(), torch.linspace(-3, 3, 241, dtype=torch.float64)
    generators = [("plot", u, f_generator(u.log(), divergence=d, alpha=a)) for d, a in ROWS]
    return {
        "fits": [("fill_between", x, p), *(("plot", x, curve, name) for curve, name in zip(curves, named, strict=True))],
        "generators": generators,
        "conjugates": [("plot", t, fenchel_conjugate(t, divergence=d, alpha=a)) for d, a in ROWS],
    }
