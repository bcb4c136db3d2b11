"""Text alignment: the best of n is the best of its draws, a row is its completions', and the reading follows the numbers."""

import math
from types import SimpleNamespace

import pytest
import torch

from practice_torch.engine.estimate import Estimate
from practice_torch.experiments.language.completions import judged_bytes, log_probs_after
from practice_torch.projects import text_alignment
from practice_torch.projects.runner import Row
from tests.support.commands.projects import of, require_same_after_stops, small, table, trained

pytestmark = pytest.mark.xdist_group("text_alignment")  # it is run whole once

LETTERS = torch.tensor(list(b"ab1"))  # worth 1, 0 and -1


class Independent(torch.nn.Module):
    """A language model of three bytes, each drawn on its own."""

    context_length = 16

    def __init__(self, probabilities):
        super().__init__()
        self.register_buffer("log_probs", torch.full((256,), -40.0).scatter(0, LETTERS, torch.tensor(probabilities).log()))

    def forward(self, tokens):
        return self.log_probs.expand(*tokens.shape, 256)

    def empty_cache(self, batch):
        return None

    def step(self, tokens, cache, position):
        return self.log_probs.expand(len(tokens), 256)


def experiment(reward=lambda tokens, mask: -(tokens[:, 4:] == LETTERS[2]).sum(1).float()):
    return SimpleNamespace(
        reference=Independent([0.3, 0.4, 0.3]),
        reward=reward,
        recipe=SimpleNamespace(prompt=4, completion=8),
        generator=torch.Generator().manual_seed(0),
    )


def texts(count):
    return LETTERS[torch.randint(3, (count, 12), generator=torch.Generator().manual_seed(1))]


def test_the_best_of_n_follows_the_law_of_a_maximum():
    """By a wish of 8 draws: its mean, summed over all multisets, and that of the best of n by the powers of its distribution."""
    floor, chosen, real = text_alignment.best_of_n(experiment(), texts(200))
    law = torch.tensor([1.0])
    for _ in range(8):  # of the sum of eight values, -8 .. 8
        law = torch.nn.functional.conv1d(law.view(1, 1, -1), torch.tensor([[[0.3, 0.4, 0.3]]]), padding=2).flatten()
    law, values = law.double(), torch.arange(-8, 9) / 8
    for n in (1, 4, 64):
        below = law.cumsum(0) ** n
        expected = (below.diff(prepend=torch.zeros(1, dtype=torch.float64)) * values).sum().item()
        found = chosen["wish"][n].scores
        assert found.mean().item() == pytest.approx(expected, abs=4 * found.std().item() / math.sqrt(200))
    assert torch.equal(floor.tokens, chosen["learned"][1].tokens)
    assert (chosen["wish"][64].scores >= chosen["wish"][4].scores).all()
    assert torch.equal(real.tokens, texts(200)[:, 4:])
    assert torch.allclose(real.scores, judged_bytes()[texts(200)[:, 4:]].mean(1))


def test_what_is_taken_is_the_best_by_the_learned_reward_alone():
    """A reward that likes digits takes what the wish likes least."""
    against = experiment(lambda tokens, mask: (tokens[:, 4:] == LETTERS[2]).sum(1).float())
    _, chosen, _ = text_alignment.best_of_n(against, texts(50))
    assert chosen["learned"][64].scores.mean() < -0.5 < 0.5 < chosen["wish"][64].scores.mean()
    again = text_alignment._cells(chosen["learned"][64])
    assert again["score"].value == pytest.approx(chosen["learned"][64].scores.mean().item())


def test_completions_are_measured_against_the_model_that_was_tuned():
    """The divergence of independent bytes is that of one, times their number; bits are under the reference."""
    tuned, start = Independent([0.6, 0.3, 0.1]), experiment()
    (written,) = text_alignment.completions(start, lambda _: {"policy": tuned}, texts(2000)[:, :4]).values()
    p, q = (torch.tensor(law, dtype=torch.float64) for law in ([0.6, 0.3, 0.1], [0.3, 0.4, 0.3]))
    spread = written.log_ratios.std().item() / math.sqrt(2000)
    assert written.log_ratios.mean().item() == pytest.approx(8 * (p * (p / q).log()).sum().item(), abs=4 * spread)
    assert written.bits.mean().item() == pytest.approx(-(p * q.log2()).sum().item(), abs=0.02)
    assert text_alignment._wins(written).mean() > 0.9 and text_alignment._cells(written, tuned=True)["win_rate"].value > 0.9


def rows(**changes):
    """A table by hand: every tuned model wins 90% at 5 nats, but those that are named."""
    usual = {"win_rate": 0.9, "divergence": 5.0, "score": 0.4, "bits": 3.0, "distinct_4": 0.8}

    def row(role, cells):
        return Row(role, {name: Estimate(value, value, value) for name, value in cells.items()})

    found = {
        text_alignment.REAL: row("floor", {"score": 0.0, "bits": 2.5, "distinct_4": 0.9}),
        text_alignment.START: row("floor", {"score": 0.1, "bits": 2.4, "distinct_4": 0.9}),
    }
    found |= {name: row("model", usual | changes.get(name, {})) for name in text_alignment.WANTED}
    best = row("model", usual | {"win_rate": 0.85})
    best.cells["divergence"] = 1.8
    found[f"best of {text_alignment.OF_CHOICES} by the learned reward"] = best
    for name in ("RLOO", "PPO"):
        found[f"{name}, {text_alignment.EXACT}"] = Row("model", {"gap": changes.get("gap", 5e-4)})
    return found


def test_the_reading_follows_the_numbers():
    reading = text_alignment.read(rows())
    assert "wins 85%, at no more than 1.8 nats" in reading.sentences[1]
    assert "Farther than 15 nats from where they began: none. Less than half as many different pieces" in reading.sentences[2]
    assert all(part.holds for part in reading.expectations)
    reading = text_alignment.read(
        rows(PPO={"win_rate": 0.7, "divergence": 40.0, "distinct_4": 0.3}, DPO={"win_rate": 0.7}, gap=0.01)
    )
    assert reading.sentences[0].endswith("DPO 70% at 5.0 nats.") and "began: PPO. Less" in reading.sentences[2]
    assert "model: PPO." in reading.sentences[2] and not any(part.holds for part in reading.expectations)


@pytest.mark.weekly
def test_a_stopped_project_goes_on_to_the_same_bytes(finished, tmp_path, monkeypatch):
    monkeypatch.setattr(text_alignment, "JUDGED", 8)
    require_same_after_stops("text_alignment", finished, tmp_path, monkeypatch)


def test_the_table_hangs_together(finished):
    """What a tuned row says of the best policy of sixteen texts is what its last checkpoint says; a win rate has its interval."""
    results, folder = finished("text_alignment")
    found, whole = table(results), small(of("text_alignment"))
    _, policy, *_ = trained(whole, folder, "exact RLOO")
    assert found["RLOO, sixteen texts"]["gap"] == pytest.approx(policy.evaluate(None)["divergence_from_best"])
    assert found["best of 16 by the learned reward"]["divergence"] == pytest.approx(math.log(16) - 15 / 16)
    _, tuned, _, held_out = trained(whole, folder, "RLOO")
    text = held_out.batch(torch.arange(2))["tokens"]
    same = log_probs_after(tuned.recipe.prompt, tuned.policy, text)
    assert torch.isfinite(same).all() and 0 <= found["RLOO"]["win_rate"] <= 1
