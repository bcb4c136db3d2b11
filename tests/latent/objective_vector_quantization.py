"""The objective of the experiment latent/vector_quantization, by functions with contracts."""

import math

import torch

from practice_torch.foundations.maximum_likelihood import categorical_negative_log_likelihood
from practice_torch.latent.vector_quantization import nearest_code, vector_quantization_loss
from tests.autoregressive.objective_wavenet import other_takes
from tests.support.objectives import Objective


def quantized_autoencoder(e, batch, phase):
    """The squared error of what is decoded from the nearest codes, and the commitment; or -log p of the codes, one by one.

    Of sounds the error of magnitudes is added, averaged over four windows, and lists begin with a class.
    """
    sounds, recipe = "audio" in batch, e.recipe
    x = other_takes(e, batch["audio"]) if sounds else batch["image"]
    z = e.encoder(x).movedim(1, -1)
    codes = nearest_code(z.flatten(0, -2), e.codebook)
    if phase == "prior":
        lists = codes.view(len(x), -1)
        begin = recipe.codes + (batch["label"] if sounds else torch.zeros_like(lists[:, 0]))
        before = torch.cat([begin[:, None], lists[:, :-1]], 1)
        return categorical_negative_log_likelihood(codes, e.prior(before)[..., : recipe.codes].flatten(0, 1)).mean()
    quantized = e.codebook[codes].view_as(z)
    through = z + (quantized - z).detach()
    y = e.decoder(through.movedim(-1, 1))
    error = (y - x).square().flatten(1).sum(1)
    if sounds:
        error = error + recipe.spectral_weight * sum(of_spectra(x[:, 0], y[:, 0], n) for n in (64, 128, 256, 512)) / 4
    kept = vector_quantization_loss(z.flatten(0, -2), quantized.flatten(0, -2), commitment=recipe.commitment)
    return (error + kept.view(len(x), -1).sum(1)).mean()


def of_spectra(x, y, n):
    """The squared error of magnitudes at all frequencies of frames n/4 apart, by the squares of the windows at every sample."""
    window = torch.sin(math.pi * torch.arange(n) / n) ** 2
    of_x, of_y = (torch.fft.fft(torch.nn.functional.pad(sound, (n, n)).unfold(1, n, n // 4) * window).abs() for sound in (x, y))
    return (of_x - of_y).square().sum((1, 2)) / (n * window.square().sum() / (n / 4))


# where codes begin anew below 50, all do in every step; of an untrained decoder with 8 hidden channels all pixels are negative
OBJECTIVE = Objective(
    quantized_autoencoder,
    together=[dict(restart_below=50.0)],
    unread={"num_levels"},
    sizes=dict(code_dim=4, codes_at_cell=2, hidden=9, length=32, prior_heads=2, prior_layers=1, prior_width=8, strides=(4, 2)),
)
