"""Offline alignment of a language model: demonstrations, a reward model, preferences, judgements; with a reference or without."""

import sys
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from torch import nn

from practice_torch.arguments import require
from practice_torch.autoregressive.tokenization import BytePairTokenizer
from practice_torch.engine.artifacts import Text
from practice_torch.engine.bounds import Above, AtLeast, Bounded
from practice_torch.engine.distributed.whole_batch import WholeBatch
from practice_torch.engine.errors import OptionError
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Direction, Fixed, Recipe
from practice_torch.experiments.alignment.methods import (
    COLUMNS,
    KEEPING,
    METHODS,
    OF_REFERENCE,
    mismatched,
    of_judgements,
    of_pairs,
)
from practice_torch.experiments.alignment.policy import (
    FORMS,
    as_reference,
    conditions,
    copy_weights,
    policy_network,
    reference_network,
    take_over,
    tokenizer_of_run,
)
from practice_torch.experiments.alignment.scoring import kept_log_probs, scored
from practice_torch.experiments.language.completions import answers
from practice_torch.experiments.language.tokens import kept_tokenizer, tokenizer_buffer
from practice_torch.networks.decoder_transformer import BIASES
from practice_torch.preference.pipeline import completion_mask
from practice_torch.preference.reward_model import pairwise_reward_loss, preference_accuracy, sequence_reward


@dataclass(frozen=True)
class AlignmentRecipe(Recipe):
    """A language model is tuned to demonstrations, preferences or judgements; it begins from a run (--from), or from noise."""

    modality: ClassVar[str] = "alignment"
    begins_anew: ClassVar[bool] = True
    data: str = "pydoc"
    """pydoc (the help pages of Python), or your own .jsonl or .parquet file, with the columns that the method takes."""
    method: Literal[METHODS] = "dpo"
    """supervised: prompts and completions; reward, dpo, robust, ipo, hinge, orpo, simpo: pairs; kto: labelled completions."""
    tokens: str = "bytes"
    """bytes; a tokenizer.json; tiktoken:NAME; a folder that `prepare text` wrote; or a run folder: its tokens."""
    chat_template: str = ""
    """File of a chat template in Jinja, or a folder that has one, by which messages become text; --from sets that of the run."""
    packing: bool = False
    """supervised: put several examples into a row of `context` tokens, of which none sees another; batch_size counts rows."""
    keep_reference: bool = False
    """dpo, robust, ipo, hinge: compute the reference's log-probabilities once, at the start, and keep them in place of it."""
    start: str = ""
    """Run folder of the language model to begin from, with the same tokens and sizes: --from sets it, and them."""
    kl_coefficient: Annotated[float, Above(0)] = 0.1
    """dpo, robust, hinge, kto: price of a nat of divergence from the reference; ipo: half its inverse is the margin to be met."""
    label_smoothing: Annotated[float, AtLeast(0, below=0.5)] = 0.0
    """dpo: assumed share of pairs with a wrong label."""
    flip_probability: Annotated[float, AtLeast(0, below=0.5)] = 0.1
    """robust: share of the labels that are taken to be wrong."""
    per_token: bool = True
    """ipo: log-probabilities are means over the tokens of a completion, as in the authors' runs; off: sums, as in their paper."""
    scale: Annotated[float, Above(0)] = 2.0
    """simpo: factor of the difference between the mean log-probabilities of a token."""
    margin: Annotated[float, AtLeast(0)] = 1.0
    """simpo: margin subtracted from that difference, scaled."""
    odds_weight: Annotated[float, AtLeast(0)] = 0.1
    """orpo: weight of the odds, next to the supervised loss of the chosen completion."""
    desirable_weight: Annotated[float, AtLeast(0)] = 1.0
    """kto: weight of the desirable completions."""
    undesirable_weight: Annotated[float, AtLeast(0)] = 1.0
    """kto: weight of the others."""
    center_coefficient: Annotated[float, AtLeast(0)] = 0.0
    """reward: weight of the squared sum of the rewards of a pair, which pulls them to 0."""
    adapters: Annotated[int, AtLeast(0)] = 0
    """Rank of low-rank adapters, which alone are trained, and without which the policy is the reference; 0: none. Needs peft."""
    adapter_scale: Annotated[float, Above(0)] = 16.0
    """Factor of the adapters' product, divided by their rank."""
    form: Literal[tuple(FORMS)] = "gpt2"
    """Form of the network. --from sets it, and all of the sizes below."""
    extra_rows: Annotated[int, AtLeast(0)] = 0
    """Rows of the table of tokens that stand for none of the tokenizer's."""
    context: Annotated[int, AtLeast(4)] = 128
    """Maximum number of tokens of a prompt and a completion; longer ones are cut, with a note."""
    layers: Annotated[int, AtLeast(1)] = 2
    """Number of blocks (attention and feed-forward)."""
    width: Annotated[int, AtLeast(16)] = 96
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
    metric: Fixed = "accuracy"
    direction: Direction = "higher"

    def __post_init__(self):
        super().__post_init__()
        for condition in conditions(self):
            self._require(*condition)
        self._require("packing", not self.packing or self.method == "supervised", f"off with the method {self.method}")
        fits = not self.keep_reference or self.method in KEEPING
        self._require("keep_reference", fits, f"off with {self.method}; on with {', '.join(KEEPING)}")

    def loading(self):
        """Examples as tokens, in the columns of the method."""
        columns = COLUMNS.get(self.method, "pairs")
        known = {"byte_pairs": BytePairTokenizer, "of_run": tokenizer_of_run}
        known |= {"chat_template": self.chat_template, "packing": self.packing}
        return {"context": self.context, "columns": columns, "tokens": self.tokens} | known


ALONE = WholeBatch()  # an evaluation's


@dataclass(frozen=True)
class Continuing(Bounded):
    """Options of the completions."""

    prompt: str = "The "
    """Text to continue."""
    length: Annotated[int, AtLeast(1)] = 64
    """Number of tokens of a completion, at most: it ends where the model ends the text."""

    def __post_init__(self):
        super().__post_init__()
        require(self.prompt != "", "prompt is empty; it must have at least one character")


class Aligned(nn.Module):
    """A policy; and the frozen reference, or the head of its rewards, where the method has one."""

    explains = {
        "nats_per_token": Metric("nats per token", "-log p of held-out completions, by the policy"),
        "accuracy": Metric(
            "share",
            "of held-out pairs with the larger reward for the chosen one; of judgements, told apart; of tokens, likeliest",
        ),
        "margin": Metric("nats", "mean difference of the rewards of chosen and rejected completions"),
        "reward_chosen": Metric("nats", "mean reward of the chosen or desirable completions"),
        "reward_rejected": Metric("nats", "mean reward of the others"),
        "log_prob_chosen": Metric("nats", "mean log p of the chosen or desirable completions, by the policy"),
        "log_prob_rejected": Metric("nats", "the same of the others"),
        "divergence": Metric(
            "nats", "the point from which judgements are measured: the mean log-ratio of mismatched completions"
        ),
    }

    def __init__(self, recipe, data):
        super().__init__()
        self.recipe, self.generator, self.sampling = recipe, None, Continuing()
        self.whole_batch = WholeBatch()
        vocabulary = data.description["vocabulary"]
        self.policy, self.reference, self.head = policy_network(recipe, vocabulary), None, None
        self.of_data = data.description.get("sha256")
        if recipe.keep_reference:
            self.register_buffer("reference_log_probs", torch.zeros(data.description["examples"], 2))
        elif recipe.method in OF_REFERENCE:
            self.reference = reference_network(recipe, vocabulary)
            copy_weights(self.policy, self.reference)
        self.calls = {"policy": "hidden"} | ({"reference": "hidden"} if self.reference is not None else {})
        if recipe.method == "reward":
            self.head = nn.Linear(recipe.width, 1, bias=False)
            nn.init.normal_(self.head.weight, std=(recipe.width + 1) ** -0.5)  # Stiennon et al. 2020
            self.policy.head = None  # no reward depends on it
        self.phases = (Phase("train", ("policy", "head") if self.head is not None else ("policy",)),)
        self.library = data.description["tokenizer"]["library"]
        self.kept, buffer = tokenizer_buffer(data, 0)
        self.register_buffer(self.kept, buffer)

    def start(self, batch):
        """Take over the weights of the run that the recipe names; the reference has them, too."""
        take_over(self.recipe, self.policy, self.tokenizer(), lambda line: print(f"warning: {line}", file=sys.stderr))
        copy_weights(self.policy, self.reference)

    def prepare(self, *parts):
        """Keep what the reference, which is the policy before its first step, gives to the examples of the data."""
        if self.recipe.keep_reference:
            kept, size = self.reference_log_probs, max(self.recipe.batch_size, 1)
            kept.copy_(kept_log_probs(self._of_policy, parts, kept, self.whole_batch, size))

    def tokenizer(self):
        """The tokenizer of the text."""
        return kept_tokenizer(self.library, self.get_buffer(self.kept))

    def count(self, batch, phase):
        """Tokens of demonstrations; elsewhere examples."""
        if self.recipe.method == "supervised":
            return _counting(batch).sum()
        return len(batch["prompt"])

    def forward(self, batch, phase):
        """The mean loss of the method: of a token, a pair or a judgement."""
        if self.recipe.method == "supervised":
            log_prob, right, count = self._demonstrated(batch)
            all_right, all_count = self.whole_batch.total(torch.stack([right, count]))
            return -log_prob / count, {"accuracy": all_right / all_count}
        found = self._found(batch, self.whole_batch)
        return found["losses"].mean(), _means({name: value.detach() for name, value in found.items()}, self.whole_batch)

    def evaluate(self, data):
        """The metrics of held-out examples."""
        if self.recipe.method == "supervised":
            sums = [torch.stack([part.double() for part in self._demonstrated(some)]) for some in self._held_out(data)]
            log_prob, right, count = torch.stack(sums).sum(0).tolist()
            return {"accuracy": right / count, "nats_per_token": -log_prob / count}
        if self.recipe.keep_reference and data.description["sha256"] != self.of_data:
            raise OptionError("keep_reference is on, and so the reference is known of the run's own data alone: leave --data out")
        parts = [self._found(batch, ALONE) for batch in self._held_out(data)]
        whole = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        return {name: value.item() for name, value in _means(whole, ALONE).items()}

    def preview(self, data):
        """How the policy goes on after some held-out prompts, next to the completions there."""
        few, lines, tokenizer = data.batch(torch.arange(min(len(data), 3))), [], self.tokenizer()
        for texts, prompt, lengths in zip(few["tokens"], few["prompt"].tolist(), few["length"].tolist(), strict=True):
            lines.append(f"{tokenizer.decode(texts[0, :prompt])!r}")
            lines += [f"    held out {tokenizer.decode(row[prompt:end])!r}" for row, end in zip(texts, lengths, strict=True)]
            if prompt and self.head is None:
                lines.append(f"    policy   {self._answers(texts[:1, :prompt], max(lengths) - prompt)[0]!r}")
        return {"completions": Text("\n".join(lines), "Held-out prompts with their completions, and how the policy goes on")}

    def sample(self, count):
        """`count` completions of the prompt; of a reward model, random tokens after it, best first."""
        prompt = self.tokenizer().encode(self.sampling.prompt)
        if len(prompt) > self.recipe.context:
            raise OptionError(f"prompt has {len(prompt)} tokens; the model sees {self.recipe.context}: give a shorter one")
        prompts = prompt.to(self.get_buffer(self.kept).device).expand(count, -1)
        if self.head is None:
            answers = self._answers(prompts, self.sampling.length)
            return {"text": Text("\n\n".join(self.sampling.prompt + answer for answer in answers), "Completions by the policy")}
        size = (count, max(min(self.sampling.length, self.recipe.context - prompts.shape[1]), 0))
        kinds = self.tokenizer().vocabulary_size
        drawn = torch.randint(kinds, size, generator=self.generator, device=prompts.device)
        texts = torch.cat([prompts, drawn], dim=1)
        rewards = self.rewards(texts, torch.full((count,), texts.shape[1], device=texts.device))
        lines = [f"{rewards[row]:+7.3f}  {self.tokenizer().decode(texts[row])!r}" for row in rewards.argsort(descending=True)]
        return {"text": Text("\n".join(lines), "Rewards of random tokens after the prompt, best first")}

    def rewards(self, tokens, lengths):
        """The reward of each text, its first lengths [B] of tokens [B, T], at its last token: [B]."""
        mask = torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]
        weight = self.head.weight[0]
        return sequence_reward(self.policy.hidden(tokens), mask, weight, weight.new_zeros(()))

    # ------------------------------------------------------------------------------------------------ what a batch gives

    def _found(self, batch, whole_batch):
        """{name: values of the examples} of a batch: losses, whether they are told apart, rewards and log-probabilities."""
        if self.recipe.method == "reward":
            return self._of_rewards(batch)
        return self._of_judgements(batch, whole_batch) if self.recipe.method == "kto" else self._of_pairs(batch)

    def _demonstrated(self, batch):
        """Sums over the tokens of the completions: log p, how many are the likeliest ones, and how many there are."""
        mask = _counting(batch)
        log_probs, likeliest = scored(self.policy, batch["tokens"][:, 0], mask, batch.get("segments"))
        return log_probs.sum(), likeliest.sum(), mask.sum()

    def _of_rewards(self, batch):
        tokens, lengths = batch["tokens"].transpose(0, 1).flatten(0, 1), batch["length"].T.flatten()
        chosen, rejected = self.rewards(tokens, lengths).chunk(2)
        losses = pairwise_reward_loss(chosen, rejected, margin=batch["margin"], center_coefficient=self.recipe.center_coefficient)
        found = {"losses": losses, "accuracy": preference_accuracy(chosen.detach(), rejected.detach())}
        return found | {"reward_chosen": chosen, "reward_rejected": rejected}

    def _of_pairs(self, batch):
        ours, theirs = self._log_probs(self.policy, batch), self._reference_log_probs(batch)
        lengths = (batch["length"] - batch["prompt"][:, None]).unbind(1)
        losses, chosen, rejected = of_pairs(self.recipe, ours, theirs, lengths)
        found = {"losses": losses, "accuracy": preference_accuracy(chosen, rejected)}
        found |= {"reward_chosen": chosen, "reward_rejected": rejected}
        return found | {"log_prob_chosen": ours[0], "log_prob_rejected": ours[1]}

    def _of_judgements(self, batch, whole_batch):
        (ours,), (theirs,) = self._log_probs(self.policy, batch), self._reference_log_probs(batch)
        with torch.no_grad():
            rows = batch["tokens"][:, 0], batch["prompt"], batch["length"][:, 0]
            tokens, lengths = mismatched(*rows, whole_batch, self.recipe.context)
            other = {"tokens": tokens[:, None], "prompt": batch["prompt"], "length": lengths[:, None]}
            (a,), (b,) = self._log_probs(self.policy, other), self._reference_log_probs(other)
            point = (whole_batch.total((a - b).mean()) / whole_batch.count).clamp(min=0)
        losses = of_judgements(self.recipe, ours, theirs, batch["label"], point)
        ratio, label = (ours - theirs).detach(), batch["label"]
        found = {"losses": losses, "accuracy": torch.where(label, ratio > point, ratio < point)}
        found |= {"divergence": point.expand_as(losses), "label": label}
        return found | {"reward": self.recipe.kl_coefficient * ratio, "log_prob": ours}

    def _log_probs(self, network, batch):
        """log p of every completion of a batch, [B] each."""
        several = batch["tokens"].shape[1]
        tokens, lengths = batch["tokens"].transpose(0, 1).flatten(0, 1), batch["length"].T.flatten()
        mask = completion_mask(batch["prompt"].repeat(several), lengths, width=tokens.shape[1])
        return scored(network, tokens, mask[:, 1:])[0].sum(1).chunk(several)

    def _of_policy(self, batch):
        return self._log_probs(self.policy, batch)

    def _reference_log_probs(self, batch):
        """The same by the reference; None of a method without one."""
        if self.recipe.method not in OF_REFERENCE:
            return None
        if self.recipe.keep_reference:
            return self.reference_log_probs[batch["row"]].unbind(1)
        with as_reference(self.policy, self.reference) as network:
            return self._log_probs(network, batch)

    def _held_out(self, data):
        return (data.batch(some) for some in torch.arange(len(data)).split(max(self.recipe.batch_size, 1)))

    def _answers(self, prompts, count):
        """Texts that the policy draws behind the prompts [N, P], up to where it ends them."""
        of_bytes = self.library == "bytes"
        return answers(self.policy, prompts, count, self.generator, self.tokenizer(), of_bytes=of_bytes)


def _counting(batch):
    """Which tokens of demonstrations but the first are learned, [B, T-1]."""
    if "learned" in batch:
        return batch["learned"][:, 1:]
    return completion_mask(batch["prompt"], batch["length"][:, 0], width=batch["tokens"].shape[2])[:, 1:]


def _means(found, whole_batch):
    """The means of what `_found` gives: of judgements those of the desirable ones and of the others apart."""
    label, means = found.get("label"), {}
    for name, values in found.items():
        if name in ("reward", "log_prob"):
            for which, weights in (("chosen", label), ("rejected", ~label)):
                total, count = whole_batch.total(torch.stack([(values * weights).sum(), weights.sum()]))
                means[f"{name}_{which}"] = total / count.clamp(min=1)  # a batch may have none
        elif name not in ("losses", "label"):
            means[name] = values.float().mean()
    return means | {"margin": means["reward_chosen"] - means["reward_rejected"]}


def build(recipe, data):
    """The experiment of a recipe."""
    return Aligned(recipe, data)
