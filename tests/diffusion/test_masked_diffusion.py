"""Masked diffusion against matrices of transitions, all walks of a short chain, torch.distributions, and all reading orders."""

import itertools
import math

import numpy as np
import torch
from torch.distributions import Categorical

from practice_torch.diffusion import masked_diffusion as practice

MASK = 2  # behind two tokens
rng = np.random.default_rng(334)
PATTERNS = list(itertools.product(range(3), repeat=2))  # two places, each a token or masked
LEVELS = [1.0, 0.6, 0.35, 0.0]


def logits_of(table, tokens_t):
    """What a network of a table says about noisy texts of two places."""
    return torch.stack([table[PATTERNS.index(tuple(row))] for row in tokens_t.tolist()])


def transitions(kept):
    """The matrix of a forward step: a token stays with the probability `kept`, the mask always."""
    matrix = np.eye(3) * kept
    matrix[:, MASK] += 1 - kept
    return matrix


def level(value, count):
    return torch.full((count,), value, dtype=torch.float64)


def law_of_step(table, tokens_t, alpha_s, alpha_t):
    """log p(x_s | x_t) of every place, averaged over the table's law of the data."""
    logits = logits_of(table, tokens_t).index_fill(-1, torch.tensor([MASK]), -torch.inf)
    count = len(tokens_t)
    return practice.posterior_log_probs(
        logits.log_softmax(-1), tokens_t, level(alpha_s, count), level(alpha_t, count), mask_id=MASK
    )


def test_the_posterior_by_matrices():
    """Bayes' rule on products of transition matrices, for each token and both states of its place."""
    to_s, to_t, both = transitions(0.7), transitions(0.4), transitions(0.7 * 0.4)
    for token in (0, 1):
        for noisy in (token, MASK):
            wanted = to_s[token] * to_t[:, noisy] / both[token, noisy]
            certain = torch.full((1, 1, 3), -torch.inf, dtype=torch.float64)
            certain[..., token] = 0.0
            found = practice.posterior_log_probs(
                certain, torch.tensor([[noisy]]), level(0.7, 1), level(0.7 * 0.4, 1), mask_id=MASK
            )
            np.testing.assert_allclose(found.exp().numpy()[0, 0], wanted, atol=1e-15)


def test_the_loss_is_the_divergence_over_all_walks():
    """Three steps, two places, conditionals of no law: sum over all walks of q log q/p, and the loss with slopes of -Delta."""
    table = torch.tensor(rng.normal(size=(9, 2, 3)))
    text = (1, 0)
    divergence = 0.0
    for walk in itertools.product(PATTERNS, repeat=3):  # x_1, x_2, x_3
        way = [text, *walk]
        chance = 1.0
        for before, after, now, then in zip(LEVELS, LEVELS[1:], way, way[1:], strict=False):
            chance *= np.prod([transitions(after / before)[a, b] for a, b in zip(now, then, strict=True)])
        if chance == 0.0:
            continue
        log_model = 0.0  # the start, masks alone, has probability 1
        for before, after, now, then in zip(LEVELS, LEVELS[1:], way, way[1:], strict=False):
            law = law_of_step(table, torch.tensor([then]), before, after)[0]
            log_model += sum(law[place, token].item() for place, token in enumerate(now))
        divergence += chance * (math.log(chance) - log_model)
    bound = 0.0
    for before, after in itertools.pairwise(LEVELS):
        for hidden in itertools.product((False, True), repeat=2):
            noisy = torch.tensor([[MASK if hide else token for hide, token in zip(hidden, text, strict=True)]])
            loss = practice.masked_diffusion_loss(
                logits_of(table, noisy), torch.tensor([text]), noisy, level(after, 1), level(after - before, 1), mask_id=MASK
            )
            bound += np.prod([1 - after if hide else after for hide in hidden]) * loss.item()
    assert math.isclose(bound, divergence, rel_tol=1e-12)


def test_the_loss_by_number_of_masks_averages_all_orders():
    """alpha = 1 - n/L and slope -1, over all n and all sets of n places: the mean of all six autoregressive models."""
    text, places = (1, 0, 1), (0, 1, 2)
    costs = {seen: torch.tensor(rng.normal(size=(1, 3, 3))) for size in range(3) for seen in itertools.combinations(places, size)}
    by_sets = 0.0
    for seen, logits in costs.items():
        masks = 3 - len(seen)
        noisy = torch.tensor([[text[place] if place in seen else MASK for place in places]])
        loss = practice.masked_diffusion_loss(
            logits, torch.tensor([text]), noisy, level(1 - masks / 3, 1), level(-1.0, 1), mask_id=MASK
        )
        by_sets += loss.item() / 3 / math.comb(3, masks)
    by_orders = 0.0
    for order in itertools.permutations(places):
        for k, place in enumerate(order):
            logits = costs[tuple(sorted(order[:k]))][0, place, :MASK]
            by_orders -= Categorical(logits=logits).log_prob(torch.tensor(text[place])).item() / 6
    assert math.isclose(by_sets, by_orders, rel_tol=1e-12)


def test_the_last_step_leaves_no_mask():
    """At alpha_s = 1 every masked place is filled, whatever the uniform below 1, and visible ones stay."""
    tokens = torch.tensor([[MASK, 0, MASK], [1, MASK, MASK]])
    uniforms = torch.tensor(rng.uniform(size=(2, 3)))
    zeros = torch.zeros(2, 3, 3, dtype=torch.float64)
    filled = practice.unmask_step(tokens, zeros, uniforms, zeros, level(1.0, 2), level(0.9, 2), mask_id=MASK)
    assert not (filled == MASK).any()
    assert torch.equal(filled[tokens != MASK], tokens[tokens != MASK])


def test_chains_draw_the_law_of_the_table():
    """Both places in one step are independent, in many steps they follow the table's conditionals, which are those of a law."""
    joint = np.array([[0.5, 0.05], [0.1, 0.35]])
    table = torch.full((9, 2, 3), 7.0, dtype=torch.float64)  # the mask's logit has no part
    for row, (first, second) in enumerate(PATTERNS):
        other = [joint.sum(0) if first == MASK else joint[first], joint.sum(1) if second == MASK else joint[:, second]]
        table[row, 0, :MASK], table[row, 1, :MASK] = torch.tensor(np.log(other[1])), torch.tensor(np.log(other[0]))
    count = 40_000
    generator = torch.Generator().manual_seed(4)
    for steps in (1, 3):
        tokens, levels = torch.full((count, 2), MASK), np.linspace(0.0, 1.0, steps + 1)
        for now, after in itertools.pairwise(levels):
            uniforms = torch.rand(count, 2, generator=generator, dtype=torch.float64)
            gumbels = -(-torch.rand(count, 2, 3, generator=generator, dtype=torch.float64).log()).log()
            tokens = practice.unmask_step(
                tokens, logits_of(table, tokens), uniforms, gumbels, level(after, count), level(now, count), mask_id=MASK
            )
        found = np.bincount(tokens[:, 0] * 2 + tokens[:, 1], minlength=4) / count
        apart = np.outer(joint.sum(1), joint.sum(0))
        wanted = (joint * (1 - 1 / steps) + apart / steps).ravel()
        assert np.all(np.abs(found - wanted) < 5 * np.sqrt(wanted * (1 - wanted) / count))
