"""Smoothing compared with nltk, and properties of the byte models."""

import math

import pytest
import torch

from practice_torch.autoregressive import ngram as practice
from practice_torch.data import text
from practice_torch.experiments.autoregressive.ngram import NgramRecipe, build, window_numbers

WORDS = torch.randint(0, 6, (1, 80), generator=torch.Generator().manual_seed(0))


def _peer(kind, **options):
    """An nltk model of pairs, fitted to WORDS."""
    from nltk import lm as models

    words = [str(w) for w in WORDS[0].tolist()]
    model = getattr(models, kind)(**options, order=2)
    unigrams, pairs = [(w,) for w in words], list(zip(words[:-1], words[1:], strict=True))
    model.fit([[*unigrams, *pairs]], vocabulary_text=words)
    return model


@pytest.mark.peers("nltk")
def test_additive_smoothing_agrees_with_nltk():
    """nltk keeps one more word, the unknown: its row is over V + 1."""
    counts = practice.ngram_counts(WORDS, order=2, vocabulary_size=7)
    counts[6] = 0
    ours = practice.additive_log_probs(counts[:6].double(), pseudo_count=1.0).exp()
    peer = _peer("Laplace")
    for u in range(6):
        for w in range(6):
            assert abs(peer.score(str(w), [str(u)]) - float(ours[u, w])) < 1e-12


@pytest.mark.peers("nltk")
def test_kneser_ney_agrees_with_nltk_on_seen_contexts():
    counts = practice.ngram_counts(WORDS, order=2, vocabulary_size=6).double()
    assert bool((counts.sum(1) > 0).all())
    ours = practice.kneser_ney_log_probs(counts, discount=0.6).exp()
    peer = _peer("KneserNeyInterpolated", discount=0.6)
    seen = [(u, w) for u in range(6) for w in range(6) if counts[u, w] > 0]
    for u, w in seen:
        assert abs(peer.score(str(w), [str(u)]) - float(ours[u, w])) < 1e-12


def test_impossible_words_carry_no_gradient():
    """-inf is a value, and NaN is no gradient."""
    tables = tuple(t.log().requires_grad_() for t in (torch.tensor([0.5, 0.5, 0.0]), torch.tensor([[1.0, 0, 0]] * 3)))
    weights = torch.tensor([0.5, 0.5]).log()
    mixture = practice.interpolated_log_probs(tables, weights)
    assert mixture[0, 2] == -torch.inf
    for gradient in torch.autograd.grad(mixture[mixture > -torch.inf].sum(), tables):
        assert bool(gradient.isfinite().all())
    counts = torch.tensor([[2.0, 1.0, 0.0]] * 3, requires_grad=True)
    table = practice.kneser_ney_log_probs(counts, discount=0.5)
    (gradient,) = torch.autograd.grad(table[table > -torch.inf].sum(), counts)
    assert bool(gradient.isfinite().all()) and bool((table[:, 2] == -torch.inf).all())


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "story.txt"
    path.write_text("the cat sat on the mat and the dog sat on the log; caf\u00e9 \u2192 na\u00efve. " * 12 + "the end.\n" * 40)
    return path


def _trained(story, **fields):
    recipe = NgramRecipe(data=str(story), **fields)
    train, held_out = text.load(story, held_out=0.2, **recipe.loading())
    experiment = build(recipe, train)
    with torch.no_grad():
        loss, _ = experiment(train.batch(torch.randperm(len(train))), "count")
    return experiment, train, held_out, float(loss)


@pytest.mark.parametrize("smoothing", ["em", "witten_bell"])
@pytest.mark.parametrize("order", [1, 2, 4])
def test_the_next_byte_has_a_distribution(story, order, smoothing):
    """For contexts seen and unseen, the 256 probabilities sum to one, and none is zero."""
    experiment, *_ = _trained(story, order=order, smoothing=smoothing)
    contexts = torch.tensor([list(b"the"), list(b"zqx"), [255, 0, 1]])
    windows = torch.cat([contexts.repeat_interleave(256, 0), torch.arange(256).repeat(3)[:, None]], 1)[:, -order:]
    log_probs = experiment._log_probs(window_numbers(windows)).view(3, 256)
    torch.testing.assert_close(log_probs.exp().sum(1), torch.ones(3).double(), rtol=1e-9, atol=0)
    assert bool(log_probs.isfinite().all())


def test_windows_that_no_text_repeats_have_weight_zero_and_a_finite_state(tmp_path):
    """Left out of the counts such a window is impossible: EM gives its order no weight, and the engine saves the model."""
    path = tmp_path / "letters.txt"
    path.write_text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    experiment, _, held_out, loss = _trained(path, order=4)
    assert bool((experiment.weights[:, -1] == 0).any()) and bool(experiment.weights.isfinite().all())
    torch.testing.assert_close(experiment.weights.sum(1), torch.ones(len(experiment.weights)).double())
    assert math.isfinite(loss) and math.isfinite(experiment.evaluate(held_out)["bits_per_byte"])


def test_longer_windows_and_fitted_weights_predict_better(story):
    found = {order: _trained(story, order=order) for order in (1, 2, 4)}
    bits = {order: e.evaluate(held_out)["bits_per_byte"] for order, (e, _, held_out, _) in found.items()}
    assert 8 > bits[1] > bits[2] > bits[4]
    experiment, train, *_, loss = found[4]
    numbers = window_numbers(train.batch()["tokens"])
    assert loss > float(-experiment._log_probs(numbers).mean() / torch.log(torch.tensor(2.0)))  # left out: no self-praise


def test_counts_are_those_of_the_contract(story):
    """The sorted windows of the experiment agree with ngram_counts, order by order."""
    experiment, train, *_ = _trained(story, order=3)
    windows = train.batch()["tokens"]
    dense = practice.ngram_counts(windows[:, 1:], order=2, vocabulary_size=256)
    numbers, counts, contexts, totals, kinds = experiment._table(2)
    assert torch.equal(dense.flatten()[numbers], counts) and int(counts.sum()) == int(dense.sum())
    assert torch.equal(dense.sum(1)[contexts], totals) and torch.equal((dense > 0).sum(1)[contexts], kinds)
