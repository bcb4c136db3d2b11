"""Byte-pair encoding in Python against tokenizers (Rust) and tiktoken (Rust): training and encoding of Python's help pages.

    python -m benchmarks.language.byte_pairs [--merges 4096] [--repeats 11]

Both trainers learn the same number of merges from the same text with the same chunks, one thread each, in turns. Both encoders
get the same merges and the same text in one string: once with an empty cache of words, as for the first text of a process, and
once with what the first time left in it (tokenizers keeps a cache, too; tiktoken keeps none). "ours, through tiktoken" is
tiktoken_encoder, to a tensor. The ids of all are compared before anything is timed. The figure is the median of the turns'
ratios in process CPU time; wall time is given next to it.
Result: benchmarks/results/byte_pairs.json.
"""

import argparse
import json
import os
import statistics
import sys
import time
from importlib.metadata import version

os.environ.setdefault("RAYON_NUM_THREADS", "1")  # read when tokenizers starts

from pydoc_data.topics import topics

import tiktoken
import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

from benchmarks.measuring.goals import GOALS
from benchmarks.measuring.turns import LEAST, RESULTS, pronounced
from practice_torch.autoregressive.tokenization import BytePairTokenizer
from practice_torch.data.reading.tokenizer_files import tiktoken_encoder
from practice_torch.engine.costs.environment import environment

RESULT = RESULTS / "byte_pairs.json"
CHUNK = r"[\t-\r ]*[^\t-\r ]+|[\t-\r ]+"


def alphabet():
    """The printable characters by which tokenizers writes the 256 bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = iter(range(256, 512))
    return [chr(byte) if byte in plain else chr(next(rest)) for byte in range(256)]


def rust(model):
    """A tokenizers.Tokenizer with our chunks."""
    tokenizer = Tokenizer(model)
    split = pre_tokenizers.Split(Regex(CHUNK), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    return tokenizer


def rust_training(text, merges):
    trainer = trainers.BpeTrainer(
        vocab_size=256 + merges, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer = rust(models.BPE())
    tokenizer.train_from_iterator([text], trainer)
    return tokenizer


def rust_encoder(tokenizer):
    """tokenizers with the merges of ours."""
    spelled, pairs = alphabet(), []
    for a, b in tokenizer.merges:
        pairs.append((spelled[a], spelled[b]))
        spelled.append(spelled[a] + spelled[b])
    return rust(models.BPE({spelling: token for token, spelling in enumerate(spelled)}, pairs))


def tiktoken_alone(tokenizer):
    """tiktoken with the merges of ours."""
    ranks = {tokenizer.decode_bytes([token]): token for token in range(tokenizer.vocabulary_size)}
    return tiktoken.Encoding("ours", pat_str=CHUNK, mergeable_ranks=ranks, special_tokens={})


def timed(function, *arguments):
    """(CPU, wall) seconds of a call."""
    wall, cpu = time.perf_counter(), time.process_time()
    function(*arguments)
    return time.process_time() - cpu, time.perf_counter() - wall


def turn(number, text, merges, learned):
    """Every side once, with fresh encoders: name -> (CPU, wall) seconds. tiktoken's two change places every other turn."""
    ours, theirs, third = BytePairTokenizer(learned.merges), rust_encoder(learned), tiktoken_alone(learned)
    through = tiktoken_encoder(*learned.ranks())
    with_tiktoken = [
        ("encode_cold tiktoken", lambda: third.encode_ordinary(text)),
        ("encode_cold ours, through tiktoken", lambda: through(text)),
    ]
    calls = [
        ("train ours", lambda: BytePairTokenizer.train(text, merges=merges)),
        ("train tokenizers", lambda: rust_training(text, merges)),
        ("encode_cold ours", lambda: ours.encode(text)),
        ("encode_cold tokenizers", lambda: theirs.encode(text).ids),
        *(with_tiktoken if number % 2 else with_tiktoken[::-1]),
        ("encode_warm ours", lambda: ours.encode(text)),
        ("encode_warm tokenizers", lambda: theirs.encode(text).ids),
        ("encode_warm tiktoken", lambda: third.encode_ordinary(text)),
    ]
    return {name: timed(call) for name, call in calls}


def spread(seconds, name, kind):
    """Median and quartiles of the turns' ratios, the peer's time over ours."""
    ours = seconds[f"{name.split()[0]} ours"][kind]
    each = [b / a for a, b in zip(ours, seconds[name][kind], strict=True)]
    return {"median": statistics.median(each), "quartiles": statistics.quantiles(each, n=4)[::2]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--merges", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=11)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    text = "\n".join(topics.values())
    size = len(text.encode())
    learned = BytePairTokenizer.train(text, merges=arguments.merges)
    learned_there = rust_training(text, arguments.merges).get_vocab_size() - 256
    assert len(learned.merges) == learned_there == arguments.merges, "not the same number of merges was learned"
    ids = learned.encode(text).tolist()
    assert ids == tiktoken_encoder(*learned.ranks())(text).tolist(), "ids differ"
    assert ids == rust_encoder(learned).encode(text).ids == tiktoken_alone(learned).encode_ordinary(text), "ids differ"
    turn(0, text, arguments.merges, learned)  # warms up
    began = time.perf_counter()
    turns = [turn(number, text, arguments.merges, learned) for number in range(arguments.repeats)]
    seconds = {name: {kind: [one[name][i] for one in turns] for i, kind in enumerate(("cpu", "wall"))} for name in turns[0]}
    ratios = {name: {kind: spread(seconds, name, kind) for kind in ("cpu", "wall")} for name in seconds if "ours" not in name}
    result = {
        "what": "byte-pair training and encoding; a ratio is the peer's time over ours, above 1 we are faster",
        "bytes": size,
        "merges": arguments.merges,
        "repeats": arguments.repeats,
        "tokens": len(ids),
        "medians": {name: {kind: statistics.median(v) for kind, v in kinds.items()} for name, kinds in seconds.items()},
        "seconds": seconds,
        "ratios": ratios,
        "clock": "cpu",
        "peers": {name: version(name) for name in ("tokenizers", "tiktoken")},
        "environment": environment(torch.device("cpu"), time.perf_counter() - began),
    }
    if arguments.repeats >= LEAST:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps(result, indent=1) + "\n")
    else:
        print(f"only {arguments.repeats} turns were measured, at least {LEAST} are needed: {RESULT.name} is left as it is")
    for name, kinds in seconds.items():
        cpu, wall = (statistics.median(kinds[kind]) for kind in ("cpu", "wall"))
        print(f"{name:36s} {1e3 * cpu:8.1f} ms CPU {size / cpu / 1e6:8.2f} MB/s  ({1e3 * wall:.1f} ms wall)")
    return pronounced(result, GOALS["byte_pairs"])


if __name__ == "__main__":
    sys.exit(main())
