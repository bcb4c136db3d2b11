"""Codes by a search through the book, the prior's bits code by code, spectra and pitches by NumPy."""

import math
from collections import Counter

import numpy as np
import torch

from tests.autoregressive.objective_wavenet import other_takes
from tests.latent.objective_vector_quantization import of_spectra
from tests.support.metrics import mean

COUNT = 8
NAMES = ("digits", "cifar10", "notes", "speech_commands")


def medium(batch):
    return batch["image" if "image" in batch else "audio"]


def codes_of(e, x):
    """The nearest entry of the book at every place, [B, T], and the encodings, [B, T, D]."""
    z = e.encoder(x).flatten(2).transpose(1, 2)
    distances = [[(row - each).square().sum() for row in e.codebook] for each in z.flatten(0, 1)]
    return torch.tensor(distances).argmin(1).view(z.shape[:2]), z


def decoded(e, codes):
    return e.decoder(e.codebook[codes].transpose(1, 2).unflatten(2, e.grid))


def evaluate(e, data):
    batch = data.batch()
    x = medium(batch)
    codes, _ = codes_of(e, x)
    shares = [count / codes.numel() for count in Counter(codes.flatten().tolist()).values()]
    bits = -sum(share * math.log2(share) for share in shares)
    deviations = [(one - x.mean(0)).square().sum() for one in x]
    again = decoded(e, codes)
    found = {
        "squared_error": mean([(one - other).square().sum() for one, other in zip(x, again, strict=True)]),
        "squared_error_mean": mean(deviations),
        "perplexity": 2**bits,
        "unigram_bits": bits,
        "prior_bits": mean([prior_bits(e, row, label) for row, label in zip(codes, labels(e, batch), strict=True)]),
    }
    if "image" in batch:
        error_of_a_pixel = found["squared_error"] / math.prod(e.shape)
        found["peak_signal_to_noise"] = -20 * math.log10(math.sqrt(error_of_a_pixel))
        if e.recipe.num_levels:
            found["bits_per_dimension"] = bits_of_pixels(e, x, again) + codes[0].numel() * found["prior_bits"] / x[0].numel()
        return found
    found["spectral_error"] = mean([spectral_error(a, b) for a, b in zip(again[:, 0], x[:, 0], strict=True)])
    if e.frequencies:
        asked = [k for k in range(len(e.classes)) for _ in range(40)]
        drawn = e._drawn(torch.tensor(asked))  # noqa: SLF001 - the sampler has its own tests
        heard = [pitch(sound, e.recipe.sample_rate) for sound in drawn.numpy()]
        real = [pitch(sound, e.recipe.sample_rate) for sound in x[:, 0].numpy()]
        found["within_semitone"] = mean([near(h, e.frequencies[k]) for h, k in zip(heard, asked, strict=True)])
        found["within_semitone_real"] = mean([near(h, e.frequencies[k]) for h, k in zip(real, batch["label"], strict=True)])
        by_note = [min(range(len(e.frequencies)), key=lambda k: abs(math.log(h / e.frequencies[k]))) for h in heard]  # noqa: B023
        found["pitch_accuracy"] = mean([note == k for note, k in zip(by_note, asked, strict=True)])
    return found


def bits_of_pixels(e, x, again):
    """-log2 of the density of every pixel's level under the Gaussian around its reconstruction, by Simpson's rule."""
    away = (e.recipe.num_levels - 1) * (x - again).double()
    deviation = float(torch.stack([(away + u).square() for u in (-0.5, 0.0, 0.0, 0.0, 0.0, 0.5)]).mean()) ** 0.5
    law = torch.distributions.Normal(0.0, deviation)
    return -float(sum(w * law.log_prob(away + u).mean() for w, u in ((1, -0.5), (4, 0.0), (1, 0.5)))) / 6 / math.log(2)


def labels(e, batch):
    return batch["label"].tolist() if e.conditional else [0] * len(medium(batch))


def prior_bits(e, codes, label):
    """Of one example: -log2 p of each of its codes given those before it, averaged."""
    nats = []
    for place in range(len(codes)):
        before = torch.cat([torch.tensor([e.recipe.codes + label]), codes[:place]])
        logits = e.prior(before[None])[0, -1, : e.recipe.codes]
        nats.append(logits.logsumexp(0) - logits[codes[place]])
    return mean(nats) / math.log(2)


def spectral_error(sound, other):
    return sum(of_spectra(sound[None], other[None], size)[0] for size in (64, 128, 256, 512)) / 4


def pitch(sound, rate):
    """Hertz of the strongest of the sinusoids that end where the sound ends, by their scalar products with it."""
    time = np.arange(len(sound)) / len(sound)
    cycles = range(1, len(sound) // 2 + 1)
    strength = [abs(np.sum(sound * np.exp(-2j * np.pi * k * time))) for k in cycles]
    return cycles[int(np.argmax(strength))] * rate / len(sound)


def near(heard, frequency):
    return abs(12 * math.log2(heard / frequency)) <= 1


def logs(e, batch, phase):
    """The error of the batch; the perplexity of the moving averages of how often each code is used, behind this batch."""
    if phase == "prior":
        return {}
    x = batch["image"] if "image" in batch else other_takes(e, batch["audio"])
    codes, _ = codes_of(e, x)
    again, kept = decoded(e, codes), e.recipe.decay
    counts = [kept * old + (1 - kept) * int((codes == k).sum()) for k, old in enumerate(e.counts.tolist())]
    counts = [1.0 if count < e.recipe.restart_below else count for count in counts]
    shares = [count / sum(counts) for count in counts]
    return {
        "squared_error": mean([(one - other).square().sum() for one, other in zip(x, again, strict=True)]),
        "perplexity": math.prod(share**-share for share in shares),
    }


def preview(e, data):
    if e.medium == "image":
        x = data.batch()["image"]
        codes, _ = codes_of(e, x)
        pairs = torch.stack([image.clamp(0, 1) for pair in zip(x, decoded(e, codes), strict=True) for image in pair])
        return {"reconstructions": pairs, "usage": usage(e, codes)}
    one_of_each = [data.batch()["label"].tolist().index(k) for k in range(len(e.classes))]
    sounds = data.batch(torch.tensor(one_of_each))["audio"]
    again = decoded(e, codes_of(e, sounds)[0])
    drawn = {"usage": usage(e, codes_of(e, data.batch()["audio"])[0])}
    return drawn | {"held_out": sounds[:, 0], "reconstructions": again[:, 0]}


def usage(e, codes):
    shares = sorted((float((codes == k).sum()) / codes.numel() for k in range(e.recipe.codes)), reverse=True)
    return [("bar", range(e.recipe.codes), shares), ("axhline", 1 / e.recipe.codes)]


SLIPS = {
    "the noise ratio upside down": (
        "latent/vector_quantization",
        "ImageQuantization.evaluate",
        "10 * math.log10(pixels / error)  ->  /",
    )
}
