"""Speculative decoding and its texts compared with enumeration, SciPy and simulations."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from scipy.stats import chisquare

from practice_torch.autoregressive import speculative as practice
from practice_torch.experiments.autoregressive.speculative import RECIPES, SpeculativeDecoding
from practice_torch.experiments.language.generation import generate_speculatively
from practice_torch.networks.decoder_transformer import DecoderTransformer
from tests.support import tiny

rng = np.random.default_rng(48)


def laws(*shape):
    return torch.tensor(rng.dirichlet(np.ones(shape[-1]), size=shape[:-1]))


def test_no_coupling_agrees_more_often():
    """The linear program over all joint laws of draft and emitted token."""
    q, p = laws(2, 4)
    rows = np.zeros((8, 16))
    for k in range(4):
        rows[k, 4 * k : 4 * k + 4], rows[4 + k, k::4] = 1, 1
    best = linprog(-np.eye(4).ravel(), A_eq=rows, b_eq=np.concatenate([p, q]), bounds=(0, 1))
    np.testing.assert_allclose(practice.acceptance_probability(q.log()[None], p.log()[None]), -best.fun, rtol=1e-9)


def test_blocks_of_three_have_the_targets_law():
    """Three tokens, all 27 drafts: the law of what a block writes, completed by the target, is the target's joint law."""
    draft, target = laws(40, 3), laws(40, 3)
    places = {text: index for index, text in enumerate(t for n in range(4) for t in product(range(3), repeat=n))}
    found = torch.zeros(3, 3, 3, 3, dtype=torch.float64)
    for text in product(range(3), repeat=3):
        q = torch.stack([draft[places[text[:k]]] for k in range(3)])
        p = torch.stack([target[places[text[:k]]] for k in range(4)])
        drawn = np.prod([float(q[k, text[k]]) for k in range(3)])
        chances = [min(1.0, float(p[k, text[k]] / q[k, text[k]])) for k in range(3)]
        for accepted in range(4):
            chance = np.prod(chances[:accepted]) * (1 - chances[accepted] if accepted < 3 else 1)
            if chance == 0:
                continue
            last = practice.residual_log_probs(q.log(), p[:3].log()).exp()[accepted] if accepted < 3 else p[3]
            middles = last.cumsum(0) - last / 2
            some = last > 0
            count = int(some.sum())
            tokens, counts = practice.speculative_block(
                torch.tensor([text] * count),
                q.log().expand(count, 3, 3),
                p.log().expand(count, 4, 3),
                torch.tensor([[0.0] * accepted + [1.0] * (3 - accepted)] * count, dtype=torch.float64),
                middles[some],
            )
            assert counts.tolist() == [accepted] * count
            for row, weight in zip(tokens.tolist(), last[some].tolist(), strict=True):
                written = tuple(token for token in row if token >= 0)
                for rest in product(range(3), repeat=4 - len(written)):
                    whole = written + rest
                    more = np.prod([float(target[places[whole[:k]], whole[k]]) for k in range(len(written), 4)])
                    found[whole] += drawn * chance * weight * more
    wanted = torch.tensor(
        [np.prod([float(target[places[text[:k]], text[k]]) for k in range(4)]) for text in product(range(3), repeat=4)]
    ).view(3, 3, 3, 3)
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-14)


def test_drawn_tokens_have_the_targets_law():
    """A chi-square test of 40,000 tokens at a fixed seed."""
    generator = torch.Generator().manual_seed(0)
    q, p = laws(2, 6)
    count = 40_000
    drafts = torch.multinomial(q, count, replacement=True, generator=generator)
    uniforms = torch.rand(2, count, generator=generator, dtype=torch.float64)
    tokens, accepted = practice.speculative_token(drafts, q.log().expand(count, 6), p.log().expand(count, 6), *uniforms)
    seen = np.bincount(tokens, minlength=6)
    assert chisquare(seen, count * p.numpy()).pvalue > 1e-3
    assert chisquare(seen, count * q.numpy()).pvalue < 1e-9
    share = float(practice.acceptance_probability(q.log()[None], p.log()[None]))
    assert abs(accepted.double().mean() - share) < 5 * (share * (1 - share) / count) ** 0.5


def test_the_length_of_blocks_is_that_of_independent_acceptances():
    """Every pattern of acceptances of five drafts."""
    for chance in (0.0, 0.3, 0.8, 1.0):
        mean = 0.0
        for pattern in product((0, 1), repeat=5):
            first = pattern.index(0) if 0 in pattern else 5
            mean += (first + 1) * np.prod([chance if bit else 1 - chance for bit in pattern])
        found = practice.expected_block_length(torch.tensor(chance, dtype=torch.float64), draft_length=5)
        np.testing.assert_allclose(found, mean, rtol=1e-12)


def decoders(kinds, context):
    """A target and a draft with very different distributions."""
    torch.manual_seed(0)
    made = [DecoderTransformer(vocabulary_size=kinds, context_length=context, width=8, layers=k, heads=2) for k in (2, 1)]
    for parameter in (parameter for network in made for parameter in network.parameters()):
        parameter.data = parameter.data.double() + 0.5 * torch.randn(parameter.shape, dtype=torch.float64)
    return [network.eval() for network in made]


def test_drawn_texts_have_the_targets_law():
    """A chi-square test of texts of three tokens, each drawn in one block or several."""
    (target, draft), generator = decoders(2, 4), torch.Generator().manual_seed(1)
    start, texts = torch.zeros(1, 1, dtype=torch.int64), torch.tensor(list(product(range(2), repeat=3)))
    rows = torch.cat([start.expand(8, 1), texts], dim=1)
    with torch.no_grad():
        p, q = ((net(rows[:, :-1]).log_softmax(-1).gather(-1, texts[..., None]).sum((1, 2))).exp() for net in (target, draft))
    count, seen, rejected = 200, torch.zeros(8), 0
    for _ in range(count):
        written, blocks = generate_speculatively(target, draft, start, 3, drafts=2, generator=generator)
        seen += (rows == written).all(1)
        rejected += sum(accepted < drafted for drafted, accepted in blocks)
    assert count / 5 < rejected and seen.sum() == count
    assert chisquare(seen.numpy(), count * p.numpy()).pvalue > 1e-3
    assert chisquare(seen.numpy(), count * q.numpy()).pvalue < 1e-9


class Witness:
    """A network that compares each of its steps with the logits of the whole text without a cache, and keeps the texts."""

    def __init__(self, network):
        self.network, self.empty_cache = network, network.empty_cache
        self.row, self.texts = torch.empty(1, 0, dtype=torch.int64), []

    def step_each(self, tokens, cache, position):
        self.row = torch.cat([self.row[:, :position], tokens], dim=1)
        self.texts.append(self.row)
        logits = self.network.step_each(tokens, cache, position)
        torch.testing.assert_close(logits, self.network(self.row)[:, position:], rtol=1e-10, atol=1e-11)
        return logits

    def step(self, tokens, cache, position):
        return self.step_each(tokens, cache, position)[:, -1]


@pytest.mark.parametrize("drafts", [1, 3, 20])
def test_what_is_rejected_is_taken_back(drafts):
    """Both networks have read what was written, up to the whole context, and the drafts of the block alone."""
    target, draft = map(Witness, decoders(5, 12))
    start, generator = torch.tensor([[4, 1]], dtype=torch.uint8), torch.Generator().manual_seed(2)
    written, blocks = generate_speculatively(target, draft, start, 11, drafts=drafts, generator=generator)
    assert written.shape == (1, 13) and len(target.texts) == len(blocks)
    assert any(accepted < drafted for drafted, accepted in blocks) and any(accepted for _, accepted in blocks)
    ends = 2 + np.cumsum([0] + [accepted + 1 for _, accepted in blocks])
    proposals = iter(draft.texts)
    for text, end, (drafted, accepted) in zip(target.texts, ends, blocks, strict=False):
        assert drafted == min(drafts, 12 - end) and text.shape[1] == end + drafted
        assert torch.equal(text[:, : end + accepted], written[:, : end + accepted])
        for k in range(drafted):
            assert torch.equal(next(proposals), text[:, : end + k])
    assert next(proposals, None) is None and ends[-1] == 13


def test_a_draft_that_is_the_target_is_never_rejected():
    target, _ = decoders(5, 12)
    start, generator = torch.tensor([[4, 1]]), torch.Generator().manual_seed(2)
    _, blocks = generate_speculatively(target, target, start, 11, drafts=4, generator=generator)
    assert blocks == [(4, 4), (4, 4), (0, 0)]


def test_the_study_counts_and_expects_what_the_blocks_are():
    """The draft is all but the target: a block is accepted whole, which the formula expects as well; and a text's marks."""
    recipe = tiny.small(RECIPES["pydoc"], drafts=3, draft_width=16, layers=1)
    experiment, _ = tiny.built("autoregressive/speculative", recipe)
    assert isinstance(experiment, SpeculativeDecoding)
    experiment.draft.load_state_dict(experiment.target.state_dict())
    with torch.no_grad():
        lines = experiment.eval().study(tiny.Random(recipe))["speed"].text.splitlines()[1:]
        metrics = experiment.evaluate(tiny.Random(recipe))
        text = experiment.sample(2)["text"].text
    assert math.isclose(metrics["acceptance"], 1, rel_tol=1e-5)
    assert metrics["bits_per_byte"] == metrics["draft_bits_per_byte"]
    rows = [line.split() for line in lines]
    assert [row[0] for row in rows] == ["0", "1", "2", "4", "8"] and rows[0][2] == "1.00"
    for drafts, *_, counted, expected, bits in rows[1:]:  # a text of five bytes has no block of more than four drafts
        assert [counted, expected] == ([f"{int(drafts):.2f}"] * 2 if int(drafts) <= 4 else ["-", "-"])
        assert abs(float(bits) - 8) < 0.5  # nearly uniform, as the target begins
    assert text.count("\u2039") == text.count("\u203a") == 4 and "\u00ab" not in text  # two texts, each of 3 + 1 bytes twice
