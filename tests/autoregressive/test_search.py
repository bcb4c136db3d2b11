"""Search against enumeration, against SciPy's shortest paths, and against a search written beam by beam."""

import itertools

import jax
import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from practice_torch.autoregressive import search as practice
from theory_jax.autoregressive import search as theory


def law(*shape, seed=0):
    drawn = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return drawn.log_softmax(-1)


def of_history(table):
    """A model that depends on all tokens so far: [size^t, V] rows at every length t, the first token least significant."""

    def step(prefix):
        size = table.shape[-1]
        return table[prefix.shape[1], (prefix * size ** torch.arange(prefix.shape[1])).sum(-1)]

    return step


def all_scores(start, step, length):
    """log p of every sequence, by the chain rule and nothing else."""
    sequences = torch.tensor(list(itertools.product(range(len(start)), repeat=length)))
    scores = start[sequences[:, 0]]
    for t in range(1, length):
        scores = scores + step(sequences[:, :t]).gather(1, sequences[:, t : t + 1])[:, 0]
    return sequences, scores


def by_dictionary(start, step, *, width, length, end_token):
    """Beam search for one example as one would say it: a list of (tokens, score), extended, sorted, cut."""
    beams = [((v,), float(p)) for v, p in enumerate(start)]
    for t in range(length):
        if t > 0:
            longer = []
            for tokens, score in beams:
                if tokens[-1] == end_token:
                    longer.append(((*tokens, end_token), score))
                else:
                    log_probs = step(torch.tensor([tokens]))[0]
                    longer += [((*tokens, v), score + float(p)) for v, p in enumerate(log_probs)]
            beams = longer
        beams = sorted(beams, key=lambda beam: -beam[1])[:width]
    return beams


@pytest.mark.parametrize("length", [1, 3, 5])
def test_a_wide_beam_ranks_all_sequences(length):
    start, step = law(2, 3), of_history(law(5, 243, 3, seed=1))
    tokens, scores = practice.beam_search(start, step, width=3**length, length=length)
    for b in range(2):
        sequences, wanted = all_scores(start[b], step, length)
        order = wanted.argsort(descending=True)
        torch.testing.assert_close(scores[b], wanted[order], rtol=1e-12, atol=1e-12)
        assert torch.equal(tokens[b], sequences[order])


@pytest.mark.parametrize("end_token", [None, 0, 2])
@pytest.mark.parametrize("width", [1, 2, 7])
def test_it_is_the_search_that_one_would_say(width, end_token):
    start, step = law(3, 4), of_history(law(5, 256, 4, seed=2))
    tokens, scores = practice.beam_search(start, step, width=width, length=5, end_token=end_token)
    for b in range(3):
        beams = by_dictionary(start[b], step, width=width, length=5, end_token=end_token)
        assert tokens[b].tolist() == [list(tokens) for tokens, _ in beams]
        np.testing.assert_allclose(scores[b], [score for _, score in beams], rtol=1e-12)


def test_the_most_likely_path_is_scipys_shortest():
    """A trellis with -log p for distances: from a source to every state of the first layer, ..., to a sink."""
    start, chain, length, size = law(4, 6), law(6, 6, seed=1), 7, 6
    nodes = 2 + length * size
    for b in range(4):
        edges = np.zeros((nodes, nodes))
        edges[0, 2 : 2 + size] = -start[b]
        for t in range(length - 1):
            here = slice(2 + t * size, 2 + (t + 1) * size)
            edges[here, 2 + (t + 1) * size : 2 + (t + 2) * size] = -chain
        edges[nodes - size :, 1] = 1.0  # every end is as far from the sink
        distances, before = dijkstra(csr_array(edges), indices=0, return_predecessors=True)
        path, at = [], before[1]
        while at != 0:
            path.insert(0, (at - 2) % size)
            at = before[at]
        for wing, arrays in ((practice, (start[b : b + 1], chain)), (theory, (start[b : b + 1].numpy(), chain.numpy()))):
            tokens, score = wing.viterbi(*arrays, length=length)
            assert tokens[0].tolist() == path
            np.testing.assert_allclose(score[0], 1.0 - distances[1], rtol=1e-12)


def test_ties_of_a_large_vocabulary_go_to_the_lowest_index():
    """torch's topk alone leaves the order of equals open."""
    log_probs = torch.randint(-9, 0, (2, 3, 20_000), generator=torch.Generator().manual_seed(0)).float()
    scores = torch.tensor([[-1.0, -2.0, -1.0], [-torch.inf, -torch.inf, 0.0]])
    best, parents, tokens = practice.beam_expansion(scores, log_probs, width=3_000)
    candidates = (scores[..., None] + log_probs).flatten(1)
    sorted_candidates, order = candidates.sort(dim=-1, descending=True, stable=True)
    assert torch.equal(best, sorted_candidates[:, :3_000])
    assert torch.equal(parents * 20_000 + tokens, order[:, :3_000])


def test_scores_keep_the_dtype_of_the_start():
    """A network may compute in half precision; sums of hundreds of its log-probabilities should not."""
    start, chain = law(2, 5).float(), law(5, 5, seed=1).bfloat16()
    for search in (practice.greedy_search, lambda *given, **named: practice.beam_search(*given, width=3, **named)):
        assert search(start, lambda prefix: chain[prefix[:, -1]], length=4)[1].dtype == torch.float32


def test_search_goes_through_jit_vmap_and_compile():
    start, chain = law(4, 3), law(4, 3, 3, seed=1)

    def by_torch(start, chain):
        return practice.beam_search(start[None], lambda prefix: chain[prefix[:, -1]], width=4, length=4, end_token=1)[1][0]

    def by_jax(start, chain):
        return theory.beam_search(start[None], lambda prefix: chain[prefix[:, -1]], width=4, length=4, end_token=1)[1][0]

    one_by_one = torch.stack([by_torch(*given) for given in zip(start, chain, strict=True)])
    torch.testing.assert_close(torch.vmap(by_torch)(start, chain), one_by_one)
    np.testing.assert_allclose(jax.jit(jax.vmap(by_jax))(start.numpy(), chain.numpy()), one_by_one, rtol=1e-12)
    compiled = torch.compile(by_torch, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(start[0], chain[0]), one_by_one[0])


def test_a_longer_answer_wins_by_the_length_penalty():
    """Two hypotheses of one search: the shorter is more likely, the longer has the better mean."""
    log_prob, lengths = torch.tensor([-3.0, -4.0]), torch.tensor([2, 9])
    order = [practice.length_normalized_score(log_prob, lengths, exponent=alpha).argmax().item() for alpha in (0.0, 0.2, 1.0)]
    assert order == [0, 0, 1]
