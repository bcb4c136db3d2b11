"""Sounds as tokens: S4D and Mamba on mu-law codes, as a recurrence and in whole passes, what is measured, and how they begin."""

import math

import pytest
import torch

from practice_torch.autoregressive.wavenet import mu_law_decode, mu_law_encode
from practice_torch.experiments.state_space import diagonal, selective
from practice_torch.networks.wavenet import WaveNet
from tests.support import tiny

LEVELS, LENGTH, WIDTH, LABEL = 16, 20, 6, torch.arange(6) % 3
OF_BOTH = pytest.mark.parametrize("topic", [diagonal, selective], ids=["S4D", "Mamba"])
OF_EVERY_KIND = pytest.mark.parametrize("conditional", [True, False], ids=["classes", "no classes"])


def experiment_of(topic, conditional=True):
    """A small one in float64, and its data: six sounds of three classes."""
    recipe = tiny.small(topic.RECIPES["notes"], width=WIDTH, length=LENGTH, levels=LEVELS, conditional=conditional)
    data = tiny.Random(recipe)
    torch.manual_seed(0)
    made = topic.build(recipe, data).double().eval()
    made.generator = torch.Generator().manual_seed(0)
    return made, data


SILENCE = torch.full((len(LABEL),), LEVELS // 2)  # the code in the middle


def condition(conditional):
    """The classes follow the codes."""
    return LEVELS + LABEL if conditional else None


@OF_BOTH
@OF_EVERY_KIND
@torch.no_grad()
def test_sounds_drawn_by_recurrence_are_those_of_whole_passes(topic, conditional):
    """Each code from a pass over all codes before it, given the class, by the cumulative probabilities of the codes alone."""
    made, _ = experiment_of(topic, conditional)
    sounds = made._generate(len(LABEL), LABEL if conditional else None)
    uniforms, tokens = torch.rand(len(LABEL), LENGTH, generator=made.generator.manual_seed(0)), SILENCE[:, None]
    for uniform in uniforms.T:
        cumulative = made.network(tokens, condition(conditional))[:, -1, :LEVELS].float().softmax(-1).cumsum(-1)
        tokens = torch.cat([tokens, (cumulative <= uniform[:, None]).sum(1, keepdim=True)], 1)
    torch.testing.assert_close(sounds, mu_law_decode(tokens[:, 1:], num_levels=LEVELS))
    assert tokens[:, 1:].unique().numel() > LEVELS // 2


@OF_BOTH
@OF_EVERY_KIND
@torch.no_grad()
def test_bits_are_those_of_the_codes_one_after_the_other(topic, conditional):
    """Of the held-out sounds by hand, from the state; 4 bits would be a uniform guess among the codes."""
    made, data = experiment_of(topic, conditional)
    codes = mu_law_encode(data.batch()["audio"][:, 0], num_levels=LEVELS)
    token, states, nats = SILENCE, made.network.start(6), 0.0
    for following in codes.T:
        logits, states = made.network.step(token, states, condition(conditional))
        nats -= logits[:, :LEVELS].log_softmax(-1).gather(1, following[:, None]).sum()
        token = following
    assert made.evaluate(data)["bits_per_sample"] == pytest.approx(nats.item() / codes.numel() / math.log(2), rel=1e-9)


@OF_BOTH
def test_codes_begin_as_those_of_a_wavenet_and_all_else_as_in_the_decoder(topic):
    made, _ = experiment_of(topic)
    torch.manual_seed(0)
    plain = topic.decoder(made.recipe, LEVELS + 3).double().state_dict()
    wavenet = WaveNet(num_levels=LEVELS, residual_channels=WIDTH, skip_channels=2, dilations=(1,))
    plain["embedding.weight"][:LEVELS] = wavenet.embedding.weight.detach()
    found = made.network.state_dict()
    assert found.keys() == plain.keys() and all(torch.equal(found[name], plain[name]) for name in plain)


@OF_BOTH
@torch.no_grad()
def test_the_class_is_added_to_the_embedding_of_every_code(topic):
    """For each sound its own class: equal to a decoder with codes shifted by the embedding of that class."""
    made, _ = experiment_of(topic)
    codes = torch.randint(LEVELS, (3, LENGTH), generator=torch.Generator().manual_seed(1))
    conditioned = made.network(codes, LEVELS + LABEL[:3])
    codes_alone = made.network.embedding.weight[:LEVELS].clone()
    for logits, row, label in zip(conditioned, codes, LABEL, strict=False):
        made.network.embedding.weight[:LEVELS] = codes_alone + made.network.embedding.weight[LEVELS + label]
        torch.testing.assert_close(made.network(row[None])[0], logits, rtol=0, atol=1e-12)
