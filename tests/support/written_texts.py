"""Completions by language models, a second way: byte after byte without a cache, scores and shares by loops over lists."""

import math
import string

import torch

VALUES = dict.fromkeys(b"aeiou", 1.0) | dict.fromkeys((string.digits + string.punctuation).encode(), -1.0)


def written(e, network, prompts, count):
    """The prompts and `count` tokens, each the first with a cumulative probability above a uniform draw."""
    tokens = prompts
    for _ in range(count):
        shares = network(tokens)[:, -1].softmax(-1)
        uniforms = torch.rand(len(tokens), generator=e.generator)
        chosen = (shares.cumsum(1) <= uniforms[:, None]).sum(1).clamp(max=shares.shape[1] - 1)
        tokens = torch.cat([tokens, chosen[:, None]], 1)
    return tokens


def held_out_prompts(e, data, count):
    """Their beginnings."""
    return held_out_windows(data, count)[:, : e.recipe.prompt]


def held_out_windows(data, count):
    """So many windows, evenly spaced, or all."""
    count = min(count, len(data))
    places = [round(k * (len(data) - 1) / max(1, count - 1)) for k in range(count)]
    return data.batch(torch.tensor(places))["tokens"]


def log_probs(network, tokens, prompt):
    """log p of each token behind the prompt, [N, C]."""
    return laws(network, tokens, prompt).log_prob(tokens[:, prompt:])


def laws(network, tokens, prompt):
    """The distribution of each token after the prompt."""
    return torch.distributions.Categorical(logits=network(tokens[:, :-1])[:, prompt - 1 :])


def scores(tokens, prompt):
    """The mean reward of the bytes after the prompt, a number for each text."""
    return [sum(VALUES.get(byte, 0.0) for byte in row) / len(row) for row in tokens[:, prompt:].tolist()]


def wins(ours, theirs):
    """Share of pairs with a larger first score; ties count half."""
    return sum((a > b) + (a == b) / 2 for a, b in zip(ours, theirs, strict=True)) / len(ours)


def distinct(tokens, prompt):
    """The mean share of different ones among the pieces of four bytes of a completion."""
    shares = []
    for row in tokens[:, prompt:].tolist():
        pieces = [tuple(row[k : k + 4]) for k in range(max(1, len(row) - 3))]
        shares.append(len(set(pieces)) / len(pieces))
    return sum(shares) / len(shares)


def rollout_logs(e, policy, reference, prompts, score):
    """Logs of a round: prompts are used in turn, each for as many completions as it has answers."""
    rollout, tuning = e.rollout, e.rollout.tuning
    rows = [k // tuning.answers % len(prompts) for k in range(len(rollout.tokens))]
    tokens = written(e, policy, prompts[rows], rollout.tokens.shape[1] - rollout.prompt)
    ours, theirs = (laws(network, tokens, rollout.prompt) for network in (policy, reference))
    ends = tokens[:, rollout.prompt :]
    ratios = ours.log_prob(ends) - theirs.log_prob(ends)
    count = len(tokens)
    return {
        "score": sum(float(value) for value in score(tokens)) / count,
        "price": rollout.price,
        "nats": torch.distributions.kl_divergence(ours, theirs).sum() / count,
        "entropy": ours.entropy().sum() / count,
        "k1": ratios.sum() / count,
        "k2": (ratios**2 / 2).sum() / count,
        "k3": ((-ratios).exp() - 1 + ratios).sum() / count,
    }


def update_logs(e, policy):
    """The share of tokens with a ratio beyond the clip in the direction of their advantage."""
    rollout, tuning = e.rollout, e.rollout.tuning
    count = len(rollout.tokens)
    drawn = torch.randperm(count, generator=e.generator)[: max(count // tuning.updates, 1)]
    ratios = (log_probs(policy, rollout.tokens[drawn], rollout.prompt) - rollout.old_log_probs[drawn]).exp().flatten().tolist()
    advantages = rollout.advantages[drawn].flatten().tolist()
    cut = [r > 1 + tuning.clip if a > 0 else a < 0 and r < 1 - tuning.clip for r, a in zip(ratios, advantages, strict=True)]
    return {"clipped": sum(cut) / len(cut)}


def bits_of(network, tokens, prompt):
    """The mean bits of a byte behind the prompt."""
    return -float(log_probs(network, tokens, prompt).mean()) / math.log(2)
