"""Completions of prompts of different lengths: together in one batch, each as if it were alone."""

from dataclasses import dataclass
from enum import StrEnum

import torch

from practice_torch.arguments import is_integer, require
from practice_torch.experiments.language.decoding import Decoding

ROOM = 128  # columns by which the part of a cache grows that is read on a CPU, where every column has its price
CHECKED = 16  # steps after which an accelerator is asked whether a row still goes on; the host waits for the answer


class Ending(StrEnum):
    """Why a completion ended."""

    STOP = "stop"  # by a stop token, or as `until` said
    LENGTH = "length"  # with as many new tokens as allowed
    CONTEXT = "context"  # prompt and completion fill the context


@dataclass(frozen=True)
class Completions:
    """What follows each of B prompts."""

    tokens: torch.Tensor
    """[B, N] int64: the tokens after the prompt, N those of the longest; `fill` after a row's end."""
    lengths: torch.Tensor
    """[B] int64: tokens of each completion, a stop token included."""
    endings: tuple[Ending, ...]
    """Why each ended."""

    @property
    def stopped(self):
        """[B] bool: ended by itself, with a stop token; the others were cut off."""
        return torch.tensor([ending == Ending.STOP for ending in self.endings], device=self.tokens.device)

    @property
    def mask(self):
        """[B, N] bool: the tokens that belong to a completion."""
        return torch.arange(self.tokens.shape[1], device=self.tokens.device) < self.lengths[:, None]

    def rows(self):
        """The completions one by one, int64 [n] each."""
        return [row[:length] for row, length in zip(self.tokens, self.lengths.tolist(), strict=True)]


def complete(network, prompts, *, new_tokens, seeds=None, decoding=None, stop=(), until=None, fill=0, step=None):
    """At most new_tokens after each of `prompts`, a list of int64 tensors [P_b] of any lengths -> Completions.

        drawn = complete(policy, [prompt] * 8, new_tokens=64, seeds=range(8), decoding=Decoding(top_p=0.9), stop=(end,))

    network: a CachedDecoder, as GPT-2's and Llama's are. It computes without dropout only if it is in eval mode. One cache holds
    all rows, in the precision of the network's products, as many columns as the longest row may need.

    seeds: one integer a row; they may be left out if decoding is greedy. A row's tokens depend on its prompt and seed alone: not
    on the other rows, not on their number, and of new_tokens only by their end (up to rounding, where a batch of another size is
    computed in another order: two tokens whose cumulated probabilities a uniform number just separates may change places).
    decoding: a Decoding (default: the law of the network). stop: tokens after which a row ends; they belong to it.
    until: until(tokens of the completion so far [n]) -> whether it ends with the last one, asked of every row at every step.
    fill: the token after a row's end. step: what computes a step, by default network.step_rows; one that is compiled once, as
    torch.compile(network.step_rows, fullgraph=True), is not compiled again from step to step.

    Raises ValueError for no prompts, an empty one, one that fills the context, tokens outside the vocabulary, and seeds that are
    not as many as prompts.
    """
    decoding = Decoding() if decoding is None else decoding
    _require_prompts(network, prompts)
    require(new_tokens >= 1, f"new_tokens is {new_tokens}; it must be at least 1")
    stop = tuple(map(int, stop))
    for name, tokens in (("stop", stop), ("fill", (fill,))):
        known = all(0 <= token < network.vocabulary_size for token in tokens)
        require(known, f"{name} is {tokens}; tokens are in 0..{network.vocabulary_size - 1}")
    seeds = [0] * len(prompts) if seeds is None and decoding.greedy else seeds
    require(seeds is not None, "seeds is missing; give an integer for each prompt, or choose greedily")
    require(len(seeds) == len(prompts), f"seeds has {len(seeds)} entries; it must have one for each prompt, {len(prompts)}")
    known = [len(prompt) for prompt in prompts]
    allowed = [min(new_tokens, network.context_length - length) for length in known]
    with torch.inference_mode():
        written = _written(network, prompts, max(map(sum, zip(known, allowed, strict=True))))
        drawn, *ends = _continue(network, written, known, allowed, _noise(seeds, max(allowed)), decoding, stop, until, step)
        lengths, stopped = (end.tolist() for end in ends)
    sizes, tokens = torch.tensor(lengths, device=drawn.device), drawn[:, : max(lengths)]
    endings = tuple(
        Ending.STOP if ended else Ending.LENGTH if length == new_tokens else Ending.CONTEXT
        for length, ended in zip(lengths, stopped, strict=True)
    )
    beyond = torch.arange(tokens.shape[1], device=tokens.device) >= sizes[:, None]
    return Completions(tokens.masked_fill(beyond, fill), sizes, endings)  # no tensors of inference, which autograd refuses


def _continue(network, written, known, allowed, noise, decoding, stop, until, step):
    """The tokens [B, N] after the prompts of `written`, lengths of the completions, and whether a row ended by itself, [B]."""
    device, (rows, width) = written.device, written.shape
    column, place, most = torch.arange(rows, device=device), *(torch.tensor(sizes, device=device) for sizes in (known, allowed))
    stop, noise, drawn = torch.tensor(stop, dtype=torch.int64, device=device), noise.to(device), []
    lengths, going = torch.zeros_like(place), torch.ones_like(place, dtype=torch.bool)
    stopped, cache = torch.zeros_like(going), network.empty_cache(rows, width)
    logits = network.step_after(written[:, : max(known)], cache, place)
    alike = device.type == "cpu" and len(set(known)) == 1  # every step has then its own shape, and needs no mask
    for number in range(max(allowed)):
        token = decoding.choose_by(_at_least_float32(logits), written, noise[:, number])
        drawn.append(token)
        written[column, place] = token  # one of a row that has ended is drawn in vain, where it has no effect on others
        lengths = lengths + going
        ended = torch.isin(token, stop) if len(stop) else torch.zeros_like(going)
        ended = ended if until is None else ended | _ended(until, drawn, going)
        stopped, going = stopped | going & ended, going & ~ended & (lengths < most)
        if number + 1 == max(allowed) or (device.type == "cpu" or number % CHECKED == CHECKED - 1) and not going.any():
            break
        if step is None and alike:
            logits = network.step_rows(token, cache, known[0] + number)
        elif step is None:
            room = -(-(max(known) + number + 1) // ROOM) * ROOM if device.type == "cpu" else width
            logits = network.step_rows(token, cache[:, :, :, :, :room], place)
        else:
            logits = step(token, cache, place)
        place = place + going
    return torch.stack(drawn, 1), lengths, stopped


def _ended(until, drawn, going):
    """[B]: what `until` says of the rows that go on."""
    tokens = torch.stack(drawn, 1)
    found = [bool(alive) and bool(until(row)) for row, alive in zip(tokens, going.tolist(), strict=True)]
    return torch.tensor(found, device=tokens.device)


def _at_least_float32(logits):
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _noise(seeds, count):
    """Uniform numbers [B, count], a row of each seed; the first ones of a seed are the same whatever the count."""
    return torch.stack([torch.rand(count, generator=torch.Generator().manual_seed(int(seed))) for seed in seeds])


def _written(network, prompts, length):
    """[B, length] on the network's device: each prompt, and after it its first token, so that no other one occurs in a row."""
    device = network.token_embedding.weight.device
    written = torch.empty(len(prompts), length, dtype=torch.int64)
    for row, prompt in zip(written, prompts, strict=True):
        row[:] = prompt[0]
        row[: len(prompt)] = prompt
    return written.to(device)


def _require_prompts(network, prompts):
    require(len(prompts) > 0, "prompts is empty; it must have at least one")
    context, size = network.context_length, network.vocabulary_size
    for number, prompt in enumerate(prompts):
        name = f"prompts[{number}]"
        given = f"{prompt.dtype} {list(prompt.shape)}"
        require(prompt.ndim == 1 and is_integer(prompt), f"{name} is {given}; it must be integers [P]")
        require(len(prompt) > 0, f"{name} is empty; it must have at least one token")
        allowed = f"the context is {context}, and a completion needs one more"
        require(len(prompt) < context, f"{name} has {len(prompt)} tokens; {allowed}")
        low, high = prompt.min().item(), prompt.max().item()
        require(low >= 0 and high < size, f"{name} has token {low if low < 0 else high}; tokens are in 0..{size - 1}")
