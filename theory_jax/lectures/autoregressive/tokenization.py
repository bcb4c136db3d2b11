"""Byte pairs: lossless, greedy, and only comparable in bits per byte.

The lecture on the functions of theory_jax/autoregressive/tokenization.py.
"""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from sympy import log

from theory_jax.autoregressive.tokenization import (
    chunk_ids,
    decode_byte_pairs,
    encode_byte_pairs,
    merge_pair,
    pair_counts,
    train_byte_pairs,
)
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="Byte pairs: lossless, greedy, and only comparable in bits per byte",
    sources=(
        "Gage 1994, A New Algorithm for Data Compression",
        "Sennrich, Haddow & Birch 2016, Neural Machine Translation of Rare Words with Subword Units",
        "Radford et al. 2019, Language Models are Unsupervised Multitask Learners",
    ),
    question="A vocabulary of words has no token for a name that it has not seen; bytes have one for everything, and make a "
    "text several times as long. And of two models with different tokens the one with the lower perplexity can be the worse. "
    "How can text be cut into frequent pieces without losing a byte, and which likelihoods of models with different pieces may "
    "be compared?",
    setting=(
        "A text is a string of $N$ bytes. Tokens 0 to 255 are bytes. A list of merges $(a_r, b_r)$, numbered from 0 on, makes "
        "a token $256 + r$ of two tokens that exist before it. Decoding is recursive: a byte decodes to itself, and a token "
        "$256 + r$ to what $a_r$ decodes to, followed by what $b_r$ decodes to.",
        r"A merge replaces the occurrences of its pair from left to right, without overlap, and never across the border of a "
        r"chunk (a word with the space before it). Encoding applies all merges in their order, each to the whole sequence.",
        r"Training counts how often every pair of adjacent tokens occurs, $n_{ab}$, overlaps included, appends the most frequent "
        "pair to the list, and starts again; among equals it takes the smallest.",
        "A model is a distribution of token strings. The text that it writes is the decoded string, so the probability of a "
        "text is the sum over all token strings that decode to it.",
    ),
    limits=(
        "That greedy merges compress nearly as well as the best merges is not shown; an exercise has a text where they do not.",
        "Which vocabulary trains best is a matter of experiment, and so is the normalization of text before it is cut.",
    ),
)
for written, meaning in (
    ("b", "a string of bytes, or a token of a pair"),
    ("n_{aa}", "how often a pair of equal tokens occurs, overlaps counted"),
    (r"\rho", "the length of a run of equal tokens"),
    ("r", "the rank of a merge"),
):
    derivation.symbol(written, meaning)


@derivation.numeric(
    r"\mathrm{dec}(\mathrm{enc}(b)) = b \quad\text{for every string of bytes}",
    because="A merge replaces two tokens by a token that decodes to exactly their bytes, so what the sequence decodes to does "
    "not change from merge to merge; before the first it is the text. Nothing asks whether the bytes are text: half a UTF-8 "
    "character comes back as it went in. Random strings of all bytes, and of letters that merge often, are encoded and decoded.",
    role="lemma",
)
def encoding_is_lossless():
    strings = jnp.concatenate([_random_strings(4, 24, range(256), 0), _random_strings(8, 24, list(b" then\xff\xc3"), 1)])
    codes = [encode_byte_pairs(b, chunk_ids(b), _merges()) for b in strings]
    turned = [decode_byte_pairs(code, _merges()[:, ::-1]) for code in codes]
    back = [decode_byte_pairs(code, _merges()) for code in codes]
    return Sides(left=jnp.stack(back), right=strings, wrong={"left and right exchanged": jnp.stack(turned)})


derivation.say(
    "The converse is false. The tokens t, h, e and the one token `the` decode to the same bytes, and encoding gives one of the "
    "two: decoding is onto, encoding picks one preimage, and what a model samples need not be what encoding would give."
)


@derivation.numeric(
    r"\text{merges in rank order} = \text{repeatedly, an adjacent pair of the lowest rank}",
    because="Merge $r$ makes the token $256 + r$, which only later merges use: it never creates an occurrence of an earlier "
    "pair. So once all pairs of rank $r$ are replaced no lower rank can come back, and both procedures do all of rank 0, then "
    "all of rank 1, from the left. Forty random strings agree; the highest rank first, another plausible rule, does not.",
    role="lemma",
)
def both_definitions_of_encoding_agree():
    strings = _random_strings(40, 24, list(b"the an"), 2)
    chunks = jax.vmap(chunk_ids)(strings)
    encoded = [encode_byte_pairs(s, c, _merges()).tolist() for s, c in zip(strings, chunks, strict=True)]
    table = _merges().tolist()
    one_by_one = [_lowest_rank_first(s, c, table) for s, c in zip(strings.tolist(), chunks.tolist(), strict=True)]
    backwards = [_lowest_rank_first(s, c, table, best=max) for s, c in zip(strings.tolist(), chunks.tolist(), strict=True)]
    swept, wanted, mistaken = (
        np.array([tokens + [-1] * (24 - len(tokens)) for tokens in found]) for found in (encoded, one_by_one, backwards)
    )
    return Sides(left=swept, right=wanted, wrong={"the highest rank first": mistaken})


@derivation.numeric(
    r"\text{saving of a merge} = n_{ab} \ (a \ne b), \qquad \sum_\rho \left\lfloor \rho / 2 \right\rfloor \ (a = b)",
    because=r"Every replacement makes one token of two, so a merge saves as many tokens as it replaces pairs. Two occurrences "
    r"of a pair of different tokens cannot share a token, which would be both $a$ and $b$: all of them are replaced. Equal "
    r"tokens form runs; a run of length $\rho$ has $\rho - 1$ overlapping pairs and room for $\lfloor \rho / 2 \rfloor$ that "
    r"do not overlap, so that from three on the count promises more than the merge saves. Runs of 2 to 9, and two pairs of the "
    "training text.",
)
def what_a_merge_saves():
    runs = [jnp.full(n, 97) for n in range(2, 10)]
    zeros = [jnp.zeros(n, int) for n in range(2, 10)]
    saved = [len(a) - len(merge_pair(a, z, pair=(97, 97), new_token=256)[0]) for a, z in zip(runs, zeros, strict=True)]
    pairs = [(ord("t"), ord("h")), (ord("a"), ord("n"))]
    counts = pair_counts(_DATA, _CHUNK, vocabulary_size=256)
    saved += [len(_DATA) - len(merge_pair(_DATA, _CHUNK, pair=pair, new_token=256)[0]) for pair in pairs]
    different = [int(counts[pair]) for pair in pairs]
    overlapping = [int(pair_counts(a, z, vocabulary_size=98)[97, 97]) for a, z in zip(runs, zeros, strict=True)]
    return Sides(
        left=jnp.array(saved),
        right=np.array([n // 2 for n in range(2, 10)] + different),
        wrong={"n_aa for equal tokens": overlapping + different},
    )


s = derivation.index("s", "a token string that decodes to the given text, of three; the first is the canonical encoding")
p = derivation.numbers("p", s, "the model's probability of it", positive=True)
p_text = derivation.define(r"p(\mathrm{text})", Total(s, p), "the model's probability of the text", positive=True)
given = derivation.define("r", p / p_text, "the probability of a token string, given the text", over=s, law=True)
bound = derivation.chain(
    "The loss of the tokens is an upper bound on the loss of the text",
    -log(p.at(0)),
    equals(
        plus(-log(p_text), -log(given.at(0))),
        prose(
            "Bayes' rule: given the token string, the text is certain, so that {rule}",
            rule=holds(p.at(0), "=", times(p_text, given.at(0))),
        ),
    ),
    equals(
        plus(-log(p_text), 1 - given.at(0), tangent.at(given.at(0))),
        prose(
            "add and subtract {other}",
            other=holds(1 - given.at(0), "=", plus(given.at(1), given.at(2)), wrong={"r_0 itself": given.at(0)}),
        ),
    ),
    at_least(
        -log(p_text),
        prose(
            "leave out the probability of the other token strings and the gap of the logarithm; equality if and only if no other "
            "token string has a probability, {first} and {second}",
            first=where(p.at(1), 0),
            second=where(p.at(2), 0),
        ),
        dropping=plus(1 - given.at(0), tangent.at(given.at(0))),
    ),
    central=True,
    so="Equality holds if and only if the model never writes the text in another way. What is usually reported, the loss of "
    "the canonical tokens, is therefore a bound, and the model may be better than reported.",
)

i = derivation.index("i", "a token of the encoded text")
q = derivation.numbers("q", i, "the model's probability of the token, given those before it", "log_prob", positive=True)
L = derivation.count(i, "L", "the number of tokens")
N = derivation.number("N", "the number of bytes", positive=True)
V = derivation.number("V", "the size of the vocabulary", positive=True)
token_bits = derivation.define(r"\beta", Total(i, -log(q) / log(2)) / L, "bits per token")
derivation.chain(
    "Bits per byte are bits per token times tokens per byte",
    Total(i, -log(q) / log(2)) / N,
    equals(
        times(L / N, token_bits),
        prose(
            "multiply and divide by the number of tokens: {sum}", sum=holds(Total(i, -log(q) / log(2)), "=", times(L, token_bits))
        ),
        wrong={"nats": Total(i, -log(q)) / N},
    ),
    so=prose(
        r"The perplexity of a token, $2^\beta$, refers to a number of tokens that depends on the tokenizer. Of two models of "
        r"the same text the better one has the smaller product $L \beta$. A uniform model, {uniform}, has {bits} bits per token "
        "and the perplexity {perplexity}, larger for a larger vocabulary, and {bytes} bits per byte, usually smaller.",
        uniform=where(q, 1 / V),
        bits=holds(token_bits, "=", log(V) / log(2), named=True),
        perplexity=holds(2**token_bits, "=", V, named=True),
        bytes=holds(Total(i, -log(q) / log(2)) / N, "=", times(L / N, log(V) / log(2)), named=True),
    ),
)


@derivation.numeric(
    r"\text{no merge crosses the border of a chunk}",
    because="The code counts and replaces inside chunks only, so that a word has the same tokens wherever it is. The "
    "tokens of three words, encoded together, are those of each, encoded alone.",
    role="appendix",
)
def chunks_are_encoded_alone():
    words = [b"then", b" theme", b" banana"]
    table = _merges()
    together = jnp.array(list(b"".join(words)))
    whole = encode_byte_pairs(together, chunk_ids(together), table)
    alone = [encode_byte_pairs(jnp.array(list(w)), jnp.zeros(len(w), int), table) for w in words]
    across = encode_byte_pairs(together, jnp.zeros(len(together), int), jnp.array([[ord("n"), ord(" ")]]))
    return Sides(left=whole, right=jnp.concatenate(alone), wrong={"merges across chunks": jnp.resize(across, len(whole))})


derivation.answer = prose(
    "Whatever the merges are, decoding undoes encoding, for any bytes. Greedy training takes the pair that occurs most often: "
    "the count is what a merge saves if the two tokens differ, and can be more if they are equal. What a model of tokens "
    "reports is an upper bound on the negative log-likelihood of the text, {bound}, tight if the model writes the text in one "
    "way only. Divided by the number of bytes it can be compared between tokenizers, {bytes}; divided by the number of tokens "
    "it cannot.",
    bound=holds(-log(p.at(0)), ">=", -log(p_text)),
    bytes=holds(Total(i, -log(q) / log(2)) / N, "=", times(L / N, token_bits)),
)


@derivation.algorithm(
    "Byte-pair encoding",
    do("training: the tokens are the bytes of the text, cut into chunks; then for every merge $r$:", chunk_ids),
    do(
        "count all pairs of adjacent tokens inside chunks, and append the most frequent to the list",
        pair_counts,
        by=what_a_merge_saves,
        indent=1,
    ),
    do("replace its occurrences, from the left, by the token $256 + r$", merge_pair, by=what_a_merge_saves, indent=1),
    do(
        "encoding: replace, in the order of the list, the occurrences of every pair",
        encode_byte_pairs,
        by=both_definitions_of_encoding_agree,
    ),
    do("decoding: replace tokens by their pairs until only bytes are left", decode_byte_pairs, by=encoding_is_lossless),
)
def two_merges():
    tokens = data = jnp.array(list(b"ababa"))
    chunk = first = chunk_ids(data)
    for name, pair, stated, after in (("ab", (97, 98), "2", "(256, 256, 97)"), ("token 256 and a", (256, 97), "1", "(256, 257)")):
        yield rf"\text{{ababa: how often {name} occurs}}", pair_counts(tokens, chunk, vocabulary_size=258)[pair], stated
        tokens, chunk = merge_pair(tokens, chunk, pair=pair, new_token=256 + (pair[0] > 255))
        yield r"\text{after its merge}", tokens, after
    table = jnp.array([[97, 98], [256, 97]])
    yield r"\text{encoded by both merges}", encode_byte_pairs(data, first, table), "(256, 257)"
    yield r"\text{and decoded}", decode_byte_pairs(jnp.array([256, 257]), table), "(97, 98, 97, 98, 97)"


@derivation.example("The text ababa, trained for two merges. Both pairs occur twice; the tie goes to ab.")
def ababa():
    data, chunk = jnp.array(list(b"ababa")), jnp.zeros(5, int)
    table = train_byte_pairs(data, chunk, merges=2)
    yield r"\text{the merges}", table.ravel(), "(97, 98), (256, 97)"
    lengths = [len(encode_byte_pairs(data, chunk, table[:count])) for count in (0, 1, 2)]
    yield r"\text{tokens after 0, 1 and 2 merges}", lengths, "(5, 3, 2)"
    bits = [length / 5 * np.log2(256 + count) for count, length in enumerate(lengths)]
    yield r"\text{bits per byte of the uniform model}", bits, "(8, 4.803, 3.204)"


@derivation.figure(
    "Left: bytes per token on a page of English rise with the number of merges. Right: the bits per byte of a uniform model "
    "fall, while its perplexity per token, the size of the vocabulary, rises: the two measures order the same models "
    "oppositely.",
    panels=2,
)
def merges_and_measures(left, right):
    from pydoc_data.topics import topics

    data = jnp.array(np.frombuffer("\n".join(topics.values()).encode()[:4_000], np.uint8), int)
    chunk = chunk_ids(data)
    table = train_byte_pairs(data, chunk, merges=96)
    counts = [0, 4, 12, 24, 48, 72, 96]
    lengths = np.array([len(encode_byte_pairs(data, chunk, table[:count])) for count in counts])
    left.plot(counts, len(data) / lengths, "o-", markersize=4)
    left.set(xlabel="merges", ylabel="bytes per token")
    right.plot(counts, lengths / len(data) * np.log2(256 + np.array(counts)), "o-", markersize=4)
    right.set(xlabel="merges", ylabel="bits per byte, uniform model")


_TEXT = b"the thin thing then thanks the other theme; there the aaaa aaaaa banana bandana  cabana\n\tthe end the"
_DATA = jnp.array(np.frombuffer(_TEXT, np.uint8), int)
_CHUNK = chunk_ids(_DATA)


@cache
def _merges():
    return train_byte_pairs(_DATA, _CHUNK, merges=24)


def _random_strings(count, length, letters, seed):
    rng = np.random.default_rng(seed)
    return jnp.array(rng.choice(np.array(letters), size=(count, length)))


def _lowest_rank_first(tokens, chunk, merges, best=min):
    """The other definition of encoding: of all adjacent pairs that have a rank, merge one of the lowest, the leftmost first."""
    ranks = {tuple(pair): r for r, pair in enumerate(merges)}
    tokens, chunk = list(tokens), list(chunk)
    while True:
        places = [i for i in range(len(tokens) - 1) if chunk[i] == chunk[i + 1] and (tokens[i], tokens[i + 1]) in ranks]
        if not places:
            return tokens
        i = best(places, key=lambda i: (ranks[tokens[i], tokens[i + 1]], i))
        tokens[i : i + 2] = [256 + ranks[tokens[i], tokens[i + 1]]]
        del chunk[i]
