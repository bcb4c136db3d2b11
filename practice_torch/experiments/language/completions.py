"""Completions of a language model of bytes: drawn, judged by a program, and shown."""

import string

import torch

from practice_torch.autoregressive.decoding import categorical_from_uniform
from practice_torch.experiments.language.generation import generate
from practice_torch.preference.pipeline import completion_log_prob

VOWELS, AVOIDED = "aeiou", string.digits + string.punctuation  # rewarded and penalized by the judge


def judged_bytes():
    """Reward of each byte, [256]: vowels 1, digits and punctuation -1, others 0."""
    values = torch.zeros(256)
    values[list(VOWELS.encode())], values[list(AVOIDED.encode())] = 1.0, -1.0
    return values


def completed(network, prompts, count, generator):
    """The prompts and `count` tokens that the network draws after each: [N, P] -> [N, P + count].

    A copy, because autograd refuses tensors made in inference mode. No device waits for the host, as in torch's multinomial.
    """

    def choose(logits, past):
        return categorical_from_uniform(logits.float(), torch.rand(len(logits), generator=generator, device=logits.device))

    return generate(network, prompts, count, choose).clone()


def answers(network, prompts, count, generator, tokenizer, *, of_bytes):
    """Texts that the network draws after each of the prompts [N, P], up to where it ends them.

    It ends them by 0 if its tokens are bytes (of_bytes), else by a special token. Rows of its table beyond the tokenizer's tokens
    stand for no text.
    """
    drawn = completed(network, prompts, count, generator)[:, prompts.shape[1] :]
    lengths = torch.tensor(tokenizer.lengths(), device=drawn.device)
    known = drawn < len(lengths)
    ends = drawn == 0 if of_bytes else known & (lengths[drawn.where(known, 0)] == 0)
    kept = known & (ends.cumsum(1) == 0)
    return [tokenizer.decode(row[own]) for row, own in zip(drawn, kept, strict=True)]


def distinct_pieces(completions):
    """The mean share of pieces of four tokens of a completion that are different."""
    pieces = completions.unfold(1, min(4, completions.shape[1]), 1).tolist()
    return sum(len({tuple(piece) for piece in row}) / len(row) for row in pieces) / len(pieces)


def readable(tokens):
    """Bytes as one line of text; a dot replaces a line's end."""
    return bytes(tokens.tolist()).decode(errors="replace").replace("\n", "·")


def after(prompt, tokens):
    """True at the tokens after a prompt of this length, False in it: tokens [N, T] -> [N, T]."""
    return (torch.arange(tokens.shape[1], device=tokens.device) >= prompt).expand(tokens.shape)


def log_probs_after(prompt, network, tokens):
    """log p of the tokens after a prompt of this length, in nats: [N, T] -> [N]."""
    return completion_log_prob(tokens, network(tokens).float(), after(prompt, tokens))


def evenly_spaced(data, count):
    """Windows of a text, `count` or all of them, [N, T]."""
    places = torch.linspace(0, len(data) - 1, min(count, len(data))).round().long()
    return data.batch(places)["tokens"]
