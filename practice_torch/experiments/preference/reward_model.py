"""A reward model of texts, learned from votes on pairs of them; its order and its probabilities are compared with the truth."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from practice_torch.engine.artifacts import Figure, Text
from practice_torch.engine.bounds import Above, AtLeast
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Direction, Fixed, Recipe
from practice_torch.evaluation.human_evaluation import wilson_interval
from practice_torch.experiments.language.completions import judged_bytes
from practice_torch.preference.pipeline import completion_mask, token_class_score
from practice_torch.preference.reward_model import RewardModel, pairwise_reward_loss, preference_accuracy

BINS = 10  # of predicted probabilities
SHOWN = 400  # texts of a figure
PRINTABLE = (32, 127)


@dataclass(frozen=True)
class RewardRecipe(Recipe):
    """A small transformer with one output learns from votes which of two completions of a prompt is better.

    One completion continues the text, the other is from another place, of another length. The truth is a program's score:
    vowels count 1, digits and punctuation -1, averaged over the completion. A vote follows the law of Bradley and Terry.
    """

    modality: ClassVar[str] = "text"
    data: str = "pydoc"
    """pydoc (the help pages of Python), or the path of a text file."""
    prompt: Annotated[int, AtLeast(1)] = 32
    """Bytes of a prompt."""
    completion: Annotated[int, AtLeast(1)] = 32
    """Bytes of the longest completion; the shortest has half of them."""
    layers: Annotated[int, AtLeast(1)] = 2
    """Number of blocks (attention and feed-forward)."""
    width: Annotated[int, AtLeast(1)] = 64
    """Width of the residual stream."""
    heads: Annotated[int, AtLeast(1)] = 4
    """Number of attention heads; they divide the width."""
    judged: Annotated[int, AtLeast(2)] = 2048
    """Held-out prompts of an evaluation, at most, each with a pair."""
    sharpness: Annotated[float, Above(0)] = 20.0
    """Logit of a vote for each unit of difference between two scores."""
    center_coefficient: Annotated[float, AtLeast(0)] = 0.001
    """Weight of the squared sum of both rewards of a pair."""
    metric: Fixed = "pair_accuracy"
    direction: Direction = "higher"

    def __post_init__(self):
        super().__post_init__()
        self._require("heads", self.width % self.heads == 0, f"a divisor of the width, {self.width}")

    def loading(self):
        """Windows of a prompt and a completion; the loader adds one byte to the context."""
        return {"context": self.prompt + self.completion - 1, "level": "byte"}


class Pairs(NamedTuple):
    """Two texts for each prompt; the mask is False at the padding behind them."""

    tokens: Tensor  # [2, B, T]
    mask: Tensor  # [2, B, T]
    gold: Tensor  # [2, B], in logits of a vote
    first_wins: Tensor  # [B], the votes


class Rewards(nn.Module):
    """The reward model, and the votes that it learns from."""

    explains = {
        "pair_accuracy": Metric("share", "of held-out pairs that it orders as the truth does; ties half"),
        "matched_accuracy": Metric("share", "the same of pairs of equal length, in which length tells nothing"),
        "vote_accuracy": Metric("share", "of votes on held-out pairs that it foretells"),
        "best_vote_accuracy": Metric("share", "of the same votes that the truth foretells"),
        "calibration_error": Metric(
            "probability", "mean distance of the predicted probability of a vote from the share of such votes, in ten bins"
        ),
    }
    phases = (Phase("train", ("reward",)),)

    def __init__(self, recipe):
        super().__init__()
        self.recipe, self.generator = recipe, None
        self.reward = RewardModel(
            vocabulary_size=256,
            context_length=recipe.prompt + recipe.completion,
            width=recipe.width,
            layers=recipe.layers,
            heads=recipe.heads,
        )
        self.register_buffer("values", judged_bytes(), persistent=False)

    def forward(self, batch, phase):
        """The loss of one vote on each pair."""
        pairs = self._pairs(batch["tokens"])
        first, second = self._rewards(pairs)
        chosen, rejected = torch.where(pairs.first_wins, first, second), torch.where(pairs.first_wins, second, first)
        losses = pairwise_reward_loss(chosen, rejected, center_coefficient=self.recipe.center_coefficient)
        return losses.mean(), {"accuracy": preference_accuracy(chosen.detach(), rejected.detach()).mean()}

    def evaluate(self, data):
        """Order, probabilities and scale of the rewards of held-out pairs."""
        gold, learned, first_wins = self._measured(data)
        matched_gold, matched, _ = self._measured(data, equal_lengths=True)
        predicted, observed, weights = calibration(learned, first_wins)[:3]
        vote = first_wins.to(learned.dtype) * 2 - 1
        return {
            "pair_accuracy": _agreement(gold.sign(), learned),
            "matched_accuracy": _agreement(matched_gold.sign(), matched),
            "vote_accuracy": _agreement(vote, learned),
            "best_vote_accuracy": _agreement(vote, gold),
            "calibration_error": float((weights * (predicted - observed).abs()).sum() / weights.sum()),
        }

    def preview(self, data):
        """Predicted and observed votes; learned and true differences; and texts that the model ranks."""
        gold, learned, first_wins = self._measured(data)
        bins = calibration(learned, first_wins)
        some = slice(SHOWN)
        return {
            "calibration": Figure(
                partial(_draw_calibration, *(part.cpu() for part in bins)),
                "Share of votes for the first text, by its predicted probability, on held-out pairs; bars: 95% intervals",
            ),
            "differences": Figure(
                partial(_draw_differences, gold[some].cpu(), learned[some].cpu()),
                "Learned against true difference of two rewards, held-out pairs; on the line both are equal",
            ),
            **self.sample(6),
        }

    def sample(self, count):
        """`count` texts of random printable bytes, best first, with both rewards."""
        length = self.recipe.prompt + self.recipe.completion
        texts = torch.randint(*PRINTABLE, (count, length), generator=self.generator, device=self.values.device)
        lengths = torch.full((count,), length, device=texts.device)
        gold = self._gold(texts, self._completion(lengths))
        learned = self.reward(texts, torch.ones_like(texts, dtype=torch.bool))
        lines = [
            f"reward {learned[row]:+6.2f}  true {gold[row]:+6.2f}  {bytes(texts[row, self.recipe.prompt :].tolist()).decode()}"
            for row in learned.argsort(descending=True).tolist()
        ]
        return {"texts": Text("\n".join(lines), "Completions of random bytes, best first by the learned reward")}

    # ------------------------------------------------------------------------------------------------ pairs

    def _pairs(self, windows, equal_lengths=False):
        """The prompt of every window with its own completion, and with that of the window before; lengths and votes are drawn."""
        recipe, size = self.recipe, len(windows)
        prompts, own = windows.split([recipe.prompt, recipe.completion], dim=1)
        tokens = torch.stack([windows, torch.cat([prompts, own.roll(1, 0)], dim=1)])
        shortest = recipe.prompt + (recipe.completion + 1) // 2
        lengths = torch.randint(shortest, windows.shape[1] + 1, (2, size), generator=self.generator, device=windows.device)
        if equal_lengths:
            lengths = lengths[:1].expand(2, -1)
        mask = torch.arange(windows.shape[1], device=windows.device) < lengths[..., None]
        tokens = tokens.masked_fill(~mask, 0)
        completion = self._completion(lengths.flatten())
        gold = self._gold(tokens.flatten(0, 1), completion).view(2, size)
        uniforms = torch.rand(size, generator=self.generator, device=windows.device)
        return Pairs(tokens, mask, gold, uniforms < torch.sigmoid(gold[0] - gold[1]))

    def _completion(self, lengths):
        """True at the bytes of the completion, [B, T]."""
        prompts = torch.full_like(lengths, self.recipe.prompt)
        return completion_mask(prompts, lengths, width=self.recipe.prompt + self.recipe.completion)

    def _gold(self, tokens, completion):
        return self.recipe.sharpness * token_class_score(tokens, completion, self.values)

    def _rewards(self, pairs):
        """The learned rewards, [2, B]."""
        return self.reward(pairs.tokens.flatten(0, 1), pairs.mask.flatten(0, 1)).float().view(2, -1)

    def _measured(self, data, equal_lengths=False):
        """True and learned reward differences of held-out pairs, and the votes, all [N]."""
        places = torch.linspace(0, len(data) - 1, min(len(data), self.recipe.judged)).round().long()
        found = []
        for some in places.split(128):
            pairs = self._pairs(data.batch(some)["tokens"], equal_lengths)
            first, second = self._rewards(pairs)
            found.append((pairs.gold[0] - pairs.gold[1], first - second, pairs.first_wins))
        return [torch.cat(part) for part in zip(*found, strict=True)]


def _agreement(signs, differences):
    """Share of differences with the given sign, +1 or -1; a zero counts half."""
    return float(preference_accuracy(signs * differences, torch.zeros_like(differences)).mean())


def calibration(differences, first_wins):
    """For every nonempty bin: mean prediction, share of votes, number of votes, and the ends of the share's interval."""
    predicted = differences.sigmoid()
    which = (predicted * BINS).long().clamp(max=BINS - 1)
    counts = torch.bincount(which, minlength=BINS)
    wins = torch.bincount(which, weights=first_wins.to(predicted.dtype), minlength=BINS)
    sums = torch.bincount(which, weights=predicted, minlength=BINS)
    full = counts > 0
    counts, wins, sums = counts[full], wins[full], sums[full]
    return sums / counts, wins / counts, counts, *wilson_interval(wins.round().long(), counts)


def _draw_calibration(predicted, observed, counts, low, high, axes):
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1, zorder=0)
    axes.errorbar(predicted, observed, yerr=torch.stack([observed - low, high - observed]).clamp(min=0), fmt="o", capsize=3)
    axes.set(xlabel="predicted probability that the first text is preferred", ylabel="share of votes for it")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")


def _draw_differences(gold, learned, axes):
    axes.axline((0, 0), slope=1, color="0.6", linewidth=1, zorder=0)
    axes.plot(gold, learned, "o", markersize=3, alpha=0.5)
    axes.set(xlabel="true difference, logits of a vote", ylabel="learned difference")


def build(recipe, data):
    """The experiment of a recipe."""
    return Rewards(recipe)


RECIPES = {
    # measured in 71 CPU seconds: it orders 95% of held-out pairs as the truth does, with a calibration error of 0.028. At a
    # center_coefficient of 0.01 (and twice the votes) it orders 97%, but its differences are half of the true ones: error 0.087.
    "pydoc": RewardRecipe(
        steps=800,
        batch_size=32,
        learning_rate=3e-3,
        beta2=0.99,
        weight_decay=0.1,
        clip_norm=1.0,
        warmup_steps=50,
        schedule="cosine",
        final_learning_rate=0.02,
        evaluate_every=400,
        checkpoint_every=400,
        target=0.9,
    )
}
