"""A byte model learns a text, and is then tuned to what a program likes, by groups of completions (RLOO, GRPO) or by PPO."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import nn

from practice_torch.engine.artifacts import Text
from practice_torch.engine.bounds import Above, AtLeast
from practice_torch.engine.errors import RunError
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Direction, Fixed, Recipe
from practice_torch.engine.stages import Stage, place_at
from practice_torch.experiments.alignment.online import Rewarded
from practice_torch.experiments.alignment.online_recipe import OF_A_ROUND, OnlineRecipe, begun_from
from practice_torch.experiments.alignment.published_alignment import (
    GPT2_LARGE,
    PROBLEM_REWARDS,
    QWEN2_HALF_BILLION,
    REVIEW_REWARDS,
)
from practice_torch.experiments.alignment.publishing import as_language_model as as_language_model
from practice_torch.experiments.language.completions import (
    after,
    completed,
    distinct_pieces,
    evenly_spaced,
    judged_bytes,
    log_probs_after,
    readable,
)
from practice_torch.experiments.language.policy_tuning import Estimator, Rollout
from practice_torch.networks.decoder_transformer import DecoderTransformer
from practice_torch.pictures.tuning import score_by_nats
from practice_torch.preference.pipeline import token_class_score, win_rate


@dataclass(frozen=True)
class TunedBytesRecipe(Recipe):
    """A byte model of a text, then reinforcement learning: a program likes vowels, and neither digits nor punctuation."""

    modality: ClassVar[str] = "text"
    data: str = "pydoc"
    """pydoc (the help pages of Python), or the path of a text file."""
    prompt: Annotated[int, AtLeast(1)] = 32
    """Bytes of a prompt."""
    completion: Annotated[int, AtLeast(1)] = 32
    """Bytes of a completion."""
    layers: Annotated[int, AtLeast(1)] = 2
    """Number of blocks (attention and feed-forward)."""
    width: Annotated[int, AtLeast(1)] = 96
    """Width of the residual stream."""
    heads: Annotated[int, AtLeast(1)] = 4
    """Number of attention heads; they divide the width."""
    judged: Annotated[int, AtLeast(1)] = 512
    """Held-out prompts of an evaluation, each continued by all models."""
    estimator: Estimator = "leave_one_out"
    """Baseline of a reward. ppo: a critic's value of every prefix; leave_one_out: the rewards of the other completions
    of the prompt (RLOO); group: their mean, in units of their deviation (GRPO).
    """
    answers: Annotated[int, AtLeast(2)] = 4
    """Completions of a prompt."""
    updates: Annotated[int, AtLeast(1)] = 4
    """Updates on the completions of a round, each on as many of them, drawn at random."""
    kl_coefficient: Annotated[float, Above(0)] = 0.1
    """Price of a nat of divergence from the reference, in units of the score; with group in those of its deviation."""
    kl_target: Annotated[float | None, Above(0)] = None
    """Nats of a completion to which the price is adapted, from kl_coefficient on; none: the price is fixed."""
    clip: Annotated[float, Above(0, below=1)] = 0.2
    """Clipping range of the ratio of a token's probabilities in a round."""
    trace_decay: Annotated[float, AtLeast(0, at_most=1)] = 0.95
    """Decay of the trace of the generalized advantages; ppo only."""
    value_coefficient: Annotated[float, AtLeast(0)] = 0.5
    """Weight of the values' loss; ppo only."""
    supervised: Annotated[float, AtLeast(0, below=1)] = 0.75
    """Fraction of the steps, at the beginning, in which the model is trained on text, in every update; rounds follow."""
    metric: Fixed = "win_rate"
    direction: Direction = "higher"

    def stages(self):
        """The steps on the text, then those of the rounds."""
        supervised = int(self.supervised * self.steps)
        return Stage("supervised", supervised, ("update",)), Stage("rounds", self.steps - supervised, ("collect", "update"))

    def __post_init__(self):
        super().__post_init__()
        self._require("heads", self.width % self.heads == 0, f"a divisor of the width, {self.width}")

    def loading(self):
        """Windows of a prompt and a completion; the loader adds one byte to the context."""
        return {"context": self.prompt + self.completion - 1, "level": "byte"}


class TunedBytes(nn.Module):
    """The policy, the reference, which is the policy as it was after the text, and, for ppo, a critic on the policy's trunk."""

    explains = {
        "win_rate": Metric("share", "of held-out prompts, completed by both, that the policy wins by its score; ties half"),
        "divergence": Metric("nats", "KL(policy || reference) of a completion, the mean log-ratio of the policy's own"),
        "score": Metric("a byte", "mean score of the policy's completions: vowels 1, digits and punctuation -1, other bytes 0"),
        "reference_score": Metric("a byte", "the same of the reference's completions"),
        "reference_bits": Metric("bits per byte", "-log2 of the reference's probability of the policy's completions"),
        "distinct": Metric("share", "of the four-byte pieces of a completion of the policy, how many are different"),
        "reference_distinct": Metric("share", "the same of the reference"),
    }

    calls = {"policy": "hidden", "reference": "hidden"}

    def __init__(self, recipe):
        super().__init__()
        self.recipe, self.generator = recipe, None
        self.policy, self.reference = (
            DecoderTransformer(
                vocabulary_size=256,
                context_length=recipe.prompt + recipe.completion,
                width=recipe.width,
                layers=recipe.layers,
                heads=recipe.heads,
            )
            for _ in range(2)
        )
        self.reference.load_state_dict(self.policy.state_dict())
        self.reference.requires_grad_(False)
        self.critic = nn.Linear(recipe.width, 1) if recipe.estimator == "ppo" else None
        moves = ("policy", "critic") if self.critic else ("policy",)
        self.phases = (Phase("collect"), Phase("update", moves, recipe.updates))
        self.rollout = Rollout(
            recipe, rounds=recipe.steps, prompts=recipe.batch_size, prompt=recipe.prompt, completion=recipe.completion
        )
        self.register_buffer("values", judged_bytes(), persistent=False)
        self.place = place_at(recipe.stages(), 0)

    def forward(self, batch, phase):
        """At first the nats a byte of the text; then a round on the batch's prompts, or the loss of an update on the round."""
        tokens = batch["tokens"]
        if phase == "collect":
            return self._collect(tokens[:, : self.recipe.prompt])
        if self.place.stage == "rounds":
            return self.rollout.loss(self.policy, self.critic, self.generator)
        return self.policy(tokens[:, :-1], tokens[:, 1:]), {}

    def _collect(self, prompts):
        if self.place.taken == 0:
            self.reference.load_state_dict(self.policy.state_dict())
        logs = self.rollout.collect(self.policy, self.reference, self.critic, prompts, self._scores, self.generator)
        return torch.zeros((), device=prompts.device), logs

    def evaluate(self, data):
        """Both models complete the same held-out prompts."""
        recipe = self.recipe
        drawn, others = self._completed(evenly_spaced(data, recipe.judged)[:, : recipe.prompt])
        log_probs, reference_log_probs = (
            log_probs_after(recipe.prompt, network, drawn) for network in (self.policy, self._the_reference())
        )
        scores, reference_scores = self._scores(drawn), self._scores(others)
        bits = -reference_log_probs / (recipe.completion * math.log(2))
        return {
            "win_rate": win_rate(scores, reference_scores).item(),
            "divergence": (log_probs - reference_log_probs).mean().item(),
            "score": scores.mean().item(),
            "reference_score": reference_scores.mean().item(),
            "reference_bits": bits.mean().item(),
            "distinct": distinct_pieces(drawn[:, recipe.prompt :]),
            "reference_distinct": distinct_pieces(others[:, recipe.prompt :]),
        }

    def preview(self, data):
        """The path of the rounds, and held-out prompts as both models complete them."""
        prompts = evenly_spaced(data, 6)[:, : self.recipe.prompt]
        rows = []
        for prompt, *pair in zip(prompts, *self._completed(prompts), strict=True):
            ends = [readable(tokens[self.recipe.prompt :]) for tokens in pair]
            rows.append(f"{readable(prompt)}\n    policy     {ends[0]}\n    reference  {ends[1]}")
        shown = {"completions": Text("\n".join(rows), "Held-out prompts, completed by both models; · is a line's end")}
        if self._rounds():
            path = self.rollout.path[-self._rounds() * self.recipe.accumulate :]
            shown["path"] = score_by_nats(path.cpu(), "score of a completion, a byte")
        return shown

    def sample(self, count):
        """`count` texts of the policy, each from a line's end."""
        begun = torch.full((count, 1), ord("\n"), device=self.values.device)
        texts = completed(self.policy, begun, 2 * self.recipe.completion, self.generator)
        lines = tuple(bytes(text[1:].tolist()).decode(errors="replace") for text in texts)
        return {"text": Text("\n\n".join(lines), "Texts of the policy", lines)}

    def _rounds(self):
        """The number of steps with rounds so far."""
        return self.place.taken if self.place.stage == "rounds" else 0

    def _the_reference(self):
        """The reference; the policy itself during pretraining, when there is none yet."""
        return self.reference if self._rounds() else self.policy

    def _completed(self, prompts):
        """The prompts with the policy's completions, and with the reference's."""
        networks = self.policy, self._the_reference()
        return [completed(network, prompts, self.recipe.completion, self.generator) for network in networks]

    def _scores(self, tokens):
        return token_class_score(tokens, after(self.recipe.prompt, tokens), self.values)


def build(recipe, data):
    """The experiment of a recipe."""
    return Rewarded(recipe, data) if isinstance(recipe, OnlineRecipe) else TunedBytes(recipe)


def begin(recipe, run):
    """The recipe with what the run of a language model fixes."""
    if not isinstance(recipe, OnlineRecipe):
        raise RunError(f"{run.folder}: this recipe learns its own text before it is tuned; the recipe rewards begins from a run")
    return begun_from(recipe, run)


TUNABLE = OF_A_ROUND  # by a training that goes on from a run of its own

RECIPES = {
    # measured in 125 CPU seconds, at seeds 0 and 1: the policy wins 97% and 94% at 5.0 and 4.8 nats a completion; its score is
    # 0.37 and 0.36, the reference's 0.08 and 0.05; of its pieces of four bytes 99% and 98% are different, of the reference's 87%
    # and 86%. Other estimators, at seed 0 with --kl-target 8: ppo wins 93% at 8.3 nats; group, from a price of 0.2, 95% at 9.5.
    # With the price of 0.02, which is there in deviations of the score, group wins all, at 197 nats, and writes "eeaaaeee".
    "pydoc": TunedBytesRecipe(
        steps=300,
        batch_size=32,
        learning_rate=3e-3,
        beta2=0.99,
        weight_decay=0.1,
        clip_norm=1.0,
        warmup_steps=10,
        schedule="cosine",
        final_learning_rate=0.02,
        kl_coefficient=0.02,
        log_every=10,
        target=0.8,
    ),
    "rewards": OnlineRecipe(
        steps=60, batch_size=16, learning_rate=3e-3, clip_norm=1.0, log_every=10, evaluate_every=60, checkpoint_every=60
    ),
    # GPT-2 large on beginnings of film reviews, 2 to 8 tokens, rewarded by a classifier of sentiment: PPO-GT of Rafailov et al.
    # 2023, section 6.1. What they do not state are defaults of TRL's PPO of 2023, which they began from. Give --reward
    # sentiment.py:positive, and --from the run of GPT-2 large, tuned to reviews.
    "imdb": OnlineRecipe(
        data="imdb_prompts.jsonl",
        tokens="tiktoken:gpt2",
        estimator="ppo",
        prompt=8,
        completion=64,
        answers=1,
        passes=4,
        kl_coefficient=0.2,
        kl_target=6.0,
        value_clip=0.2,
        steps=200,
        batch_size=256,
        accumulate=4,
        learning_rate=1.41e-5,
        clip_norm=1.0,
        precision="bfloat16",
        recompute_blocks=True,
        evaluate_every=20,
        checkpoint_every=50,
        **GPT2_LARGE,
    ),
    # Qwen2.5-0.5B-Instruct on GSM8K, one pass over 7,473 problems; sizes of a round, price and loss are those of the log that
    # comes with the published number, the step size is that of verl's runs of all weights. Give --reward
    # gsm8k_answer, and --from the imported run.
    "gsm8k": OnlineRecipe(
        data="gsm8k.jsonl",
        tokens="tokenizer.json",
        prompt=512,
        completion=1024,
        answers=5,
        aggregation="token_mean",
        kl_coefficient=0.001,
        entropy_coefficient=0.001,
        context=1536,
        steps=116,
        batch_size=8,
        accumulate=8,
        learning_rate=1e-6,
        clip_norm=1.0,
        precision="bfloat16",
        recompute_blocks=True,
        evaluate_every=29,
        checkpoint_every=29,
        **QWEN2_HALF_BILLION,
    ),
}

PUBLISHED = {"imdb": REVIEW_REWARDS, "gsm8k": PROBLEM_REWARDS}
