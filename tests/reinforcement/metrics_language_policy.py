"""A policy of few texts: laws text by text, the best one by reweighting the reference."""

import itertools

import torch

from tests.support.written_texts import rollout_logs, update_logs

TOLERANCE = 1e-5  # scores are cast to float32


def changes(tokens):
    """Number of symbols that differ from the previous one, after the start token."""
    return [sum(a != b for a, b in itertools.pairwise(row[1:])) for row in tokens.tolist()]


def laws(e):
    """Probabilities of all texts by the policy, by the best policy, and by their reference."""
    found = []
    for network in (e.policy, e.reference):
        shares = []
        for text in e.texts:
            law = torch.distributions.Categorical(logits=network(text[None, :-1])[0])
            shares.append(law.log_prob(text[1:]).sum().exp())
        found.append(torch.stack(shares))
    return found[0], tilted(found[1], changes(e.texts), float(e.rollout.price)), found[1]


def nats(law, other):
    return sum(p * (p / q).log() for p, q in zip(law, other, strict=True))


def logs(e, batch, phase):
    if phase == "update":
        return update_logs(e, e.policy)
    return rollout_logs(e, e.policy, e.reference, e.texts[:1, :1], changes)


def evaluate(e, data):
    policy, best, reference = laws(e)
    worth, price = changes(e.texts), float(e.rollout.price)
    found, gains = {"divergence_from_best": nats(policy, best)}, []
    for name, law in (("", policy), ("best_", best)):
        score = sum(p * s for p, s in zip(law, worth, strict=True))
        found |= {f"{name}score": score, f"{name}nats": nats(law, reference)}
        gains.append(score - price * nats(law, reference))
    return found | {"regret": gains[1] - gains[0]}


def preview(e, data):
    three, places = laws(e), torch.arange(len(e.texts))
    worth, frontier = changes(e.texts), []
    for k in range(81):
        best = tilted(three[2], worth, 10 ** (2 - 4 * k / 80))
        frontier.append((nats(best, three[2]), sum(p * s for p, s in zip(best, worth, strict=True))))
    path = torch.stack([row for row in e.rollout.path if row.abs().sum() > 0])
    bars = [("bar", places + 0.27 * (k - 1), law) for k, law in enumerate(three)]
    curve = torch.tensor([[float(value) for value in point] for point in frontier]).T
    return {"law": bars, "path": [("plot", *curve), ("plot", *path.T), ("plot", *path[-1:].T)]}


def tilted(reference, worth, price):
    weights = reference * ((torch.tensor(worth) - max(worth)) / price).exp()
    return weights / weights.sum()
