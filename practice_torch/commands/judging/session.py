"""A session in a folder: which samples are compared, in which order and on which side, and the verdicts so far.

session.json      the runs, the kind of their samples, and the pairs
items/            the samples, RUN-NUMBER.png, .wav or .txt
verdicts.jsonl    a line for each verdict, in the order in which they were given
"""

import itertools
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from practice_torch.engine.errors import RunError

NAME = "session.json"
CHOICES = ("left", "right", "tie")
TYPES = {".png": "image/png", ".wav": "audio/wav", ".txt": "text/plain; charset=utf-8"}


@dataclass(frozen=True)
class Pair:
    """Two samples to compare: (index of the run, number of its sample) on the left and on the right."""

    left: tuple[int, int]
    right: tuple[int, int]


@dataclass(frozen=True)
class Verdict:
    """What a judge chose for a pair: left, right or tie."""

    pair: int
    judge: str
    choice: str


@dataclass(frozen=True)
class Session:
    """A folder with a session."""

    folder: Path
    runs: tuple[str, ...]
    suffix: str
    pairs: tuple[Pair, ...]

    @classmethod
    def create(cls, folder, runs, items, seed):
        """A session of samples, one list for each run. An error leaves no folder."""
        from practice_torch.engine.storage.run import write_json  # which needs what the extra torch installs

        folder = Path(folder)
        if folder.exists() and any(folder.iterdir()):
            raise RunError(f"{folder} is not empty: continue it with `judge {folder}`, or give another --out")
        suffix, pairs = items[0][0].suffix, tuple(shuffled_pairs(len(runs), len(items[0]), seed))
        session = cls(folder, tuple(map(str, runs)), suffix, pairs)
        try:
            (folder / "items").mkdir(parents=True, exist_ok=True)
            for run, samples in enumerate(items):
                for number, sample in enumerate(samples):
                    sample.save(session.item((run, number)))
            facts = {"runs": session.runs, "suffix": suffix, "pairs": [[pair.left, pair.right] for pair in pairs]}
            write_json(folder / NAME, facts)  # last: a folder with it is whole
        except OSError as error:
            raise RunError(f"cannot write into {folder}: {error.strerror}") from None
        return session

    @classmethod
    def open(cls, folder):
        """The session in a folder. RunError if it is not one."""
        folder = Path(folder)
        try:
            facts = json.loads((folder / NAME).read_bytes())
            pairs = tuple(Pair(tuple(left), tuple(right)) for left, right in facts["pairs"])
            session = cls(folder, tuple(facts["runs"]), facts["suffix"], pairs)
            places = {place for pair in pairs for place in (pair.left, pair.right)}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{folder / NAME} cannot be read ({error}): the session is damaged") from None
        if missing := [session.item(place) for place in sorted(places) if not session.item(place).is_file()]:
            raise RunError(f"{missing[0]} is missing: the session is damaged")
        return session

    def item(self, place):
        """The file of a sample."""
        run, number = place
        return self.folder / "items" / f"{run:02d}-{number:04d}{self.suffix}"

    def add(self, verdict):
        """Append a verdict; it is on the disk when this returns."""
        line = json.dumps(verdict.__dict__ | {"time": round(time.time(), 1)})
        with open(self.folder / "verdicts.jsonl", "a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())

    def verdicts(self):
        """The last verdict of every judge on every pair. A torn last line, of a process that was killed, does not count."""
        path = self.folder / "verdicts.jsonl"
        lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.is_file() else []
        found = {}
        for number, line in enumerate(lines, start=1):
            try:
                facts = json.loads(line)
                verdict = Verdict(facts["pair"], facts["judge"], facts["choice"])
                known = verdict.choice in CHOICES and 0 <= verdict.pair < len(self.pairs)
            except (ValueError, KeyError, TypeError):
                known = False
            if not known:
                raise RunError(f"line {number} of {path} is no verdict: {line[:80]!r}")
            found[verdict.judge, verdict.pair] = verdict
        return list(found.values())


def is_session(folder):
    return (Path(folder) / NAME).is_file()


def shuffled_pairs(runs, count, seed):
    """Every two runs `count` times, each time with other samples, in random order and on random sides."""
    import numpy as np  # which no other command needs before torch

    random = np.random.default_rng(seed)
    pairs = []
    for first, second in itertools.combinations(range(runs), 2):
        for a, b in zip(random.permutation(count).tolist(), random.permutation(count).tolist(), strict=True):
            sides = [(first, a), (second, b)]
            pairs.append(Pair(*(sides[::-1] if random.random() < 0.5 else sides)))
    return [pairs[i] for i in random.permutation(len(pairs))]
