"""Texts, sounds and images drawn from a state: texts of a known law, and the others as the logits of a whole pass say."""

import itertools

import torch

from practice_torch.autoregressive.chain_rule import sequence_log_prob
from practice_torch.autoregressive.wavenet import mu_law_encode
from practice_torch.experiments.codes.pixel_sequences import StatePixels
from practice_torch.experiments.codes.sound_codes import SoundExperiment, StateSoundExperiment
from practice_torch.experiments.language import generation
from practice_torch.experiments.language.byte_language import ByteLanguageModel
from practice_torch.state_space.diagonal import S4DDecoder
from tests.autoregressive.sampler_transformer import require_pixels
from tests.support.known_texts import Letters, require_texts
from tests.support.samplers import built, moved, require_same, require_shares

EVERY = torch.tensor(list(itertools.product((0, 1, 2), repeat=3)))


def draws_the_law_of_the_letters():
    experiment = built("state_space/diagonal", "pydoc", context=12)
    experiment.network = Letters()
    texts = experiment.sample(50)["text"].text.split("\n\n")
    assert {len(text) for text in texts} == {48}
    require_texts(texts, experiment.network.table)


def draws_from_the_state_as_from_the_past():
    """Of S4D itself: each byte is that of the uniform and of the logits of a pass over all bytes before it."""
    experiment = moved(built("state_space/diagonal", "pydoc"), by=0.3)
    uniforms = torch.rand(4, 9, generator=torch.Generator().manual_seed(0))
    drawn = generation.generate_from_state(experiment.network, torch.full((4,), 10), uniforms, kinds=200)
    read = torch.cat([torch.full((4, 1), 10), drawn], 1)[:, :-1]
    shares = experiment.network(read)[..., :200].softmax(-1).cumsum(-1)
    require_same(drawn, (shares <= uniforms[..., None]).sum(-1))


def draws_sounds_of_each_class():
    """Sounds of three samples in three codes, of which there are 27."""
    experiment = moved(built("state_space/diagonal", "notes", length=3, levels=3), by=0.4)
    for label, sounds in enumerate(experiment.sample(3000).values()):
        law = sequence_log_prob(EVERY, experiment._logits(EVERY, torch.full((27,), label)), None).exp()
        require_shares((mu_law_encode(sounds.samples, num_levels=3) * torch.tensor([9, 3, 1])).sum(1), law)


def draws_pixels_of_each_class():
    """The class begins the sequence, and is its condition."""
    require_pixels("state_space/diagonal", lambda e, tokens: e.network(tokens, tokens[:, 0]))


SAMPLERS = {
    draws_the_law_of_the_letters: {
        "as long as a window": (ByteLanguageModel.sample, "_LONGER * self", "1 * self"),
        "the first state in every step": (generation.generate_from_state, "logits, states = network", "logits, _ = network"),
    },
    draws_from_the_state_as_from_the_past: {
        "a state that forgets": (S4DDecoder.step, "zip(self.blocks, states, ", "zip(self.blocks, self.start(len(tokens)), ")
    },
    draws_sounds_of_each_class: {
        "another beginning": (StateSoundExperiment._codes, "self._silence, dtype", "0, dtype"),
        "no class": (StateSoundExperiment._codes, "self._condition(label)", "self._condition(0 * label)"),
        "sounds of the next class": (SoundExperiment.sample, "sounds[labels == label]", "sounds[labels == (label + 1) % 3]"),
    },
    draws_pixels_of_each_class: {
        "no condition": (StatePixels._continued, "condition=first", "condition=None"),
        "nothing given": (StatePixels._continued, "given=begun", "given=None"),
        "one token of the given too few": (generation.generate_from_state, "if place < len(known)", "if place + 1 < len(known)"),
    },
}
