"""Codes of sounds: the cost of each sound by itself, the best unigram code by counting, pitches by scalar products."""

import math
from collections import Counter

import numpy as np
import torch

from tests.autoregressive.objective_wavenet import other_takes
from tests.latent.metrics_vector_quantization import pitch
from tests.support.metrics import mean

TOLERANCE = 1e-5  # logits are cast to float32


def encoded(e, sounds):
    """sign(x) log(1 + mu |x|) / log(1 + mu), from -1..1 to the levels 0..mu."""
    mu = e.recipe.levels - 1
    bent = sounds.sign() * (1 + mu * sounds.abs()).log() / math.log(1 + mu)
    return ((bent + 1) / 2 * mu + 0.5).floor().long().clamp(0, mu)


def decoded(e, codes):
    mu = e.recipe.levels - 1
    bent = 2 * codes / mu - 1
    return bent.sign() * ((1 + mu) ** bent.abs() - 1) / mu


def costs(e, codes, batch):
    """Nats of each sound."""
    labels = [batch["label"][k : k + 1] if e.classes else None for k in range(len(codes))]
    laws = [torch.distributions.Categorical(logits=logits(e, codes[k : k + 1], labels[k])[0]) for k in range(len(codes))]
    return [-float(law.log_prob(row).sum()) for law, row in zip(laws, codes, strict=True)]


def logits(e, codes, label):
    return e.network(codes, label)


def logs(e, batch, phase, cost=costs):
    codes = encoded(e, other_takes(e, batch["audio"])[:, 0])
    return {"bits_per_sample": mean(cost(e, codes, batch)) / codes.shape[1] / math.log(2)}


def evaluate(e, data, cost=costs):
    batch = data.batch()
    codes = encoded(e, batch["audio"][:, 0])
    shares = [count / codes.numel() for count in Counter(codes.flatten().tolist()).values()]
    found = {
        "bits_per_sample": mean(cost(e, codes, batch)) / codes.shape[1] / math.log(2),
        "unigram_bits": -sum(share * math.log2(share) for share in shares),
    }
    if e.classes and e.frequencies:
        asked = torch.arange(len(e.classes)).repeat_interleave(8)
        uniforms = torch.rand(len(asked), e.recipe.length, generator=e.generator)
        drawn = decoded(e, e._codes(uniforms, asked)).double().numpy()  # noqa: SLF001 - the sampler has its own tests
        heard = [math.log(pitch(sound, e.recipe.sample_rate)) for sound in drawn]
        notes = [int(np.argmin([abs(h - math.log(f)) for f in e.frequencies])) for h in heard]
        found["pitch_accuracy"] = mean([note == k for note, k in zip(notes, asked.tolist(), strict=True)])
    return found


def preview(e, data):
    batch = data.batch()
    if not e.classes:
        return {"held_out": batch["audio"][:16, 0]}
    return {"held_out": torch.stack([batch["audio"][batch["label"].tolist().index(k), 0] for k in range(len(e.classes))])}
