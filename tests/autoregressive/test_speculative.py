"""What enumeration, SciPy and a generator of random numbers say of speculative decoding."""

from itertools import product

import numpy as np
import torch
from scipy.optimize import linprog
from scipy.stats import chisquare

from practice_torch.autoregressive import speculative as practice

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
                torch.tensor([text] * count), q.log().expand(count, 3, 3), p.log().expand(count, 4, 3),
                torch.tensor([[0.0] * accepted + [1.0] * (3 - accepted)] * count, dtype=torch.float64), middles[some],
            )  # fmt: skip
            assert counts.tolist() == [accepted] * count
            for row, weight in zip(tokens.tolist(), last[some].tolist(), strict=True):
                written = tuple(token for token in row if token >= 0)
                for rest in product(range(3), repeat=4 - len(written)):
                    whole = written + rest
                    more = np.prod([float(target[places[whole[:k]], whole[k]]) for k in range(len(written), 4)])
                    found[whole] += drawn * chance * weight * more
    wanted = torch.tensor([
        np.prod([float(target[places[text[:k]], text[k]]) for k in range(4)]) for text in product(range(3), repeat=4)
    ]).view(3, 3, 3, 3)  # fmt: skip
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
