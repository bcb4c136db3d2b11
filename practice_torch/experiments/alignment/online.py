"""Online alignment of a language model: it draws completions of prompts, they are rewarded, and it learns from them."""

import importlib.util
import math
import sys
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from torch import nn

from practice_torch.arguments import require
from practice_torch.autoregressive.tokenization import BytePairTokenizer
from practice_torch.data.prompts.prompts import rows_of
from practice_torch.engine.artifacts import Text
from practice_torch.engine.bounds import Above, AtLeast, Bounded
from practice_torch.engine.distributed.whole_batch import WholeBatch
from practice_torch.engine.errors import Halted, OptionError, RunError
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Direction, Fixed, Recipe
from practice_torch.experiments.alignment.policy import (
    FORMS,
    as_reference,
    begin,
    copy_weights,
    policy_network,
    reference_network,
    take_over,
    tokenizer_of_run,
)
from practice_torch.experiments.alignment.rewards import Rewards, require_rewards
from practice_torch.experiments.alignment.rollouts import (
    Aggregation,
    Estimator,
    Ratio,
    drawn_after,
    measured,
    require_terms,
    update_loss,
)
from practice_torch.experiments.language.tokens import kept_tokenizer, tokenizer_buffer
from practice_torch.networks.decoder_transformer import BIASES
from practice_torch.pictures.tuning import score_by_nats
from practice_torch.preference.pipeline import win_rate
from practice_torch.reinforcement.kl_estimators import adaptive_coefficient, token_kl

GAIN = 0.5  # of the adaptive price: with the clip at 0.2 it changes by a tenth a round at most
# Fields that a training may change which begins from a run of the same recipe: no weight depends on them.
OF_A_ROUND = (
    "reward",
    "reward_weights",
    "reward_seconds",
    "prompt",
    "completion",
    "answers",
    "passes",
    "minibatches",
    "temperature",
    "kl_coefficient",
    "kl_ratio",
    "kl_target",
    "max_divergence",
    "clip",
    "clip_high",
    "ratio",
    "aggregation",
    "standardize",
    "entropy_coefficient",
    "judged",
)
KEPT = 512  # rounds of the path in a picture
NORMAL_95 = 1.96  # standard errors from the middle to an end of an interval that holds 95%


@dataclass(frozen=True)
class OnlineRecipe(Recipe):
    """A language model is tuned to rewards of its own completions, by PPO, RLOO or GRPO; it begins from a run (--from), or from
    noise.
    """

    modality: ClassVar[str] = "prompts"
    data: str = "pydoc"
    """pydoc (passages of Python's help pages), or your own .jsonl or .parquet file with a column prompt."""
    reward: tuple[str, ...] = ("vowels",)
    """Rewards, which are added: a ready one (vowels, gsm8k_answer), your own function as FILE.py:FUNCTION, with TRL's signature
    (prompts, completions, and the other columns of the data), or the run folder of a reward model.
    """
    reward_weights: Annotated[tuple[float, ...], AtLeast(-1e9)] = ()
    """Weight of each reward; none: 1 each."""
    reward_seconds: Annotated[float, Above(0)] = 60.0
    """Seconds that a function may take for the completions of a round, before the training stops, with all saved."""
    estimator: Estimator = "group"
    """Baseline of a reward. ppo: a critic's value of every prefix; leave_one_out: the rewards of the other completions
    of the prompt (RLOO); group: their mean (GRPO).
    """
    prompt: Annotated[int, AtLeast(1)] = 32
    """Maximum number of tokens of a prompt; of a longer one the last are kept, with a note."""
    completion: Annotated[int, AtLeast(1)] = 32
    """Maximum number of tokens of a completion."""
    answers: Annotated[int, AtLeast(1)] = 4
    """Completions of a prompt in a round; two or more, except for ppo."""
    passes: Annotated[int, AtLeast(1)] = 1
    """Passes over the completions of a round."""
    minibatches: Annotated[int, AtLeast(1)] = 1
    """Updates of a pass, each on as many completions, drawn at random."""
    temperature: Annotated[float, Above(0)] = 1.0
    """Temperature of the policy, in drawing and in learning; below 1 it is sharper."""
    kl_coefficient: Annotated[float, AtLeast(0)] = 0.05
    """Price of a nat of divergence from the reference, in units of the reward; with group, of the advantage. 0: no price."""
    kl_ratio: bool = False
    """group: multiply the divergence's estimate by the ratio, by which its gradient is that of the divergence (DeepSeek-V3.2, and
    TRL unless told otherwise); off, as GRPO was published.
    """
    kl_target: Annotated[float | None, Above(0)] = None
    """Nats of a completion to which the price is adapted, from kl_coefficient on; none: the price is fixed."""
    max_divergence: Annotated[float | None, Above(0)] = None
    """Nats of a completion, as a round measures them, beyond which the training stops, with all saved; none: it goes on."""
    clip: Annotated[float, Above(0, below=1)] = 0.2
    """Clipping range of the ratio of new to old probability."""
    clip_high: Annotated[float | None, Above(0)] = None
    """Upper clipping range, where it is another (DAPO: 0.28); not of ppo."""
    ratio: Ratio = "token"
    """What is clipped: token, each token's ratio; sequence, the whole completion's (RLOO in TRL); sequence_mean, the geometric
    mean of its tokens' (GSPO). Of ppo always token.
    """
    aggregation: Aggregation = "sequence_mean"
    """Of the losses of tokens: sequence_mean, the mean of each completion's mean (GRPO); token_mean, over all tokens (DAPO);
    constant, their sum over the longest possible completions (Dr. GRPO). ppo has always sequence_mean.
    """
    standardize: bool = True
    """group: divide by the deviation of the rewards of a prompt, as GRPO does; off, as Dr. GRPO. leave_one_out, ppo: of all
    advantages of a round, as usual for ppo.
    """
    trace_decay: Annotated[float, AtLeast(0, at_most=1)] = 0.95
    """Decay of the trace of the generalized advantages; ppo only."""
    value_coefficient: Annotated[float, AtLeast(0)] = 0.1
    """Weight of the values' loss; ppo only."""
    value_clip: Annotated[float | None, Above(0)] = None
    """Clipping range of the values around those of the round; none: they are free. ppo only."""
    entropy_coefficient: Annotated[float, AtLeast(0)] = 0.0
    """Weight of the entropy of the next token, as a reward."""
    judged: Annotated[int, AtLeast(2)] = 256
    """Held-out prompts of an evaluation, at most, each completed by the policy and by the reference."""
    tokens: str = "bytes"
    """bytes; a tokenizer.json; tiktoken:NAME; a folder that `prepare text` wrote; or a run folder: its tokens."""
    start: str = ""
    """Run folder of the language model to begin from, with the same tokens and sizes: --from sets it, and them."""
    adapters: Annotated[int, AtLeast(0)] = 0
    """Rank of low-rank adapters, which alone are trained, and without which the policy is the reference; 0: none. Needs peft."""
    adapter_scale: Annotated[float, Above(0)] = 16.0
    """Factor of the adapters' product, divided by their rank."""
    form: Literal[tuple(FORMS)] = "gpt2"
    """Form of the network. --from sets it, and all of the sizes below."""
    extra_rows: Annotated[int, AtLeast(0)] = 0
    """Rows of the table of tokens that stand for none of the tokenizer's."""
    context: Annotated[int, AtLeast(2)] = 128
    """Maximum number of tokens that the network sees."""
    layers: Annotated[int, AtLeast(1)] = 2
    """Number of blocks (attention and feed-forward)."""
    width: Annotated[int, AtLeast(1)] = 96
    """Width of the residual stream."""
    heads: Annotated[int, AtLeast(1)] = 4
    """Number of attention heads; they divide the width."""
    biases: Literal[BIASES] = "feed_forward"
    """gpt2: biases of the norms and the feed-forward blocks; all: of attention, too; none."""
    exact_gelu: bool = False
    """gpt2: x Phi(x) in place of the tanh form."""
    key_value_heads: Annotated[int, AtLeast(1)] = 4
    """llama: number of heads of keys and values, which divides the heads."""
    feed_forward_width: Annotated[int, AtLeast(1)] = 256
    """llama: units of a feed-forward block."""
    tied: bool = True
    """llama: the table of embeddings is the head, too."""
    rotary_base: Annotated[float, Above(0)] = 10000.0
    """llama: base of the angles by which queries and keys are turned."""
    epsilon: Annotated[float, Above(0)] = 1e-5
    """llama: added to the mean square in the norms; 1e-6 in Qwen2."""
    query_key_value_biases: bool = False
    """llama: biases of queries, keys and values, as in Qwen2."""
    pad_vocabulary: bool = False
    """Pad the table of tokens with rows of zeros to a multiple of 64, which suits a GPU; the model is the same."""
    metric: Fixed = "reward"
    direction: Direction = "higher"

    def __post_init__(self):
        super().__post_init__()
        require_terms(self)
        self._require("heads", self.width % self.heads == 0, f"a divisor of the width, {self.width}")
        if self.form == "llama":
            self._require("heads", self.width % (2 * self.heads) == 0, f"a divisor of half the width, {self.width // 2}")
            self._require("key_value_heads", self.heads % self.key_value_heads == 0, f"a divisor of the heads, {self.heads}")
        there = not self.adapters or importlib.util.find_spec("peft") is not None
        self._require("adapters", there, "0 without the package peft: pip install 'diptych[peft]'")
        fits = self.prompt + self.completion <= self.context
        self._require("context", fits, f"at least prompt + completion, {self.prompt} + {self.completion}")
        self._require("kl_target", self.kl_target is None or self.kl_coefficient > 0, "none with a kl_coefficient of 0")
        rows = self.batch_size * self.answers
        self._require("minibatches", self.minibatches <= rows, f"at most the completions of a round, {rows}")

    def loading(self):
        """Prompts as tokens, with the other columns of their rows."""
        return {"prompt": self.prompt, "tokens": self.tokens, "byte_pairs": BytePairTokenizer, "of_run": tokenizer_of_run}


@dataclass(frozen=True)
class Answering(Bounded):
    """Options of the completions."""

    prompt: str = "The "
    """Text to continue."""

    def __post_init__(self):
        super().__post_init__()
        require(self.prompt != "", "prompt is empty; it must have at least one character")


class Rewarded(nn.Module):
    """A policy, its frozen reference, and for ppo a critic on the policy's last hidden state."""

    explains = {
        "reward": Metric("", "mean reward of the policy's completions of held-out prompts"),
        "reward_error": Metric("", "half the width of its interval of 95%"),
        "reference_reward": Metric("", "the same of the reference's completions"),
        "divergence": Metric("nats", "KL(policy || reference) of a completion: exact at each token, mean over the policy's own"),
        "win_rate": Metric("share", "of held-out prompts, completed by both, that the policy wins by its reward; ties half"),
        "win_rate_error": Metric("share", "half the width of its interval of 95%"),
        "length": Metric("tokens", "mean length of the policy's completions"),
        "distinct_1": Metric("share", "of the tokens of all completions, how many are different"),
        "distinct_2": Metric("share", "the same of pairs of tokens that follow each other"),
    }

    def __init__(self, recipe, data):
        super().__init__()
        require_rewards(recipe.reward, recipe.reward_weights)
        self.recipe, self.generator, self.sampling = recipe, None, Answering()
        self.whole_batch, self.folder = WholeBatch(), None
        self.vocabulary, self.end = data.description["vocabulary"], data.description["end"]
        self.policy = policy_network(recipe, self.vocabulary)
        self.reference = reference_network(recipe, self.vocabulary)
        copy_weights(self.policy, self.reference)
        self.critic = nn.Linear(recipe.width, 1) if recipe.estimator == "ppo" else None
        moves = ("policy", "critic") if self.critic else ("policy",)
        # One phase, of which the first turn of a step draws the completions: so several processes share it, also sharded.
        self.phases = (Phase("update", moves, recipe.passes * recipe.minibatches),)
        self.calls = {"policy": "hidden"} | ({"reference": "hidden"} if self.reference is not None else {})
        self.library = data.description["tokenizer"]["library"]
        self.kept, buffer = tokenizer_buffer(data, 0)
        self.register_buffer(self.kept, buffer)
        self.register_buffer("price", torch.tensor(recipe.kl_coefficient))
        self.register_buffer("path", torch.zeros(KEPT, 2))  # nats and score of the last rounds
        self.rewards = Rewards(recipe.reward, recipe.reward_weights, recipe.reward_seconds)
        self._turn, self._rounds, self._before = 0, [], None

    def start(self, batch):
        """Take over the weights of the run that the recipe names; the reference has them, too."""
        take_over(self.recipe, self.policy, self.tokenizer(), lambda line: print(f"warning: {line}", file=sys.stderr))
        copy_weights(self.policy, self.reference)

    def tokenizer(self):
        """The tokenizer of the text."""
        return kept_tokenizer(self.library, self.get_buffer(self.kept))

    def forward(self, batch, phase):
        """The loss of an update on completions of the round; the first turn of a step draws them, for each of its batches."""
        recipe = self.recipe
        turn, part = divmod(self._turn, recipe.accumulate)
        if self._turn == 0:
            self._before = self.generator.get_state(), self.price.clone(), self.path.clone()
        logs = {}
        if turn == 0:
            held, logs = self._collected(batch)
            self._rounds = [*self._rounds[:part], (held, self._orders(len(held.scores)))]
        self._turn = (self._turn + 1) % (self.phases[0].times * recipe.accumulate)
        held, orders = self._rounds[part]
        some = held if recipe.minibatches == 1 else held.rows(orders[turn])
        loss, more = update_loss(recipe, self.policy, self.critic, some, self.price, self.whole_batch)
        return loss, logs | more

    def _orders(self, count):
        """The completions of each turn: every pass takes all of them in another order."""
        if self.recipe.minibatches == 1:
            return None
        device = self.price.device
        passes = (torch.randperm(count, generator=self.generator, device=device) for _ in range(self.recipe.passes))
        return [part for order in passes for part in order.tensor_split(self.recipe.minibatches)]

    def _collected(self, batch):
        """A round: completions of the batch's prompts, rewarded and compared; and what to log."""
        recipe = self.recipe
        prompts, rows = self._prompts(batch, recipe.answers)
        with torch.no_grad():
            alone = self.whole_batch.count == 1
            drawn = drawn_after(recipe, self.policy, prompts, end=self.end, generator=self.generator, together=alone)
        scores = self._scored(rows, drawn)
        held, logs = measured(recipe, self.policy, self.reference, self.critic, drawn, scores, self.price, self.whole_batch)
        logs["price"] = self.price.clone()
        nats = logs.get("nats", torch.zeros_like(self.price))
        if recipe.max_divergence is not None and nats > recipe.max_divergence:
            self._halt(f"the divergence is {nats:.3g} nats a completion, above max_divergence, {recipe.max_divergence:g}")
        self.path.copy_(torch.cat([self.path[1:], torch.stack([nats, logs["score"]])[None]]))
        if recipe.kl_target is not None:
            self.price.copy_(adaptive_coefficient(self.price, nats, target=recipe.kl_target, gain=GAIN))
        return held, logs

    def _prompts(self, batch, times):
        """(prompts as a list, their rows), each so many times in a row."""
        rows = rows_of(batch["columns"])
        prompts = [tokens[:length] for tokens, length in zip(batch["tokens"], batch["length"].tolist(), strict=True)]
        return [prompt for prompt in prompts for _ in range(times)], [row for row in rows for _ in range(times)]

    def _scored(self, rows, drawn):
        """The rewards of completions, [N]. A failure in one process is one in all, which then save the state as it was."""
        complaint = scores = None
        try:
            scores = self._rewarded(rows, self._texts(drawn))
            if self.recipe.estimator == "ppo" and not scores.isfinite().all():
                place = int((~scores.isfinite()).nonzero()[0])
                raise RunError(f"no reward applies to {rows[place]['prompt'][:60]!r}; with ppo each completion needs one")
        except RunError as error:
            complaint = str(error)
        failed = self.whole_batch.total(torch.tensor(float(complaint is not None), device=self.price.device))
        if failed > 0:
            self._halt(complaint or "the reward failed in another process")
        return scores

    def _halt(self, why):
        """Stop, with the state as it was before the step."""
        state, price, path = self._before
        self.generator.set_state(state)
        self.price.copy_(price)
        self.path.copy_(path)
        self._turn = 0
        self.rewards.close()
        raise Halted(why)

    def _texts(self, drawn):
        """The completions without the end of the text."""
        tokenizer, texts = self.tokenizer(), []
        for tokens, mask in zip(drawn.targets().cpu(), drawn.mask.cpu(), strict=True):
            own = tokens[mask]
            own = own[own < tokenizer.vocabulary_size]  # the table may have more rows than the tokenizer has tokens
            texts.append(tokenizer.decode(own[:-1] if len(own) and own[-1] == self.end else own))
        return texts

    def _rewarded(self, rows, texts):
        if self.rewards.log is None and self.folder is not None:
            self.rewards.log = self.folder / "rewards.log"
        return self.rewards(rows, texts).to(self.price.device)

    # ------------------------------------------------------------------------------------------------ looking at it

    def evaluate(self, data):
        """The policy and the reference complete the same held-out prompts."""
        count = min(self.recipe.judged, len(data))
        sums, scores, theirs, drawn_tokens = [], [], [], []
        for places in torch.linspace(0, len(data) - 1, count).round().long().split(max(self.recipe.batch_size, 1)):
            batch = data.batch(places)
            rows, drawn, other = self._both(batch)
            scores.append(self._rewarded(rows, self._texts(drawn)))
            theirs.append(self._rewarded(rows, self._texts(other)))
            nats = self._divergences(drawn)
            sums.append(torch.stack([nats, drawn.mask.sum(1)], dim=1))
            drawn_tokens += [tokens[mask].tolist() for tokens, mask in zip(drawn.targets(), drawn.mask, strict=True)]
        scores, theirs, sums = torch.cat(scores), torch.cat(theirs), torch.cat(sums)
        known = scores.isfinite() & theirs.isfinite()
        if not known.any():
            raise RunError("no reward applies to any of the held-out completions: mend the reward function or the data")
        ours, others = scores[known], theirs[known]
        wins = (ours > others).float() + (ours == others).float() / 2
        divergence, length = sums.mean(0).tolist()
        return {
            "reward": ours.mean().item(),
            "reward_error": _interval(ours),
            "reference_reward": others.mean().item(),
            "divergence": divergence,
            "win_rate": win_rate(ours, others).item(),
            "win_rate_error": _interval(wins),
            "length": length,
            "distinct_1": _distinct(drawn_tokens, 1),
            "distinct_2": _distinct(drawn_tokens, 2),
        }

    def _divergences(self, drawn):
        """KL(policy || reference) of the tokens of each completion, added, [N]: one after another, as logits take much memory."""
        hidden = drawn.hidden(self.policy)
        with as_reference(self.policy, self.reference) as network:
            other = drawn.hidden(network)
            return torch.stack(
                [
                    token_kl(self.policy.logits(ours[mask]).float(), network.logits(theirs[mask]).float()).sum()
                    for ours, theirs, mask in zip(hidden, other, drawn.mask, strict=True)
                ]
            )

    def _both(self, batch):
        """(rows, completions by the policy, completions by the reference) of a batch's prompts."""
        prompts, rows = self._prompts(batch, 1)
        terms = dict(end=self.end, generator=self.generator)
        drawn = drawn_after(self.recipe, self.policy, prompts, **terms)
        with as_reference(self.policy, self.reference) as network:
            return rows, drawn, drawn_after(self.recipe, network, prompts, **terms)

    def preview(self, data):
        """Held-out prompts with the completions of both and their rewards; and the path of the rounds."""
        rows, drawn, other = self._both(data.batch(torch.arange(min(len(data), 4))))
        lines = []
        shown = {"policy": self._texts(drawn), "reference": self._texts(other)}
        rewards = {name: self._rewarded(rows, texts).tolist() for name, texts in shown.items()}
        for number, row in enumerate(rows):
            lines.append(f"{row['prompt']!r}")
            lines += [f"    {name:9s} {rewards[name][number]:+8.3f}  {texts[number]!r}" for name, texts in shown.items()]
        path = self.path[self.path.abs().sum(1) > 0].cpu()
        pictures = {"path": score_by_nats(path, "reward of a completion")} if len(path) else {}
        return {"completions": Text("\n".join(lines), "Held-out prompts, completed by both, with rewards")} | pictures

    def sample(self, count):
        """`count` completions of the prompt."""
        prompt = self.tokenizer().encode(self.sampling.prompt)
        if len(prompt) >= self.recipe.context:
            raise OptionError(f"prompt has {len(prompt)} tokens; the model sees {self.recipe.context}: give a shorter one")
        prompts = [prompt.to(self.price.device)] * count
        drawn = drawn_after(self.recipe, self.policy, prompts, end=self.end, generator=self.generator)
        texts = [self.sampling.prompt + text for text in self._texts(drawn)]
        return {"text": Text("\n\n".join(texts), "Completions by the policy")}


def _interval(values):
    """Half the width of the interval of 95% of the mean of values; infinite of a single one, which JSON has not: then 0."""
    return NORMAL_95 * values.std().item() / math.sqrt(len(values)) if len(values) > 1 else 0.0


def _distinct(rows, n):
    """distinct-n: different n-grams of all the rows, as a share of all; 0 without any.  Source: Li et al. 2016."""
    grams = [tuple(row[k : k + n]) for row in rows for k in range(len(row) - n + 1)]
    return len(set(grams)) / len(grams) if grams else 0.0


def begun_from(recipe, run):
    """The recipe with form, sizes and tokens of the run of a language model.  RunError if prompts do not fit into its context."""
    try:
        return begin(recipe, run)
    except RunError:
        raise
    except ValueError as error:
        raise RunError(f"{run.folder} does not fit this recipe: {error}") from None
