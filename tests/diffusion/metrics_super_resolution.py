"""Samples by the chain written out level by level, and their errors image by image."""

import math

import torch

from tests.support.metrics import mean, noise


def pooled(x0, f):
    """Blocks' means, one after another."""
    rows, columns = (side // f for side in x0.shape[2:])
    blocks = [x0[..., f * i : f * i + f, f * j : f * j + f].mean((2, 3)) for i in range(rows) for j in range(columns)]
    return torch.stack(blocks, -1).unflatten(-1, (rows, columns))


def enlarged(small, f):
    return torch.kron(small, torch.ones(f, f))


def chain_of(e, predict, x):
    """x at the last level carried to the data in the steps of an evaluation; the shorter chain's larger variance."""
    last, count = e.recipe.num_steps, e.recipe.judged_steps
    levels = [round(last - k * last / count) for k in range(count)] + [0]
    for now, after in zip(levels, levels[1:], strict=False):
        a, b = float(e.alpha_bar[now]), float(e.alpha_bar[after])
        answer = predict(x, torch.full((len(x),), now))
        data = (math.sqrt(a) * x - math.sqrt(1 - a) * answer).clamp(-1, 1)
        beta = 1 - a / b
        x = (math.sqrt(b) * beta * data + math.sqrt(a / b) * (1 - b) * x) / (1 - a)
        x = x + math.sqrt(beta) * noise(e, *x.shape) if after else data
    return x


def drawn(e, small):
    seen = enlarged(small, e.recipe.factor)
    return chain_of(e, lambda x, t: e.network(torch.cat([x, seen], 1), t), noise(e, len(small), *e.shape))


def several(e, data, most):
    x0 = 2 * data.batch(torch.arange(min(len(data), most)))["image"] - 1
    small = pooled(x0, e.recipe.factor)
    return x0, small, [drawn(e, small) for _ in range(e.recipe.draws)]


def distance(x, y):
    return math.sqrt(float((x - y).double().square().sum()))


def psnr(images, others):
    return -10 * math.log10(mean((images - others).flatten().double().square()) / 4)


def evaluate(e, data):
    x0, small, images = several(e, data, e.recipe.measured_images)
    triples = list(zip(*images[:2], x0, strict=True))
    score = mean([(distance(x, z) + distance(y, z) - distance(x, y)) / 2 for x, y, z in triples])
    large = enlarged(small, e.recipe.factor)
    missed = (pooled(images[0], e.recipe.factor) - small).square()
    return {
        "relative_score": score / mean([distance(x, y) for x, y in zip(large, x0, strict=True)]),
        "consistency": mean(missed.flatten()),
        "sample_psnr": psnr(torch.cat(images), torch.cat([x0] * len(images))),
        "mean_psnr": psnr(sum(images) / len(images), x0),
        "enlarged_psnr": psnr(large, x0),
    }


def preview(e, data):
    x0, small, images = several(e, data, 16)
    columns = [enlarged(small, e.recipe.factor), *images[:2], sum(images) / len(images), x0]
    return {"enlarged": torch.stack([(column[k] + 1) / 2 for k in range(len(x0)) for column in columns])}
