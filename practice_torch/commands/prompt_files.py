"""sample RUN --prompts FILE --out FILE.jsonl: completions of many prompts, drawn in batches.

What is drawn is kept, batch by batch, in a file next to --out; the file of --out has its name only when it is whole. A command
that was stopped draws, when it is repeated, what is missing. Each completion has a seed of its own: it is the same in any batch.
"""

import json
import sys
import time
from pathlib import Path

from practice_torch.commands.run_folder import writing
from practice_torch.data.errors import DataError
from practice_torch.engine.errors import RunError
from shared_specs.commands.errors import UsageError

TOGETHER = 32  # completions in a batch, at most: every one has a cache of keys and values
IN_LOG = 5.0  # seconds between two lines of progress
KINDS = '.jsonl ({"prompt": TEXT} or {"messages": [...]} on every line) or .txt (a prompt a line)'


def require_options(command):
    """UsageError for options that do not go together."""
    if not command.out or Path(command.out).suffix != ".jsonl":
        raise UsageError(f"out is {command.out!r}; with --prompts it must be a file, --out FILE.jsonl")
    if command.count != type(command).count or command.format:
        raise UsageError("--count and --format are of samples; with --prompts say --completions N")
    if not 1 <= command.completions < 2**31:
        raise UsageError(f"completions is {command.completions}; it must be at least 1")


def write_completions(run, completer, command, asked):
    """Draw and write what is missing; returns the exit code. asked: what the completions depend on, as JSON has it."""
    from practice_torch.engine.batches.order import seed_of

    rows = read_prompts(Path(command.prompts))
    prompts = _encoded(run, completer, command, rows)
    out = Path(command.out)
    part = out.with_name(f".{out.name}.part")
    asked = {**asked, "prompts": [row for _, row in rows]}
    jobs = [(place, number) for place in range(len(rows)) for number in range(command.completions)]
    done, started = _begun(out, part, asked), time.perf_counter()
    said, first, together = started, done, min(command.batch, TOGETHER)
    with writing(out.parent), open(part, "a", encoding="utf-8") as file:
        for begin in range(done, len(jobs), together):
            some = jobs[begin : begin + together]
            seeds = [seed_of(asked["seed"], "completion", place, number) for place, number in some]
            drawn = completer.complete([prompts[place] for place, _ in some], seeds)
            for (place, number), one in zip(some, drawn, strict=True):
                more = {"completion_number": number} if command.completions > 1 else {}
                file.write(json.dumps({**rows[place][1], **one, **more}, ensure_ascii=False) + "\n")
            file.flush()
            done, now = begin + len(some), time.perf_counter()
            if now - said >= IN_LOG:
                said, left = now, (len(jobs) - done) * (now - started) / (done - first)
                print(f"{done:,} of {len(jobs):,} completions, {left:.0f} s left", file=sys.stderr)
    with writing(out.parent):
        whole = out.with_name(f".{out.name}.whole")
        whole.write_bytes(part.read_bytes().partition(b"\n")[2])
        whole.replace(out)
        part.unlink()
    print(f"{out}: {len(jobs)} completions" + (f", {len(jobs) - first} of them drawn now" if first else ""))
    return 0


def read_prompts(path):
    """[(what a message calls it, {"prompt": ...} or {"messages": ...})] of a file.  DataError with the number of a bad line."""
    if path.suffix not in (".jsonl", ".txt"):
        raise DataError(f"{path} is no file of prompts: it must be {KINDS}")
    try:
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}); it must be {KINDS}, in UTF-8") from None
    of_line = _of_json if path.suffix == ".jsonl" else lambda where, line: {"prompt": line}
    rows = [(f"{path}, line {number}", line.rstrip("\r")) for number, line in enumerate(lines, 1) if line.strip()]
    if not rows:
        raise DataError(f"{path} has no prompt; it must be {KINDS}")
    return [(where, of_line(where, line)) for where, line in rows]


def _of_json(where, line):
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: it is not JSON ({str(error)[:80]}): write an object on every line") from None
    allowed = 'it must have either "prompt", a text, or "messages", a list'
    if not isinstance(row, dict) or ("prompt" in row) == ("messages" in row):
        raise DataError(f"{where}: it is {line[:60]}; {allowed}")
    name, kind = ("prompt", str) if "prompt" in row else ("messages", list)
    if not isinstance(row[name], kind) or not row[name]:
        raise DataError(f"{where}: {name} is {row[name]!r:.60}; {allowed} that is not empty")
    return {name: row[name]}


def _encoded(run, completer, command, rows):
    """The tokens of every prompt; messages, and with --chat every prompt, by the run's chat template."""
    from practice_torch.data.reading.chat_templates import read_chat_template

    template = read_chat_template(run.folder)
    prompts = []
    for where, row in rows:
        try:
            if command.chat or "messages" in row:
                if template is None:
                    raise DataError(f"{run.folder} has no chat template (chat_template.jinja), which messages need")
                messages = row.get("messages") or [{"role": "user", "content": row["prompt"]}]
                prompts.append(template.tokens(completer.tokenizer, messages))
            else:
                prompts.append(completer.tokenizer.encode(row["prompt"]))
            completer.require_room(prompts[-1])
        except (DataError, ValueError) as error:  # half a surrogate pair is a ValueError, too
            raise DataError(f"{where}: {error}") from None
    return prompts


def _begun(out, part, asked):
    """How many completions are there; begins the part that another command goes on with."""
    head = json.dumps(asked, ensure_ascii=False)
    if out.exists():
        raise RunError(f"{out} exists: name another file, or remove it")
    with writing(out.parent):
        out.parent.mkdir(parents=True, exist_ok=True)
        if not part.exists():
            part.write_text(head + "\n", encoding="utf-8")
            return 0
        content = part.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]  # the last line may have been cut off
    found, _, lines = whole.partition(b"\n")
    if found and found != head.encode():
        raise RunError(f"{part} holds completions of another command for {out}: remove it, or name another file")
    with writing(out.parent):
        part.write_bytes(whole if found else head.encode() + b"\n")
    return lines.count(b"\n")
