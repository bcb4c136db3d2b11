"""Sounds of a generator that shows its noise have the noise's law."""

import torch

from practice_torch.experiments.adversarial.audio_gan import WaveGan
from practice_torch.experiments.adversarial.gradient_penalty import Wgan
from tests.support.samplers import Network, built, normal_cdf, require_law, require_same


def draws_sounds_of_normal_noise():
    experiment = built("adversarial/audio_gan", "notes", noise=16, length=16)
    experiment.generator_network = Network(lambda noise: torch.tanh(noise)[:, None])
    sounds = experiment.sample(60)["sounds"].samples
    require_law(torch.atanh(sounds.double()), normal_cdf(0.0, 1.0))


def previews_real_sounds_as_they_are():
    experiment = built("adversarial/audio_gan", "notes", noise=16, length=16)
    experiment.generator_network = Network(lambda noise: torch.tanh(noise)[:, None])
    found = experiment.preview(_Data())
    require_same(found["held_out"].samples, _Data.sounds[:, 0])
    require_law(torch.atanh(found["sounds"].samples.double()), normal_cdf(0.0, 1.0))


class _Data:
    sounds = torch.linspace(-1, 1, 96).view(6, 1, 16)

    def __len__(self):
        return 6

    def batch(self, rows):
        return {"audio": self.sounds[rows]}


SAMPLERS = {
    draws_sounds_of_normal_noise: {
        "uniform noise": (Wgan._fakes, "torch.randn(", "torch.rand("),
        "half as loud": (WaveGan._played, "x[:, 0]", "0.5 * x[:, 0]"),
    },
    previews_real_sounds_as_they_are: {
        "fakes for real sounds": (WaveGan.preview, "self._played(real,", "self._played(self._drawn(6),")
    },
}
