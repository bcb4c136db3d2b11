"""The objective of the experiment diffusion/audio_diffusion, by functions with contracts."""

import math

import torch

from practice_torch.diffusion.simple_loss import squared_error
from practice_torch.diffusion.training import timesteps_from_uniforms
from practice_torch.experiments.diffusion import audio_diffusion as experiment
from tests.support.objectives import Mistake, Objective, normal, uniform


def spectrogram(e, sounds):
    """[B, 1, T] -> [B, M, F], frame by frame: 1 where a band has the power 1, and 0 at a millionth of that."""
    window, hop = e.recipe.window, math.prod(e.recipe.strides)
    side, hann = (window - hop) // 2, torch.hann_window(window, device=sounds.device)
    silence = torch.zeros(len(sounds), side, device=sounds.device)
    wave, frames = torch.cat([silence, sounds[:, 0], silence], 1), []
    for begin in range(0, e.recipe.length, hop):
        power = torch.fft.rfft(wave[:, begin : begin + window] * hann / hann.sum()).abs().square()
        frames.append((power @ e.filters.T + 1e-6).log10())
    return 1 + torch.stack(frames, 2) / 6


def noise_at_any_level(e, batch, phase):
    """The squared error of the noise, the level uniform between two neighbors of the schedule."""
    x0 = e.recipe.gain * batch["audio"]
    of_step, of_level = uniform(e, 2, len(x0))
    t = timesteps_from_uniforms(of_step, num_steps=e.recipe.num_steps)
    roots = e.alpha_bar.sqrt()
    level, noise = (1 - of_level) * roots[t] + of_level * roots[t - 1], normal(e, *x0.shape)
    x = level[:, None, None] * x0 + (1 - level**2).sqrt()[:, None, None] * noise
    answer = e.network(x, level, spectrogram(e, batch["audio"]))
    return squared_error(answer, noise).mean() / x0[0].numel()


MISTAKES = {
    "the levels of the schedule alone": Mistake(experiment, "sample_noise_level", lambda u, t, alpha_bar: alpha_bar[t].sqrt()),
    "uniform in the square of the level": Mistake(
        experiment, "sample_noise_level", lambda u, t, alpha_bar: torch.lerp(alpha_bar[t], alpha_bar[t - 1], u).sqrt()
    ),
    "the data for the noise": Mistake(experiment, "noise_at_level", lambda x0, noise, level: x0),
}
OBJECTIVE = Objective(
    noise_at_any_level, unread={"quick_steps", "measured_sounds"}, sizes=dict(strides=(2, 2), cycle=2), mistakes=MISTAKES
)
