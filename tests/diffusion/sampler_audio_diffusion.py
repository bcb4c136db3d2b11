"""With the exact noise of independent samples: what is drawn has their law; and each sound is that of its own spectrogram."""

import torch

from practice_torch.experiments.diffusion.audio_diffusion import VocoderExperiment
from tests.diffusion.metrics_audio_diffusion import quick_levels, vocoded
from tests.support.known_laws import LOPSIDED, prediction
from tests.support.samplers import Network, built, moved, require_law, require_same
from tests.support.written_chains import rough


def draws_the_law_of_the_data():
    """Many short steps of a schedule that ends in noise."""
    experiment = built("diffusion/audio_diffusion", num_steps=400, beta_end=0.05, gain=1.0)
    experiment.network = Network(lambda x, level, heard: prediction(LOPSIDED, x.double(), level.double() ** 2, "noise").float())
    require_law(experiment.sample(400)["vocoded"].samples, LOPSIDED.cdf)


def draws_for_each_spectrogram():
    """The network knows the spectrogram, whose mean is the sound; quick or not, with a gain of 4."""
    experiment = built("diffusion/audio_diffusion", num_steps=8)
    experiment.kept.copy_(torch.linspace(-0.9, 0.9, 16)[:, None, None].expand_as(experiment.kept))

    def known(x, level, heard):
        level = level[:, None, None]
        return (x - level * 4 * heard.mean((1, 2))[:, None, None]) / (1 - level**2).sqrt()

    experiment.network = Network(known)
    wanted = torch.linspace(-0.9, 0.9, 16).repeat(2)[:20, None].expand(20, experiment.recipe.length)
    for sounds in experiment.sample(20).values():
        require_same(sounds.samples, wanted)


def draws_by_the_chain():
    experiment = moved(built("diffusion/audio_diffusion", num_steps=5))
    experiment.kept.uniform_(generator=torch.Generator().manual_seed(1))
    experiment.network = Network(lambda x, level, heard: rough(x + heard.mean((1, 2))[:, None, None], 10 * level))
    experiment.generator.manual_seed(4)
    drawn = experiment.sample(3)
    experiment.generator.manual_seed(4)
    for name, levels in (("vocoded", experiment.alpha_bar.tolist()), ("quick", quick_levels(experiment))):
        require_same(drawn[name].samples, vocoded(experiment, experiment.kept[:3], levels)[:, 0])


SAMPLERS = {
    draws_the_law_of_the_data: {
        "told the square of the level": (VocoderExperiment._vocoded, "alpha_bar[t].sqrt()", "alpha_bar[t]"),
        "one noise for all steps": (VocoderExperiment._vocoded, "noises[1:]", "noises[:1].expand_as(noises[1:])"),
        "the large variance without noise": (VocoderExperiment._vocoded, "noises[1:]", "0 * noises[1:]"),
    },
    draws_for_each_spectrogram: {
        "the first spectrogram for all": (VocoderExperiment.sample, "torch.arange(count) % _KEPT", "torch.zeros(count).long()"),
        "louder by the gain": (VocoderExperiment._vocoded, "sounds / self.recipe.gain", "sounds"),
    },
    draws_by_the_chain: {
        "the large variance": (VocoderExperiment._vocoded, '"small"', '"large"'),
        "without clipping": (VocoderExperiment._vocoded, "clip=self.recipe.gain", "clip=None"),
        "quick in all steps": (VocoderExperiment._both, "self.quick", "self.alpha_bar"),
    },
}
