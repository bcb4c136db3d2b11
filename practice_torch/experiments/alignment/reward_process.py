"""A user's reward function in its own process: `rewards.py:exact_answer`, with a time limit; what it prints goes to a log.

    with RewardProcess("rewards.py:exact_answer", seconds=30.0, log=folder / "rewards.log") as reward:
        rewards = reward(prompts, completions, {"answer": [...]})  # one a completion, None where it does not apply

The function has the signature that TRL documents: f(prompts, completions, **columns) -> a list of numbers. Its process is not a
sandbox: the file is the user's own. Messages are lines of JSON, so that nothing is unpickled.
"""

import contextlib
import json
import math
import os
import select
import subprocess
import sys
import time
from pathlib import Path

from practice_torch.engine.errors import RunError

WORKER = Path(__file__).with_name("reward_worker.py")
LOADING = 60.0  # seconds in which a file may load its libraries


class RewardProcess:
    """The function in its process, which starts with the first call, and again after it was ended.

    Every failure is a RunError of one line that names the function and, where one is at fault, the example.
    """

    def __init__(self, name, *, seconds, log=None):
        self.name, self.seconds, self.log = name, seconds, log
        self.path, self.function = named_function(name)
        self._process = None

    def __call__(self, prompts, completions, columns=None):
        """One reward for each completion, a float or None."""
        if self._process is None:
            self._start()
        question = {"prompts": list(prompts), "completions": list(completions), **(columns or {})}
        answer = self._exchange(json.dumps(question).encode() + b"\n", self.seconds, len(completions))
        if "error" in answer:
            at = answer.get("example")
            raise self._fault(answer["error"] + ("" if at is None else _of(at, completions)))
        rewards = answer["rewards"]
        if len(rewards) != len(completions):
            raise self._fault(f"returned {len(rewards)} rewards for {len(completions)} completions")
        for number, reward in enumerate(rewards):
            if reward is not None and not math.isfinite(reward):
                raise self._fault(f"returned {reward}{_of(number, completions)}; a reward is a finite number, or None")
        return rewards

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the process."""
        if self._process is None:
            return
        process, self._process = self._process, None
        for end in (process.stdin, self._answers):
            with contextlib.suppress(OSError):
                end.close()
        try:
            process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _start(self):
        read, write = os.pipe()
        output = open(self.log, "ab") if self.log else subprocess.DEVNULL  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-B", str(WORKER), str(self.path), self.function, str(write)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=(write,),
                start_new_session=True,  # an interrupt of the terminal is the training's
            )
        finally:
            os.close(write)
            if self.log:
                output.close()
        self._answers = open(read, "rb", buffering=0)  # noqa: SIM115
        os.set_blocking(self._process.stdin.fileno(), False)
        answer = self._exchange(b"", LOADING, 0)
        if "error" in answer:
            self.close()
            raise RunError(f"reward {self.name} does not load: {answer['error']}")

    def _exchange(self, question, seconds, count):
        """The answer to a question, both one line. A process that is late is ended."""
        deadline, view, said = time.monotonic() + seconds, memoryview(question), bytearray()
        answers, questions = self._answers.fileno(), self._process.stdin.fileno()
        while not said.endswith(b"\n"):
            left = max(deadline - time.monotonic(), 0)
            readable, writable, _ = select.select([answers], [questions] if view else [], [], left)
            if not readable and not writable:
                self._kill()
                raise self._fault(f"took more than {seconds:g} s for {count} completions; --reward-seconds allows it more")
            with contextlib.suppress(BrokenPipeError):  # why it has ended is seen at its other pipe
                if writable:
                    view = view[os.write(questions, view[: 2**16]) :]
            if readable:
                part = os.read(answers, 2**20)
                if not part:
                    raise self._fault(f"ended its process {self._ending()}")
                said += part
        return json.loads(said)

    def _kill(self):
        self._process.kill()
        self.close()

    def _ending(self):
        process = self._process
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=2)
        status = process.poll()
        self.close()
        if status is None:
            return "or closed its pipe instead of an answer"
        return f"by signal {-status}" if status < 0 else f"with exit status {status}"

    def _fault(self, what):
        where = (
            f" (what it printed is in {self.log})"
            if self.log and Path(self.log).exists() and Path(self.log).stat().st_size
            else ""
        )
        return RunError(f"reward {self.name} {what}{where}")


def named_function(name):
    """(path, function) of `FILE.py:FUNCTION`.  Raises RunError if there is no such file."""
    path, _, function = name.rpartition(":")
    if not path.endswith(".py") or not function.isidentifier():
        raise RunError(f"reward is {name!r}; a function of a file is named FILE.py:FUNCTION")
    if not Path(path).is_file():
        raise RunError(f"reward {name} is missing: {path} is not a file")
    return Path(path).resolve(), function


def _of(number, completions):
    """The example that is at fault, in words."""
    said = completions[number] if isinstance(completions[number], str) else completions[number][-1]["content"]
    return f" for completion {number + 1} of {len(completions)}, {said[:60]!r}"
