"""Byte pairs at speed: merges learned from the counts of distinct chunks, the tokens of a chunk, and ranks for tiktoken."""

import heapq
import itertools
import math
import sys
from collections import defaultdict
from operator import add

# A token is a character of a Python string in here: `replace` merges pairs, and strings sort as tokens do.
LARGEST_TOKEN = sys.maxunicode
NEVER = itertools.repeat(math.inf)


def learn(words, merges):
    """The merges, [(a, b), ...], for distinct chunks and how often each occurs."""
    spelled, often = [word.decode("latin-1") for word in words], list(words.values())
    counts, places = defaultdict(int), defaultdict(list)
    for number, (word, times) in enumerate(zip(spelled, often, strict=True)):
        for pair in map("".join, itertools.pairwise(word)):
            counts[pair] += times
            places[pair].append(number)
    heap = [(-count, pair) for pair, count in counts.items()]
    heapq.heapify(heap)
    learned = []
    while heap and len(learned) < merges:
        believed, pair = heapq.heappop(heap)
        count = counts[pair]
        if count != -believed:  # outdated: counts only fall after their pair was entered, so this one still comes in its turn
            if count:
                heapq.heappush(heap, (-count, pair))
            continue
        new = chr(256 + len(learned))
        learned.append((ord(pair[0]), ord(pair[1])))
        first, second = pair
        changed = set()
        for number in places.pop(pair):
            word = spelled[number]
            at = word.find(pair)
            if at < 0:
                continue
            times = often[number]
            while at >= 0:
                # one replacement at a time, so that the counts are exact in runs (aaaa), too
                counts[pair] -= times
                if at:
                    left = word[at - 1]
                    counts[left + first] -= times
                    made = left + new
                    counts[made] += times
                    places[made].append(number)
                    changed.add(made)
                if at + 2 < len(word):
                    right = word[at + 2]
                    counts[second + right] -= times
                    made = new + right
                    counts[made] += times
                    places[made].append(number)
                    changed.add(made)
                word = word[:at] + new + word[at + 2 :]
                at = word.find(pair, at + 1)
            spelled[number] = word
        for made in changed:
            if counts[made]:
                heapq.heappush(heap, (-counts[made], made))
    return learned


class Spellings(dict):
    """The packed tokens of a chunk, remembered: text repeats its words."""

    def __init__(self, merges):
        super().__init__()
        self._pairs = [chr(a) + chr(b) for a, b in merges]
        # of equal rows the first counts: it leaves nothing for the others
        self._ranks = {pair: rank for rank, pair in reversed(list(enumerate(self._pairs)))}

    def __missing__(self, piece):
        word, rank_of = piece.decode("latin-1"), self._ranks.get
        while len(word) > 1:
            rank = min(map(rank_of, map(add, word, word[1:]), NEVER))
            if rank == math.inf:
                break
            word = word.replace(self._pairs[rank], chr(256 + rank))
        tokens = packed(word)
        if len(self) < 2**20:  # enough for any text's frequent words; a bound on memory
            self[piece] = tokens
        return tokens


def reachable(table, spellings):
    """{bytes: token} of the tokens that are ever made: those that their own bytes alone, of the table, are encoded to.

    With these numbers for ranks, tiktoken gives the same tokens. It merges neighbors whose joint bytes are a token, from
    whichever two they come; merges name the two. They differ at tokens that merges name but never make ((b, c) first, then
    (ab, c): abc is a, bc), and at no other: no merge crossed the ends of the two neighbors, so they are what they would be alone,
    and alone they become that token.
    """
    return {raw: token for token, raw in enumerate(table) if spellings[raw] == packed(chr(token))}


def packed(word):
    """Four bytes a token."""
    return word.encode("utf-32-le", "surrogatepass")
