"""Online alignment of a language model: it draws completions of prompts, they are rewarded, and it learns from them."""

import sys
from dataclasses import dataclass

import torch
from torch import nn

from practice_torch.arguments import require
from practice_torch.data.prompts.prompts import rows_of
from practice_torch.engine.artifacts import Text
from practice_torch.engine.bounds import Bounded
from practice_torch.engine.distributed.whole_batch import WholeBatch
from practice_torch.engine.errors import Halted, OptionError, RunError
from practice_torch.engine.estimate import ANY, FRACTION, mean_interval
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.experiments.alignment.online_recipe import OnlineRecipe as OnlineRecipe
from practice_torch.experiments.alignment.policy import as_reference, copy_weights, policy_network, reference_network, take_over
from practice_torch.experiments.alignment.rewards import Rewards, require_rewards
from practice_torch.experiments.alignment.rollouts import Drawn, drawn_after, has_values, measured, seeds_of, update_loss
from practice_torch.experiments.language.tokens import kept_tokenizer, tokenizer_buffer
from practice_torch.pictures.tuning import score_by_nats
from practice_torch.preference.pipeline import win_rate
from practice_torch.reinforcement.kl_estimators import adaptive_coefficient, token_kl

# Of the adaptive price: with the clip at 0.2 it changes by three tenths a round at most. It does not fall below the first price:
# while a policy is on its way to the target, it would fall to nothing (measured: from 0.02 to 0.0008 in 10 rounds), and the
# divergence would run past the target before it is back.
GAIN = 1.5
KEPT = 512  # rounds of the path in a picture


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
        self.current = None  # the completions of the last loss
        self._turn, self._rounds, self._before = 0, [], None

    def start(self, batch):
        """Take over the weights of the run that the recipe names; the reference has them, too."""
        require_rewards(self.recipe.reward)
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
            drawn = None if self.generator is None else self.generator.get_state()  # none where its operations are counted
            self._before = drawn, self.price.clone(), self.path.clone()
        logs, fresh = {}, None
        if turn == 0:
            fresh, logs = self._collected(batch)
            self._rounds = [*self._rounds[:part], (fresh.constants(), self._orders(len(fresh.scores)))]
        self._turn = (self._turn + 1) % (self.phases[0].times * recipe.accumulate)
        held, orders = self._rounds[part]
        self.current = held if recipe.minibatches == 1 else held.rows(orders[turn])
        taken = fresh if fresh and fresh.law else self.current
        loss, more = update_loss(recipe, self.policy, self.critic, taken, self.price, self.whole_batch)
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
        with torch.no_grad():
            drawn, scores = (self._drawn if has_values(batch["tokens"]) else self._imagined)(batch)
        networks, keep = (self.policy, self.reference, self.critic), recipe.minibatches == 1 and torch.is_grad_enabled()
        held, logs = measured(recipe, *networks, drawn, scores, self.price, self.whole_batch, keep=keep)
        logs["price"] = self.price.clone()
        nats = logs.get("nats", torch.zeros_like(self.price))
        if recipe.max_divergence is not None and nats > recipe.max_divergence:
            self._halt(f"the divergence is {nats:.3g} nats a completion, above max_divergence, {recipe.max_divergence:g}")
        self.path.copy_(torch.cat([self.path[1:], torch.stack([nats, logs["score"]])[None]]))
        if recipe.kl_target is not None:
            price = adaptive_coefficient(self.price, nats, target=recipe.kl_target, gain=GAIN)
            self.price.copy_(price.clamp(min=recipe.kl_coefficient))
        return held, logs

    def _drawn(self, batch):
        """Completions of the batch's prompts, and their rewards."""
        prompts, rows = self._prompts(batch, self.recipe.answers)
        seeds = seeds_of(prompts, self.generator, self.whole_batch)
        with self.whole_batch.gathered():
            drawn = drawn_after(self.recipe, self.policy, prompts, end=self.end, seeds=seeds)
        return drawn, self._scored(rows, drawn)

    def _imagined(self, batch):
        """The same of tensors without values, on which a step's cost is measured: all completions have their full length, and
        each of their tokens is read once, as with a cache.
        """
        recipe, known = self.recipe, batch["tokens"].repeat_interleave(self.recipe.answers, 0)
        tokens = nn.functional.pad(known, (0, recipe.completion))
        for some in self.policy.hidden(tokens)[:, -recipe.completion - 1 : -1].split(16, dim=1):
            self.policy.logits(some)
        lengths = torch.full((len(tokens),), known.shape[1], device=tokens.device)
        mask = torch.ones(len(tokens), recipe.completion, dtype=torch.bool, device=tokens.device)
        return Drawn(tokens, lengths, mask), torch.zeros(len(tokens), device=tokens.device)

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
                raise RunError(f"no reward applies to {rows[place]['prompt']!r:.80}; with ppo each completion needs one")
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
            **_half_width("reward_error", ours),
            "reference_reward": others.mean().item(),
            "divergence": divergence,
            "win_rate": win_rate(ours, others).item(),
            **_half_width("win_rate_error", wins, FRACTION),
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
        drawn = self._completed(self.policy, prompts)
        with as_reference(self.policy, self.reference) as network:
            return rows, drawn, self._completed(network, prompts)

    def _completed(self, network, prompts):
        return drawn_after(self.recipe, network, prompts, end=self.end, seeds=seeds_of(prompts, self.generator))

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
        drawn = self._completed(self.policy, prompts)
        texts = [self.sampling.prompt + text for text in self._texts(drawn)]
        return {"text": Text("\n\n".join(texts), "Completions by the policy")}


def _half_width(name, values, within=ANY):
    """{name: half the width of the interval of 95% of the mean of values}; nothing of a single value, whose is not known."""
    estimate = mean_interval(values, within)
    return {name: (estimate.high - estimate.low) / 2} if len(values) > 1 else {}


def _distinct(rows, n):
    """distinct-n: different n-grams of all the rows, as a share of all; 0 without any.  Source: Li et al. 2016."""
    grams = [tuple(row[k : k + n]) for row in rows for k in range(len(row) - n + 1)]
    return len(set(grams)) / len(grams) if grams else 0.0
