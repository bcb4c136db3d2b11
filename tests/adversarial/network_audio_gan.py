"""Mistakes planted into the networks of adversarial/audio_gan, each with the quantity in which a check finds it."""

from torch.nn import functional

from practice_torch.adversarial import audio_gan
from tests.support.planted_networks import OTHERS, mean_of_the_batch, put


def tanh_left_out(patch):
    patch.setattr(audio_gan.WaveGenerator, "forward", _without_tanh)


def _without_tanh(self, z):
    x = self.project(z).unflatten(1, self.start)
    for layer in self.layers:
        x = layer(x.relu())
    return x


MISTAKES = {
    "WaveGenerator": {
        "no tanh": (tanh_left_out, "output"),
        "the batch mixes": (mean_of_the_batch(audio_gan.WaveGenerator), OTHERS),
    },
    "WaveCritic": {
        "no phase shuffle": (put(audio_gan, "phase_shuffle", lambda x, shifts: x), "output"),
        "plain rectifiers": (put(functional, "leaky_relu", lambda x, slope: x.relu()), "output"),
        "the batch mixes": (mean_of_the_batch(audio_gan.WaveCritic), OTHERS),
    },
}
