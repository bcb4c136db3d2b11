"""As autoregressive/recurrent, of two models; the probability of acceptance is the overlap of their distributions."""

from tests.autoregressive.metrics_recurrent import TOLERANCE, bits  # noqa: F401
from tests.support.metrics import mean


def evaluate(e, data):
    tokens, common = data.batch()["tokens"], []
    for row in tokens:
        target, draft = (network(row[None, :-1])[0].softmax(-1) for network in (e.target, e.draft))
        common += [sum(map(min, *pair)) for pair in zip(target.tolist(), draft.tolist(), strict=True)]
    found = {"target_bits": mean(bits(e.target, tokens)), "draft_bits": mean(bits(e.draft, tokens)), "acceptance": mean(common)}
    names = dict(zip(("target_bits", "draft_bits", "acceptance"), e.explains, strict=True))
    return {names[name]: value for name, value in found.items()}
