"""Codes one example after another, principal components by eigenvectors, and the transformer's loss with other hidden states."""

import math

import torch

from practice_torch.autoregressive.attention import causal_mask
from practice_torch.autoregressive.transformer import decoder_block
from tests.latent.objective_sparse_autoencoder import hidden_states
from tests.support.metrics import mean

FIELDS = {"pydoc": {"units": 64, "k": 2}}
COUNT = 12  # with contexts of 8 bytes, a unit that is active once is active in 1% of them
TOLERANCE = 1e-4  # logits are cast to float32, and `recovered` divides differences of losses


def is_of_images(e):
    return not hasattr(e, "frozen")


def coded(e, x):
    """The reconstruction and the code of each row."""
    codes = []
    for row in x:
        values = [max(0.0, value) for value in e.coder.encoder(row - e.coder.decoder.bias).tolist()]
        kept = sorted(range(len(values)), key=lambda k: -values[k])[: e.recipe.k]
        codes.append([value if k in kept else 0.0 for k, value in enumerate(values)])
    codes = torch.tensor(codes, dtype=x.dtype)
    return codes @ e.coder.decoder.weight.T + e.coder.decoder.bias, codes


def projected(e, x):
    axes = torch.linalg.eigh(torch.cov(x.T, correction=0)).eigenvectors[:, -e.recipe.k :]
    return x.mean(0) + (x - x.mean(0)) @ axes @ axes.T


def of_codes(e, x, again, codes):
    total = sum(float(row.square().sum()) for row in x - x.mean(0))
    spent = [sum(float(torch.dist(a, b)) ** 2 for a, b in zip(x, rows, strict=True)) for rows in (again, projected(e, x))]
    return {
        "unexplained": spent[0] / total,
        "unexplained_principal": spent[1] / total,
        "active_units": active(codes),
        "dead_units": mean([not any(column) for column in codes.T.tolist()]),
    }


def active(codes):
    return mean([sum(value > 0 for value in row) for row in codes.tolist()])


def logs(e, batch, phase):
    if phase == "language":
        return {}
    x = batch["image"].flatten(1) if phase == "train" else rows(e, batch["tokens"][:, :-1])[1]
    return {"active_units": active(coded(e, x)[1])}


def rows(e, tokens):
    """Hidden states, and in units of the deviation."""
    states = hidden_states(e, e.frozen, tokens)
    return states, ((states - e.mean) / e.deviation).flatten(0, 1)


def bits(e, states, targets):
    """-log2 p of each byte, by the formulas of the transformer's last blocks and layer norm."""
    x, known, steps = states, e.frozen.parameters_by_name(), states.shape[1]
    mask = causal_mask(query_length=steps, key_length=steps)
    for block in known["blocks"][e.recipe.after :]:
        x = decoder_block(x, block, mask, heads=e.recipe.heads, epsilon=1e-5, norm_position="pre")
    x = (x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=0, keepdim=True) + 1e-5).sqrt()
    log_p = ((x * known["final_norm_weight"] + known["final_norm_bias"]) @ known["token_embedding"].T).log_softmax(-1)
    return -mean([float(log_p[b, t, target]) for b, row in enumerate(targets) for t, target in enumerate(row)]) / math.log(2)


def evaluate(e, data):
    if is_of_images(e):
        x = data.batch()["image"].flatten(1)
        return of_codes(e, x, *coded(e, x))
    tokens = data.batch()["tokens"]
    states, x = rows(e, tokens[:, :-1])
    again, codes = coded(e, x)
    put = {
        "bits_per_byte": states,
        "spliced": (again * e.deviation + e.mean).view_as(states),
        "zeros": 0 * states,
        "means": 0 * states + states.flatten(0, 1).mean(0),
        "principal": (projected(e, x) * e.deviation + e.mean).view_as(states),
    }
    found = {name: bits(e, part, tokens[:, 1:]) for name, part in put.items()}
    principal = found.pop("principal")
    shares = [(found["means"] - spent) / (found["means"] - found["bits_per_byte"]) for spent in (found["spliced"], principal)]
    return of_codes(e, x, again, codes) | found | dict(zip(("recovered", "recovered_principal"), shares, strict=True))


def preview(e, data):
    if is_of_images(e):
        x = data.batch()["image"].flatten(1)
        parts = x, coded(e, x)[0], projected(e, x)
        return {"reconstructions": torch.cat([part[:10] for part in parts]).unflatten(1, e.shape)}
    tokens = data.batch()["tokens"][:, :-1]
    codes = coded(e, rows(e, tokens)[1])[1].unflatten(0, tokens.shape).tolist()
    of_unit = lambda unit: [[code[unit] for code in window] for window in codes]  # noqa: E731
    places = tokens.numel()
    share = {unit: sum(value > 0 for window in of_unit(unit) for value in window) / places for unit in range(e.recipe.units)}
    rare = [unit for unit in share if 0 < share[unit] < 0.02]
    rare.sort(key=lambda unit: -max(map(max, of_unit(unit))))
    assert len(rare) > 5, "too few units to tell one order of theirs from another"
    lines = []
    for unit in rare[:: max(1, len(rare) // 16)][:16]:
        lines.append(f"unit {unit}, active in {share[unit]:.2%} of the bytes")
        windows = of_unit(unit)
        for k in sorted(range(len(windows)), key=lambda k: -max(windows[k]))[:5]:
            place = windows[k].index(max(windows[k]))
            if max(windows[k]):
                text = [chr(byte) if 32 <= byte < 127 else "|" if byte == 10 else "." for byte in tokens[k].tolist()]
                begun = "".join(text[:place][-40:])
                lines.append(f"{max(windows[k]):6.1f}  {begun:>40}[{text[place]}]{''.join(text[place + 1 :][:10])}")
    return {"contexts": "\n".join(lines)}
