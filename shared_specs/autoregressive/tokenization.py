"""Contracts of byte-pair tokens (whole numbers throughout: there are no gradients)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, given, integers

COUNTED = "tokens and counts are whole numbers"
NOTHING, NO_MERGES = np.zeros(0, dtype=np.int64), np.zeros((0, 2), dtype=np.int64)
T, H, E, A, N, SPACE = 116, 104, 101, 97, 110, 32
THE_THEN = np.array(list(b"the then  the\n\tthin"))
BANANA = np.array(list(b"banana bandana aaaaa  aaa a"))
ACCENTS = np.array(list("na\u00efve \u2192 caf\u00e9 na\u00efve caf\u00e9 \u2192".encode()))
BROKEN = np.array([255, 254, 195, 32, 195, 40, 255, 254, 128, 32, 255, 254])
BLANK = np.array([32, 32, 9, 10, 32, 32, 32, 13])
TABLE = np.array([[T, H], [256, E], [SPACE, 257], [A, A], [259, A]])
WORDS = integers(60, low=97, high=100)  # a, b, c: many repetitions, and runs


SPEC = (
    # Chunks.
    Agree("chunk_ids", "regular", given(data=THE_THEN)),
    Agree("chunk_ids", "accents", given(data=ACCENTS)),
    Agree("chunk_ids", "only whitespace", given(data=BLANK)),
    Agree("chunk_ids", "nothing", given(data=NOTHING)),
    Agree("chunk_ids", "one byte", given(data=[255])),
    Anchor(
        "chunk_ids", "two spaces, then a newline and a tab", given(data=THE_THEN),
        gives=[0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3], source="by hand",
        near_misses={"the space ends a chunk": [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3],
                     "every space starts a chunk": [0, 0, 0, 1, 1, 1, 1, 1, 2, 3, 3, 3, 3, 4, 5, 5, 5, 5, 5],
                     "only spaces are whitespace": [0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]},
    ),
    Anchor(
        "chunk_ids", "the edges of whitespace",
        given(data=[65, 8, 65, 9, 65, 10, 65, 11, 65, 12, 65, 13, 65, 14, 65, 31, 65, 32, 65, 33, 160]),
        gives=[0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5, 5, 5, 5, 6, 6, 6, 6], source="bytes 9 to 13 and 32",
        near_misses={"160 is a space, too": [0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5, 5, 5, 5, 6, 6, 6, 7]},
    ),
    Rejects("chunk_ids", "256 is no byte", given(data=[65, 256]), blames="data"),
    Rejects("chunk_ids", "a negative byte", given(data=[65, -1]), blames="data"),
    # Counts.
    Agree("pair_counts", "regular", given(tokens=integers(40, high=5), chunk=np.arange(40) // 7, vocabulary_size=6)),
    Agree("pair_counts", "nothing", given(tokens=NOTHING, chunk=NOTHING, vocabulary_size=3)),
    Agree("pair_counts", "one token", given(tokens=[2], chunk=[0], vocabulary_size=3)),
    Anchor(
        "pair_counts", "a border and a run of three", given(tokens=[0, 1, 0, 1, 2, 2, 2], chunk=[0, 0, 1, 1, 1, 1, 1],
                                                            vocabulary_size=3),
        gives=[[0, 2, 0], [0, 0, 1], [0, 0, 2]], source="by hand",
        near_misses={"across chunks": [[0, 2, 0], [1, 0, 1], [0, 0, 2]], "transposed": [[0, 0, 0], [2, 0, 0], [0, 1, 2]],
                     "runs without overlap": [[0, 2, 0], [0, 0, 1], [0, 0, 1]]},
    ),
    Law.equal(
        "there are as many pairs as places between tokens of a chunk", given(data=WORDS),
        left=lambda f, data: f.pair_counts(data, np.arange(60) // 8, vocabulary_size=101).sum(), right=52.0,
    ),
    Anchor("pair_counts", "256 tokens", given(tokens=[255, 255, 0, 254], chunk=[0, 0, 0, 255], vocabulary_size=256),
           gives=np.isin(np.arange(65536).reshape(256, 256), [65535, 65280]), source="255 x 256 + 255 and 255 x 256"),
    Rejects("pair_counts", "a token above V-1", given(tokens=[0, 3], chunk=[0, 0], vocabulary_size=3), blames="tokens"),
    Rejects("pair_counts", "a negative token", given(tokens=[0, -1], chunk=[0, 0], vocabulary_size=3), blames="tokens"),
    Rejects("pair_counts", "shapes differ", given(tokens=[0, 1], chunk=[0], vocabulary_size=3), blames="chunk"),
    # One merge.
    Agree("merge_pair", "regular", given(tokens=THE_THEN, chunk=np.arange(19) // 6, pair=(T, H), new_token=256),
          no_gradient=COUNTED, traced=False),
    Agree("merge_pair", "a pair that does not occur", given(tokens=[1, 2, 3], chunk=[0, 0, 1], pair=(2, 3), new_token=9),
          no_gradient=COUNTED, traced=False),
    Agree("merge_pair", "nothing", given(tokens=NOTHING, chunk=NOTHING, pair=(1, 2), new_token=9),
          no_gradient=COUNTED, traced=False),
    Agree("merge_pair", "one token", given(tokens=[1], chunk=[0], pair=(1, 1), new_token=9), no_gradient=COUNTED, traced=False),
    Anchor(
        "merge_pair", "runs, left to right", given(tokens=[7, 7, 7, 3, 7, 7, 7, 7, 7, 7], chunk=[0, 0, 0, 0, 0, 0, 0, 0, 1, 1],
                                                   pair=(7, 7), new_token=9),
        gives=([9, 7, 3, 9, 9, 9], [0, 0, 0, 0, 0, 1]), source="by hand", traced=False,
        near_misses={"right to left": ([7, 9, 3, 9, 9, 9], [0, 0, 0, 0, 0, 1]),
                     "overlapping": ([9, 9, 3, 9, 9, 9], [0, 0, 0, 0, 0, 1]),
                     "only the first": ([9, 7, 3, 7, 7, 7], [0, 0, 0, 0, 0, 0])},
    ),
    Anchor(
        "merge_pair", "not across chunks", given(tokens=[1, 2, 1, 2, 1, 2], chunk=[0, 1, 1, 1, 2, 2], pair=(1, 2), new_token=5),
        gives=([1, 2, 5, 5], [0, 1, 1, 2]), source="by hand", traced=False,
    ),
    Law.equal(
        "what a merge takes is what it makes", given(data=WORDS),
        left=lambda f, data: 60 - f.merge_pair(data, np.arange(60) // 8, pair=(97, 97), new_token=256)[0].size,
        right=lambda f, data: (f.merge_pair(data, np.arange(60) // 8, pair=(97, 97), new_token=256)[0]
                               == 256).sum(),
        traced=False,
    ),
    Anchor("merge_pair", "256 after all bytes",
           given(tokens=[255, 0, 255, 0], chunk=[0, 0, 255, 255], pair=(255, 0), new_token=256),
           gives=([256, 256], [0, 255]), source="by hand", traced=False),
    Rejects("merge_pair", "shapes differ", given(tokens=[0, 1], chunk=[0], pair=(0, 1), new_token=2), blames="chunk"),
    Rejects("merge_pair", "a negative token", given(tokens=[0, -1], chunk=[0, 0], pair=(0, 1), new_token=2), blames="tokens"),
    # Training.
    Agree("train_byte_pairs", "regular", given(data=integers(120, low=97, high=101), chunk=np.arange(120) // 9, merges=20),
          no_gradient=COUNTED, traced=False),
    Agree("train_byte_pairs", "runs of one byte", given(data=BANANA, chunk=np.arange(27) // 9, merges=12), no_gradient=COUNTED,
          traced=False),
    Agree("train_byte_pairs", "accents", given(data=ACCENTS, chunk=np.arange(len(ACCENTS)) // 6, merges=10),
          no_gradient=COUNTED, traced=False),
    Agree("train_byte_pairs", "more merges than pairs", given(data=[97, 98, 97, 98, 99], chunk=[0, 0, 1, 1, 1], merges=9),
          no_gradient=COUNTED, traced=False),
    Agree("train_byte_pairs", "nothing", given(data=NOTHING, chunk=NOTHING, merges=3), no_gradient=COUNTED, traced=False),
    Agree("train_byte_pairs", "one byte", given(data=[255], chunk=[0], merges=3), no_gradient=COUNTED, traced=False),
    Agree("train_byte_pairs", "no merges", given(data=[7, 7], chunk=[0, 0], merges=0), no_gradient=COUNTED, traced=False),
    Anchor(
        "train_byte_pairs", "ties go to the smallest pair",
        given(data=np.array(list(b"dc ab dc ab ab dc x")), merges=3,
              chunk=[0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6]),
        gives=[[32, 97], [100, 99], [256, 98]], source="by hand: ' a' 3, ab 3, dc 3; then dc 3, ' ab' 3",
        near_misses={"the first that occurs": [[100, 99], [32, 97], [257, 98]],
                     "the largest": [[100, 99], [97, 98], [32, 257]]}, traced=False,
    ),
    Anchor(
        "train_byte_pairs", "self-pairs count overlapping", given(data=np.array(list(b"aaaa bc bc")), merges=2,
                                                                  chunk=[0, 0, 0, 0, 1, 1, 1, 2, 2, 2]),
        gives=[[97, 97], [32, 98]], source="by hand: aa 3, ' b' 2, bc 2; after it aa+aa 1", traced=False,
        near_misses={"counted without overlap, ties to the smallest": [[32, 98], [97, 97]]},
    ),
    Rejects("train_byte_pairs", "a negative number of merges", given(data=[1, 2], chunk=[0, 0], merges=-1), blames="merges"),
    Rejects("train_byte_pairs", "256 is no byte", given(data=[256, 2], chunk=[0, 0], merges=1), blames="data"),
    Rejects("train_byte_pairs", "shapes differ", given(data=[1, 2], chunk=[0], merges=1), blames="chunk"),
    # Encoding.
    Agree("encode_byte_pairs", "regular", given(data=THE_THEN, chunk=np.arange(19) // 7, merges=TABLE), no_gradient=COUNTED,
          traced=False),
    Agree("encode_byte_pairs", "runs", given(data=BANANA, chunk=np.arange(27) // 13, merges=TABLE), no_gradient=COUNTED,
          traced=False),
    Agree("encode_byte_pairs", "no UTF-8", given(data=BROKEN, chunk=np.arange(12) // 5, merges=[[255, 254], [195, 40]]),
          no_gradient=COUNTED, traced=False),
    Agree("encode_byte_pairs", "no merges", given(data=[1, 2, 3], chunk=[0, 0, 0], merges=NO_MERGES), no_gradient=COUNTED,
          traced=False),
    Agree("encode_byte_pairs", "nothing", given(data=NOTHING, chunk=NOTHING, merges=TABLE), no_gradient=COUNTED, traced=False),
    Agree("encode_byte_pairs", "one byte", given(data=[116], chunk=[0], merges=TABLE), no_gradient=COUNTED, traced=False),
    Agree("encode_byte_pairs", "the same pair twice in the table",
          given(data=BANANA, chunk=np.arange(27) // 13, merges=[[A, N], [A, N], [256, A]]), no_gradient=COUNTED, traced=False),
    Anchor(
        "encode_byte_pairs", "the rank decides, not the length",
        given(data=np.array(list(b"abc aab")), chunk=[0, 0, 0, 1, 1, 1, 1], merges=[[98, 99], [97, 98], [257, 99], [97, 97]]),
        gives=[97, 256, 32, 97, 257], source="by hand: bc before ab; ab before aa", traced=False,
        near_misses={"from the left": [97, 256, 32, 259, 98], "the last rank first": [97, 256, 32, 98, 259]},
    ),
    Law.equal(
        "decoding undoes encoding", given(data=integers(50, high=256)),
        left=lambda f, data: f.decode_byte_pairs(
            f.encode_byte_pairs(data, f.chunk_ids(data), TABLE), TABLE),
        right=lambda f, data: data, traced=False,
    ),
    Law.equal(
        "what was learned from a text encodes it losslessly, and shorter", given(data=WORDS),
        left=lambda f, data: f.decode_byte_pairs(
            f.encode_byte_pairs(data, np.arange(60) // 8,
                                f.train_byte_pairs(data, np.arange(60) // 8, merges=9)),
            f.train_byte_pairs(data, np.arange(60) // 8, merges=9)),
        right=lambda f, data: data, traced=False,
    ),
    Rejects("encode_byte_pairs", "a merge of a later token", given(data=[1, 2], chunk=[0, 0], merges=[[1, 257], [1, 2]]),
            blames="merges"),
    Rejects("encode_byte_pairs", "a merge of itself", given(data=[1, 2], chunk=[0, 0], merges=[[1, 256]]), blames="merges"),
    Rejects("encode_byte_pairs", "triples", given(data=[1, 2], chunk=[0, 0], merges=[[1, 2, 3]]), blames="merges"),
    Rejects("encode_byte_pairs", "256 is no byte", given(data=[256], chunk=[0], merges=TABLE), blames="data"),
    # Decoding.
    Agree("decode_byte_pairs", "regular", given(tokens=integers(30, low=90, high=261), merges=TABLE), no_gradient=COUNTED,
          traced=False),
    Agree("decode_byte_pairs", "no merges", given(tokens=[0, 255, 7], merges=NO_MERGES), no_gradient=COUNTED, traced=False),
    Agree("decode_byte_pairs", "nothing", given(tokens=NOTHING, merges=TABLE), no_gradient=COUNTED, traced=False),
    Anchor(
        "decode_byte_pairs", "tokens of tokens", given(tokens=[258, N, 260, 255], merges=TABLE),
        gives=[SPACE, T, H, E, N, A, A, A, 255], source="by hand", traced=False,
        near_misses={"right before left": [E, H, T, SPACE, N, A, A, A, 255]},
    ),
    Rejects("decode_byte_pairs", "a token that no merge makes", given(tokens=[261], merges=TABLE), blames="tokens"),
    Rejects("decode_byte_pairs", "a negative token", given(tokens=[-1], merges=TABLE), blames="tokens"),
    Rejects("decode_byte_pairs", "a merge of a later token", given(tokens=[1], merges=[[1, 257], [1, 2]]), blames="merges"),
)  # fmt: skip
