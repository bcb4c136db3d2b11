"""Studies of a trained diffusion model beyond its metrics: samplers and guidance scales compared, DDIM as a map between
noise and data, the schedule next to others, and the levels that carry the bits of images.

`model` is the experiment of diffusion/training; each function returns an artifact, or a dict of them.
"""

import math
from dataclasses import replace

import torch

from practice_torch.diffusion.ddim_inference import ddim_invert, ddim_sample, spherical_interpolation
from practice_torch.diffusion.elbo import prior_kl
from practice_torch.diffusion.parameterizations import convert_prediction
from practice_torch.experiments.judging.image_judge import spread_within
from practice_torch.experiments.sampling.diffusion_sampling import Drawing
from practice_torch.experiments.sampling.likelihood_bound import bits_by_term
from practice_torch.pictures import diffusion as pictures

_SCHEDULES = ("linear", "cosine")


def comparisons(model, data):
    """The distance from held-out data against the steps of a sampler; and what guidance gives and takes."""
    if not model.recipe.compared_samples:
        return {}
    label = model.labels(model.recipe.compared_samples)

    def measure(**how):
        samples = model.drawn(label, Drawing(**how))
        spread = spread_within(model.medium.judged_as(samples), label)
        return model.verdict(data, samples, label) | {"spread": spread}

    counts = [count for count in (2, 5, 10, 20, 50) if count <= model.recipe.num_steps]
    distances = {
        name: [measure(sampler=name, steps=count)["frechet_distance"] for count in counts]
        for name in ("ddim", "dpm_solver", "ancestral")
    }
    figures = {"steps": pictures.few_steps(counts, distances)}
    if model.classes and model.recipe.drop_probability:
        real, real_label = model.examples(model.some(data, 2000))
        of_real = spread_within(model.medium.judged_as(real), real_label)
        scales = (0.5, 1.0, 1.5, 2.0, 3.0, 5.0)
        found = [measure(sampler="ddim", steps=model.recipe.judged_steps, guidance=scale) for scale in scales]
        accuracies, spreads, distances = (
            [point[name] for point in found] for name in ("class_accuracy", "spread", "frechet_distance")
        )
        figures["guidance"] = pictures.guidance(scales, accuracies, [spread / of_real for spread in spreads], distances)
    return figures


def emergence(model, rows=6, columns=12):
    """States along the sampling path, and the network's predictions of the data there."""
    shown = set(torch.linspace(0, model.recipe.num_steps - 1, columns).round().long().tolist())
    seen = []

    def watch(number, x, x0):
        if number in shown:
            seen.append(torch.stack([x, x0], 1))

    model.drawn_here(model.labels(rows), Drawing(), watch=watch)
    strip = torch.stack(seen, 2).flatten(0, 2)  # two rows for each example, time to the right
    caption = "From noise to data, in steps to the right; below each row the predicted data"
    return {"emergence": model.medium.in_rows(strip, len(shown), caption)}


def interpolation(model, count=6, between=9):
    """From one sample to another."""
    noise, weights = model.noise(2 * count).split(count), torch.linspace(0, 1, between, device=model.alpha_bar.device)
    arcs = spherical_interpolation(*(end.repeat_interleave(between, 0) for end in noise), weights.repeat(count))
    paths = model.drawn(model.labels(count).repeat_interleave(between), model.judged_sampling(), arcs)
    return model.medium.in_rows(paths, between, "Along arcs between two noises, for one class a row")


def inversion(model, data):
    """Held-out data, led to noise and back by DDIM."""
    x0, label = model.examples(model.some(data, 6))
    # Not to the very top: where a thousandth of the data's variance is left, an error grows thirtyfold on the way back.
    levels = (model.alpha_bar[1:] >= 1e-3).nonzero()[:, 0].flip(0) + 1
    denoise_fn = _noise_in(model, label)
    noise = ddim_invert(x0, levels, denoise_fn, model.alpha_bar)
    still = torch.zeros(len(levels), *noise.shape, device=noise.device)
    back = ddim_sample(noise, still, levels, denoise_fn, model.alpha_bar)
    error = (back - x0).square().mean().sqrt().item()
    caption = f"Held-out data, the noise by DDIM inversion, and the reconstruction: error {error:.3f} (root mean square)"
    return model.medium.in_rows(torch.stack([x0, noise, back], 1).flatten(0, 1), 3, caption)


def schedule(model, data):
    """The run's schedule next to the two that a recipe can name."""
    plain = {name: replace(model.recipe, noise_schedule=name, zero_terminal_snr=False, beta_end=0.0) for name in _SCHEDULES}
    others = {name: recipe.alpha_bar().double().numpy() for name, recipe in plain.items()}
    return pictures.schedules(model.alpha_bar.cpu().double().numpy(), others, prior_bits=prior_bits(model, data))


def prior_bits(model, data):
    """Information about held-out data in the last level: prior_kl in bits per dimension."""
    x0, _ = model.examples(model.some(data, 2000))
    return prior_kl(x0, model.alpha_bar).double().mean().item() / (x0[0].numel() * math.log(2))


def bits(model, data, variance=None):
    """Which levels carry the bits of images: the terms of the bound on -log2 p(image), given the class where there is one."""
    terms = bits_of_images(model, model.some(data, 256), variance)
    if terms is None:
        return {}
    return {"bits": pictures.bits(terms.cpu().double().numpy(), given=" given its class" if model.classes else "")}


def bits_of_images(model, batch, variance=None):
    """The terms of that bound for each image of a batch, [N, T+1] bits per dimension; None where it is not known."""
    # the terms are those of predicted noise, which does not tell the data where nothing is left of them
    if model.alpha_bar[-1] == 0 or not model.recipe.num_levels:
        return None
    last = model.recipe.num_levels - 1
    x0, label = model.examples(batch | {"image": (batch["image"] * last).round() / last})

    def denoiser(rows):
        return _noise_in(model, label if label is None else label[rows], model.medium.limit)

    return bits_by_term(
        x0, denoiser, model.alpha_bar, model.generator, variance=variance or model.recipe.step_variance, num_levels=last + 1
    )


def _noise_in(model, label, limit=None):
    """denoise_fn of the topics' functions: the noise in x, for any prediction target; of data within -limit..limit."""
    kind = model.recipe.prediction

    def denoise_fn(x, t):
        prediction = model.network(x, t, label).float()
        if limit is None:
            return convert_prediction(prediction, x, t, model.alpha_bar, source=kind, target="noise")
        x0 = convert_prediction(prediction, x, t, model.alpha_bar, source=kind, target="x0").clamp(-limit, limit)
        return convert_prediction(x0, x, t, model.alpha_bar, source="x0", target="noise")

    return denoise_fn
