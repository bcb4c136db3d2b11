"""Random order and random numbers as functions of a counter: nothing is stored, for any number of examples.

`torch.randperm` of 10^11 tokens would take 800 GB. Here the place of an index in the permutation is computed from the index, so
any process can ask for any part of the order, in any sequence, and a resumed run needs no state.
"""

import hashlib
import math
import struct

import torch

ROUNDS = 8  # of the Feistel network; 4 make it pseudorandom if the round function is (Luby & Rackoff 1988)
# The three constants of SplitMix64 (Steele, Lea & Flood 2014), as signed numbers.
GOLDEN, FIRST, SECOND = (c - 2**64 for c in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
BITS = 53  # of a float64


def permuted(indices, count, seed, epochs=None):
    """The image of each index under a permutation of 0..count-1, determined by seed and epoch (None: epoch 0).

    A Feistel network on pairs: index = left * side + right with side = ceil(sqrt(count)), and in every round

        (left, right) <- (right, (left + F(right)) mod side),  F another hash in every round,

    which is invertible for every F, so it permutes the side^2 pairs. An index that is mapped beyond the last one is mapped
    until it is below count, which leaves a permutation of 0..count-1 (Black & Rogaway 2002). Two passes are needed on average
    for the smallest counts, one for large ones: memory and time are those of the indices, for any count.

    int64 [B], -, -, int64 [B]; on the CPU -> int64 [B]
    """
    if count > 2**62:
        raise ValueError(f"count is {count}; it must be at most 2^62, so that pairs are numbered by int64")
    if len(indices) and (int(indices.min()) < 0 or int(indices.max()) >= count):
        found = f"indices are {int(indices.min())} to {int(indices.max())}"
        raise ValueError(f"{found}; of a permutation of {count} they must be 0 to {count - 1}")
    side = math.isqrt(count - 1) + 1 if count else 0
    keys = _keys(seed, "order")
    tweaks = torch.zeros_like(indices) if epochs is None else _mix(epochs * GOLDEN)
    places = _pass(indices, side, keys, tweaks)
    outside = (places >= count).nonzero().squeeze(1)
    while len(outside):
        places[outside] = again = _pass(places[outside], side, keys, tweaks[outside])
        outside = outside[again >= count]
    return places


def uniforms(draws, number, seed):
    """`number` independent uniform numbers in [0, 1) for every draw: the same for the same (draw, seed), on every device.

    int64 [B] -> float64 [B, number]
    """
    scrambled, result = draws * GOLDEN, torch.empty(len(draws), number, dtype=torch.float64, device=draws.device)
    for column in range(number):
        result[:, column] = (_mix(scrambled + _keys(seed, column)[0]) >> 64 - BITS) & 2**BITS - 1
    return result.mul_(2.0**-BITS)


def _pass(indices, side, keys, tweaks):
    left, right = indices // side, indices % side
    for key in keys:
        left, right = right, _hash((tweaks + key).bitwise_xor_(right)).add_(left).remainder_(side)
    return left * side + right


def _hash(number):
    """Like `_mix`, with half of its operations: sufficient for sums of 8 rounds. Overwrites its argument."""
    number *= FIRST
    number ^= number >> 32
    number *= SECOND
    number >>= 20
    return number


def _mix(number):
    """SplitMix64's finalizer: every bit of the result depends on every bit of the number. Writes into its argument."""
    number ^= (number >> 30) & 2**34 - 1  # int64 shifts copy the sign
    number *= FIRST
    number ^= (number >> 27) & 2**37 - 1
    number *= SECOND
    number ^= (number >> 31) & 2**33 - 1
    return number


def _keys(seed, purpose):
    """8 independent int64: the bytes of a SHA-512."""
    return struct.unpack(f"<{ROUNDS}q", hashlib.sha512(f"{seed}/{purpose}".encode()).digest())
