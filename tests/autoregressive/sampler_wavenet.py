"""Sounds of three samples in three codes, of which there are 27: drawn as often as the network's own logits say."""

import itertools

import torch

from practice_torch.autoregressive.chain_rule import sequence_log_prob
from practice_torch.autoregressive.wavenet import mu_law_encode
from practice_torch.experiments.codes.sound_codes import SoundExperiment
from practice_torch.networks.wavenet import WaveNet
from tests.support.samplers import built, moved, require_same, require_shares

EVERY = torch.tensor(list(itertools.product((0, 1, 2), repeat=3)))


def draws_the_law_of_each_class():
    experiment = moved(built("autoregressive/wavenet", "notes", length=3, levels=3), by=0.4)
    found = experiment.sample(3000)
    assert list(found) == ["class_00", "class_01", "class_02"]
    for label, sounds in enumerate(found.values()):
        law = sequence_log_prob(EVERY, experiment.network(EVERY, torch.full((27,), label)), None).exp()
        places = (mu_law_encode(sounds.samples, num_levels=3) * torch.tensor([9, 3, 1])).sum(1)
        assert len(places) == 1000
        require_shares(places, law)


def draws_code_by_code_as_in_one_pass():
    """Each code is that of its uniform and of the logits of a pass over all codes, which sees those before it."""
    experiment = moved(built("autoregressive/wavenet", "notes", length=20, levels=8), by=0.4)
    uniforms, label = torch.rand(5, 20, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 0, 1])
    codes = experiment._codes(uniforms, label)
    shares = experiment.network(codes, label).softmax(-1).cumsum(-1)
    require_same(codes, (shares <= uniforms[..., None]).sum(-1))


def previews_each_class():
    """The classes of the held-out sounds, in their order."""
    experiment = moved(built("autoregressive/wavenet", "notes", length=3, levels=3), by=0.4)
    asked, codes = [], experiment._codes
    experiment._codes = lambda uniforms, label: asked.append(label) or codes(uniforms, label)
    experiment.preview(_Data())
    assert asked[0].tolist() == [0, 1, 2]


class _Data:
    def __len__(self):
        return 4

    def batch(self, rows=slice(None)):
        return {"audio": torch.zeros(4, 1, 3)[rows], "label": torch.tensor([2, 0, 2, 1])[rows]}


SAMPLERS = {
    draws_the_law_of_each_class: {
        "sounds of the next class": (SoundExperiment.sample, "sounds[labels == label]", "sounds[labels == (label + 1) % 3]"),
        "no class": (SoundExperiment._generate, "labels[rows].to(device)", "0 * labels[rows]"),
        "uniforms up to a half": (SoundExperiment._generate, "torch.rand(", "0.5 * torch.rand("),
    },
    draws_code_by_code_as_in_one_pass: {
        "the first code again": (WaveNet.generate, "self.embedding(codes[:, t])", "self.embedding(codes[:, 0])"),
        "no start": (WaveNet.generate, "self.silence, device", "0, device"),
    },
    previews_each_class: {
        "the order of the data": (SoundExperiment.preview, "(len(label), label)", "(len(label), label.flip(0))")
    },
}
