"""Completions of prompts of different lengths, and what an update of the policy needs of them: PPO, RLOO, GRPO and their options.

    drawn = drawn_after(terms, policy, prompts, end=0, seeds=seeds)
    rollout = measured(terms, policy, reference, critic, drawn, scores, price, whole_batch)
    loss, logs = update_loss(terms, policy, critic, rollout.rows(places), price, whole_batch)  # of each update

A row of tokens [N, L] is a prompt, its completion up to the end of text, and zeros; a causal network sees neither zeros nor other
rows. What belongs to the tokens of a completion is [N, C], with a mask. terms: an OnlineRecipe.
"""

import math
from dataclasses import dataclass, fields, replace
from typing import Literal, NamedTuple

import torch
from torch._subclasses import FakeTensor  # torch exports it nowhere else

from practice_torch.experiments.alignment.policy import as_reference
from practice_torch.experiments.language.completing import complete
from practice_torch.experiments.language.decoding import Decoding
from practice_torch.reinforcement.group_policy import (
    MODES,
    aggregate_tokens,
    group_normalized_advantages,
    group_token_loss,
    leave_one_out_advantages,
)
from practice_torch.reinforcement.kl_estimators import kl_k1, kl_k3
from practice_torch.reinforcement.language_policy import shaped_rewards
from practice_torch.reinforcement.ppo import ppo_loss
from practice_torch.reinforcement.returns import generalized_advantages, lambda_returns, whiten

EPSILON = 1e-8  # added to a deviation by which advantages are divided
Estimator = Literal["ppo", "group", "leave_one_out"]
Ratio = Literal["token", "sequence", "sequence_mean"]
Aggregation = Literal[MODES]


def require_terms(terms):
    """ValueError for settings that do not go together."""
    alone = terms.answers == 1 and terms.estimator != "ppo"
    for name, wrong, allowed in (
        ("answers", alone, f"at least 2 with {terms.estimator}: the other completions of a prompt are its baseline"),
        ("ratio", terms.estimator == "ppo" and terms.ratio != "token", "token with ppo"),
        ("clip_high", terms.estimator == "ppo" and terms.clip_high is not None, "none with ppo"),
        ("value_clip", terms.estimator != "ppo" and terms.value_clip is not None, "none without ppo"),
    ):
        if wrong:
            raise ValueError(f"{name} is {getattr(terms, name)}; it must be {allowed}")


def uses_reference(terms):
    """Whether log-probabilities of the reference are computed in the training."""
    return terms.kl_coefficient > 0 or terms.max_divergence is not None


def has_values(tensor):
    """Whether a tensor can be read: not where a step's cost is measured."""
    return not (tensor.is_meta or isinstance(tensor, FakeTensor))


@dataclass(frozen=True)
class Drawn:
    """Completions: tokens [N, L], of which the first prompts [N] are given; mask [N, C], True up to the end of the completion."""

    tokens: torch.Tensor
    prompts: torch.Tensor
    mask: torch.Tensor

    def targets(self):
        """The tokens of the completions, [N, C]; what the mask leaves out is arbitrary."""
        return self.tokens.gather(1, self._places(1))

    def hidden(self, network):
        """The hidden states from which they are drawn, [N, C, E]."""
        states = network.hidden(self.tokens[:, :-1])
        return states.gather(1, self._places(0)[..., None].expand(-1, -1, states.shape[-1]))

    def _places(self, after):
        steps = torch.arange(self.mask.shape[1], device=self.tokens.device)
        return (self.prompts[:, None] - 1 + after + steps).clamp(max=self.tokens.shape[1] - 2 + after)


class Law(NamedTuple):
    """What the policy in training gives to the tokens of completions, [N, C]; values of a critic, if there is one."""

    log_probs: torch.Tensor
    entropy: torch.Tensor
    values: torch.Tensor | None


@dataclass(frozen=True)
class Measured:
    """A round: what was drawn, the scores [N], NaN where no reward applies, and constants of every token [N, C]."""

    drawn: Drawn
    scores: torch.Tensor
    old_log_probs: torch.Tensor
    reference_log_probs: torch.Tensor
    advantages: torch.Tensor
    old_values: torch.Tensor
    returns: torch.Tensor
    law: Law | None = None  # with its graph, for the update by the policy that drew the completions

    def rows(self, places):
        """Some of the completions."""
        drawn = Drawn(*(getattr(self.drawn, field.name)[places] for field in fields(Drawn)))
        return replace(self, drawn=drawn, law=None, **{f.name: getattr(self, f.name)[places] for f in fields(self)[1:-1]})

    def constants(self):
        """All of it without the graph."""
        return replace(self, law=None)


# -------------------------------------------------------------------------------------------------------- completions


def seeds_of(prompts, generator, whole_batch=None):
    """A seed for each of the prompts, a list; of several processes those that one process draws for the whole batch."""
    count, rank = (1, 0) if whole_batch is None else (whole_batch.count, whole_batch.rank)
    drawn = torch.randint(2**62, (count * len(prompts),), generator=generator, device=generator.device)
    if count > 1:
        drawn = whole_batch.of_first(drawn)[rank * len(prompts) : (rank + 1) * len(prompts)]
    return drawn.tolist()


def drawn_after(terms, network, prompts, *, end, seeds):
    """Completions of the prompts, a list of int64 [P_b], each with its seed: the Drawn, on the network's device.

    end: the token that ends a text and belongs to its completion; none: all have `completion` tokens, or fill the context.
    """
    found = complete(
        network,
        prompts,
        new_tokens=terms.completion,
        seeds=seeds,
        decoding=Decoding(temperature=terms.temperature),
        stop=() if end is None else (end,),
    )
    mask = found.mask
    known = torch.tensor([len(prompt) for prompt in prompts], device=mask.device)
    tokens = torch.zeros(len(prompts), int((known + mask.sum(1)).max()), dtype=torch.int64, device=mask.device)
    for row, prompt in zip(tokens, prompts, strict=True):
        row[: len(prompt)] = prompt
    rows, steps = mask.nonzero(as_tuple=True)
    tokens[rows, known[rows] + steps] = found.tokens[rows, steps]
    return Drawn(tokens, known, mask)


def token_law(terms, network, hidden, drawn):
    """(log pi of the tokens of completions, the entropies of what they are drawn from), in nats, [N, C], 0 where masked."""
    found = network.log_probs(hidden / terms.temperature, drawn.targets())
    return found.log_probs.masked_fill(~drawn.mask, 0.0), found.entropy.masked_fill(~drawn.mask, 0.0)


def law_of(terms, policy, critic, drawn):
    """The Law of completions."""
    hidden = drawn.hidden(policy)
    values = critic(hidden)[..., 0].float() if critic else None
    return Law(*token_law(terms, policy, hidden, drawn), values)


# -------------------------------------------------------------------------------------------------------- a round


@torch.no_grad()
def measured(terms, policy, reference, critic, drawn, scores, price, whole_batch, *, keep=False):
    """The round of completions with these scores, NaN where no reward applies: the Measured, and what to log.

    price: of a nat, a scalar tensor. The logs are means over the processes' completions, nats are of a completion. keep: the
    Measured has the Law with its graph, so that the first update needs no other forward pass.
    """
    reference_log_probs = None
    if uses_reference(terms):
        with as_reference(policy, reference) as network:
            reference_log_probs, _ = token_law(terms, network, drawn.hidden(network), drawn)
    with torch.set_grad_enabled(keep):
        law = law_of(terms, policy, critic, drawn)
    log_probs, entropy = law.log_probs.detach(), law.entropy.detach()
    reference_log_probs = log_probs if reference_log_probs is None else reference_log_probs
    values = torch.zeros_like(log_probs) if law.values is None else law.values.detach().masked_fill(~drawn.mask, 0.0)
    advantages, returns = advantages_of(
        terms, scores, log_probs, reference_log_probs, values, drawn.mask, price=price, whole_batch=whole_batch
    )
    lengths, known = drawn.mask.sum(1).float(), scores.isfinite()
    estimates = {"nats": kl_k1, "k3": kl_k3} if uses_reference(terms) else {}
    nats = {name: estimate(log_probs, reference_log_probs).sum(1) for name, estimate in estimates.items()}
    sums = {
        "score": (scores.nan_to_num().sum(), known.sum()),
        **{name: (each.sum(), known.new_tensor(len(each), dtype=torch.int64)) for name, each in nats.items()},
        "entropy": (entropy.sum(), drawn.mask.sum()),
        "length": (lengths.sum(), known.new_tensor(len(lengths), dtype=torch.int64)),
    }
    pairs = whole_batch.total(torch.stack([torch.stack([total.double(), count.double()]) for total, count in sums.values()]))
    logs = {name: (total / count.clamp(min=1)).float() for name, (total, count) in zip(sums, pairs, strict=True)}
    constants = scores, log_probs, reference_log_probs, advantages, values, returns
    return Measured(drawn, *constants, law if keep else None), logs


def advantages_of(terms, scores, log_probs, reference_log_probs, values, mask, *, price, whole_batch):
    """(advantages, returns) of every token, [N, C]: answers of a prompt are consecutive rows.

    With group the divergence is a part of the loss; otherwise it is paid from the reward. A completion without a reward has the
    advantage 0, and no part in the baseline of the others.
    """
    if terms.estimator == "ppo":
        if terms.kl_coefficient > 0:
            # in units of the price, which is a tensor: whether it is positive would have to be asked of the device
            pair = log_probs, reference_log_probs
            rewards = price * shaped_rewards(scores / price, *pair, mask, kl_coefficient=1.0)
        else:
            rewards = shaped_rewards(scores, log_probs, log_probs, mask, kl_coefficient=0.0)
        steps = torch.arange(mask.shape[1], device=mask.device)
        ends = steps == mask.sum(1, keepdim=True) - 1
        process = rewards, torch.cat([values, torch.zeros_like(values[:, :1])], dim=1), ends
        decays = {"discount": 1.0, "trace_decay": terms.trace_decay}
        advantages, returns = generalized_advantages(*process, **decays), lambda_returns(*process, **decays)
        return (_whitened(advantages, mask, whole_batch) if terms.standardize else advantages), returns
    compared = leave_one_out_advantages
    if terms.estimator == "group":
        compared = group_normalized_advantages if terms.standardize else _centered
    else:
        scores = scores - price * kl_k1(log_probs, reference_log_probs).sum(1)
    advantages = _by_groups(compared, scores.view(-1, terms.answers)).view(-1, 1)
    if terms.estimator == "leave_one_out" and terms.standardize:
        advantages = _whitened(advantages, scores.isfinite()[:, None], whole_batch)
    return advantages.expand(mask.shape).masked_fill(~mask, 0.0), torch.zeros_like(log_probs)


def _centered(scores):
    """Without a division: r_i less the mean of all, which is (G - 1)/G of what leave_one_out_advantages gives."""
    answers = scores.shape[1]
    return leave_one_out_advantages(scores) * ((answers - 1) / answers)


def _by_groups(compared, scores):
    """compared(scores [B, G]), of groups that have NaN among them without these; 0 where fewer than two are left."""
    known = scores.isfinite()
    advantages = compared(scores.masked_fill(~known, 0.0))
    for row in (~known).any(1).nonzero()[:, 0].tolist() if has_values(scores) else ():
        left = known[row]
        advantages[row] = 0.0
        if left.sum() > 1:
            advantages[row, left] = compared(scores[row, left][None])[0]
    return advantages


def _whitened(advantages, mask, whole_batch):
    """Less the mean and over the deviation of all entries that count, in all processes."""
    if whole_batch.count == 1:
        return whiten(advantages, mask, epsilon=EPSILON)
    silent = advantages.masked_fill(~mask, 0.0).double()
    count = whole_batch.total(mask.sum()).clamp(min=1)
    centered = (silent - whole_batch.total(silent.sum()) / count).masked_fill(~mask, 0.0)
    deviation = (whole_batch.total(centered.square().sum()) / count).sqrt()
    return (centered / (deviation + EPSILON)).to(advantages.dtype)


# -------------------------------------------------------------------------------------------------------- an update


def update_loss(terms, policy, critic, rollout, price, whole_batch):
    """The loss of an update on completions of a round, and what to log."""
    log_probs, entropy, values = rollout.law or law_of(terms, policy, critic, rollout.drawn)
    return loss_of(terms, rollout, log_probs, values, entropy, rollout.drawn.mask, price, whole_batch)


def loss_of(terms, rollout, log_probs, values, entropy, mask, price, whole_batch):
    """The loss of log-probabilities, values and entropies [N, C] of the policy in training; the critic's are None without one."""
    high = terms.clip if terms.clip_high is None else terms.clip_high
    constants = rollout.old_log_probs, rollout.advantages
    if terms.estimator == "ppo":
        losses = ppo_loss(
            log_probs,
            *constants,
            values,
            rollout.old_values,
            rollout.returns,
            entropy,
            mask,
            clip=terms.clip,
            value_clip=math.inf if terms.value_clip is None else terms.value_clip,
            value_coefficient=terms.value_coefficient,
            entropy_coefficient=terms.entropy_coefficient,
        )
        return losses.mean(), {"clipped": _cut(log_probs, *constants, mask, terms.clip, terms.clip, whole_batch)}
    in_loss = terms.estimator == "group" and terms.kl_coefficient > 0
    reference = rollout.reference_log_probs
    if terms.ratio != "token":
        pooled = [_pooled(each, mask, terms.ratio) for each in (log_probs, rollout.old_log_probs)]
        ones = torch.ones_like(pooled[0], dtype=torch.bool)
        losses = group_token_loss(
            *pooled, pooled[1], rollout.advantages[:, 0], ones, clip_low=terms.clip, clip_high=high, kl_coefficient=0.0
        )
        cut = _cut(*pooled, rollout.advantages[:, :1], ones, terms.clip, high, whole_batch)
        loss = losses.mean()
        if in_loss:
            nats = kl_k3(log_probs, reference)
            nats = nats * (pooled[0] - pooled[1]).exp() if terms.kl_ratio else nats
            loss = loss + price * _aggregated(terms, nats, mask, whole_batch)
    else:
        losses = group_token_loss(
            log_probs,
            rollout.old_log_probs,
            reference,
            rollout.advantages[:, 0],
            mask,
            clip_low=terms.clip,
            clip_high=high,
            kl_coefficient=0.0,
        )
        if in_loss:
            nats = kl_k3(log_probs, reference)
            losses = losses + price * (nats * (log_probs - rollout.old_log_probs).exp() if terms.kl_ratio else nats)
        loss = _aggregated(terms, losses, mask, whole_batch)
        cut = _cut(log_probs, *constants, mask, terms.clip, high, whole_batch)
    if terms.entropy_coefficient:
        loss = loss - terms.entropy_coefficient * _mean_of_tokens(entropy.masked_fill(~mask, 0.0), mask, whole_batch)
    return loss, {"clipped": cut}


def _pooled(log_probs, mask, ratio):
    """One logarithm of a probability for each completion, [N, 1]: of all its tokens, or their mean."""
    total = log_probs.masked_fill(~mask, 0.0).sum(1, keepdim=True)
    return total if ratio == "sequence" else total / mask.sum(1, keepdim=True)


def _aggregated(terms, losses, mask, whole_batch):
    """One loss."""
    losses = losses.masked_fill(~mask, 0.0)
    if terms.aggregation == "token_mean":
        return _mean_of_tokens(losses, mask, whole_batch)
    return aggregate_tokens(losses, mask, mode=terms.aggregation, constant_length=terms.completion)


def _mean_of_tokens(values, mask, whole_batch):
    """The mean over the tokens of all processes: their mean, as gradients are averaged."""
    if whole_batch.count == 1:
        return aggregate_tokens(values, mask, mode="token_mean")
    return values.sum() * whole_batch.count / whole_batch.total(mask.sum())


def _cut(log_probs, old_log_probs, advantages, mask, low, high, whole_batch):
    """The share of ratios that are clipped, of those that count, in all processes."""
    ratios = (log_probs - old_log_probs).detach().exp()
    cut = (ratios > 1 + high) & (advantages > 0) | (ratios < 1 - low) & (advantages < 0)
    clipped, count = whole_batch.total(torch.stack([(cut & mask).sum(), mask.sum()]))
    return clipped / count
