"""Memory tasks: sequences that end with queries for earlier symbols; and networks of equal size for them."""

from bisect import bisect_left
from functools import cache

import torch
from torch.nn import functional

from practice_torch.arguments import require
from practice_torch.autoregressive.recurrent import CharacterLSTM
from practice_torch.networks.decoder_transformer import DecoderTransformer
from practice_torch.state_space.diagonal import S4DDecoder
from practice_torch.state_space.selective import MambaDecoder

MODELS = ("mamba", "s4d", "transformer", "lstm")
_WIDEST = 4096


def selective_copying(symbols, scores, *, size):
    """The items [B, K] in order, at K of the L places among noise, and K tokens that ask for them: [B, L+K]; and where they are.

    The K places are those of the largest scores [B, L]. Items are symbols 0..size-1, noise is `size`, the question `size` + 1.
    """
    batch, count = symbols.shape
    places = scores.topk(count, dim=1).indices.sort(dim=1).values
    stream = torch.full(scores.shape, size, device=symbols.device).scatter(1, places, symbols)
    return functional.pad(stream, (0, count), value=size + 1), places


def remembered_first(symbols, scores, *, size):
    """A marker, the items [B, K], noise of other symbols up to the length of the scores [B, L], and K tokens that ask: [B, L+K].

    The noise is as good as items, symbols 0..size-1: the place alone makes the difference. The marker is `size`.
    """
    batch, count = symbols.shape
    noise = (scores * size).long().clamp(max=size - 1)
    noise[:, 0] = size
    noise[:, 1 : 1 + count] = symbols
    places = torch.arange(1, 1 + count, device=symbols.device).expand(batch, -1)
    return functional.pad(noise, (0, count), value=size + 1), places


def fitted(model, *, parameters, vocabulary_size, length, layers):
    """The network of that kind with the width that brings its number of parameters nearest to the given one."""

    def size(width):
        return _size(model, width, vocabulary_size, length, layers)

    above = 1 + bisect_left(range(1, _WIDEST + 1), parameters, key=size)
    require(above <= _WIDEST, f"parameters is {parameters}; it must be at most {size(_WIDEST)}, {model} of width {_WIDEST}")
    width = min(max(1, above - 1), above, key=lambda width: abs(size(width) - parameters))
    return _made(model, width, vocabulary_size, length, layers)


def _made(model, width, vocabulary_size, length, layers):
    sizes = dict(vocabulary_size=vocabulary_size, layers=layers)
    match model:
        case "mamba":
            return MambaDecoder(**sizes, width=width, states=8)
        case "s4d":
            return S4DDecoder(**sizes, width=width, modes=8)
        case "transformer":
            return DecoderTransformer(**sizes, width=width, context_length=length, heads=1)
        case "lstm":
            return CharacterLSTM(**sizes, embedding=width, hidden=width)


@cache
def _size(*of_network):
    """Numbers in the parameters of the network that is made of these; a search tries a dozen widths."""
    with torch.device("meta"):
        return parameter_count(_made(*of_network))


def parameter_count(network):
    """Numbers in the parameters of a network."""
    return sum(parameter.numel() for parameter in network.parameters())
