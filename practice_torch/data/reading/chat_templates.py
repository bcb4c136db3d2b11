"""Chat templates: messages to the text, and to the tokens, that a model of conversations was trained on.

A template is a program in Jinja that comes with the weights: chat_template.jinja, or "chat_template" in tokenizer_config.json.
It runs in Jinja's sandbox, as in transformers, and sees the messages and the special tokens alone.

    template.tokens(tokenizer, messages)              # up to where the model's turn begins
    template.turns(tokenizer, messages)               # all of a conversation, and which tokens are the assistant's
    template.reply(tokenizer, messages, [message])    # those before the assistant's turn, and its own

The assistant's turn is encoded apart from what is before it, as in use, where it is drawn after the tokens of the prompt.
"""

import datetime
import functools
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jinja2 import TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from practice_torch.data.errors import DataError

TEMPLATE, CONFIGURATION = "chat_template.jinja", "tokenizer_config.json"
# characters of private use, which are taken out afterward
GUARD = "\ue0fe"  # it parts what a message has of a special token
OPEN, CLOSE = "\ue0fc", "\ue0fd"  # around what a template marks by {% generation %}
MARKS, PRIVATE = f"[{OPEN}{CLOSE}]", GUARD + OPEN + CLOSE


@dataclass(frozen=True)
class ChatTemplate:
    """A template, and the special tokens that it may name, as bos_token."""

    source: str
    special_tokens: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        _compiled(self.source)

    def text(self, messages, *, answer=True, **variables):
        """The text of messages, a list of {"role": ..., "content": ...}; answer: it ends where the model's turn begins.

        Raises DataError for what are no messages, and where the template refuses them.
        """
        return re.sub(MARKS, "", self._marked(messages, answer, variables))

    def tokens(self, tokenizer, messages, *, answer=True, **variables):
        """The tokens of messages, int64 [L]: the template's special tokens as such, and those that a message spells as text.

        A user who writes <|im_end|> does not end a turn; transformers' apply_chat_template lets it.
        """
        names = _names(tokenizer)
        return _encoded(tokenizer, self.text(_guarded_messages(messages, names), answer=answer, **variables), names)

    def turns(self, tokenizer, messages):
        """(tokens of a conversation, int64 [L]; whether each is the assistant's to write, bool [L]), the end of a turn included.

        What the template marks with {% generation %}; in one without such marks what each turn adds.  Raises DataError where a
        turn changes the text before it, and where no token is the assistant's.
        """
        names = _names(tokenizer)
        guarded = _guarded_messages(messages, names)
        marked, parts, own = self._marked(guarded, False, {}), [], False
        if OPEN in marked:
            for piece in re.split(f"({MARKS})", marked):
                own = piece == OPEN if piece in (OPEN, CLOSE) else own
                parts.append((re.sub(MARKS, "", piece), own))
        else:
            place = 0
            for number, message in enumerate(messages):
                if message["role"] == "assistant":
                    before, turn = self._turn(guarded[:number], guarded[number : number + 1], names, f"message {number + 1}")
                    if not marked.startswith(before + turn) or len(before) < place:
                        raise DataError(_changed(f"what follows message {number + 1}"))
                    parts += [(before[place:], False), (turn, True)]
                    place = len(before) + len(turn)
            parts.append((marked[place:], False))
        tokens = [(_encoded(tokenizer, text, names), own) for text, own in parts if text]
        if not any(len(some) for some, own in tokens if own):
            raise DataError("the chat template leaves the assistant no token to write: give it more content")
        return torch.cat([some for some, _ in tokens]), torch.cat([torch.full((len(some),), own) for some, own in tokens])

    def reply(self, tokenizer, prompt, completion):
        """(tokens of the prompt's messages, up to the assistant's turn; tokens of this turn, its end included), int64 [P], [C].

        Raises DataError where the completion changes the text of the prompt.
        """
        names = _names(tokenizer)
        before, turn = self._turn(*(_guarded_messages(some, names) for some in (prompt, completion)), names, "the completion")
        return tuple(_encoded(tokenizer, text, names) for text in (before, turn))

    def end_of_turn(self, tokenizer):
        """The special token that ends the assistant's turn, a number; None if the template ends it with none."""
        _, completion = self.reply(tokenizer, [{"role": "user", "content": "a"}], [{"role": "assistant", "content": "b"}])
        last = completion[-1].item() if len(completion) else None
        return last if last in map(tokenizer.special, tokenizer.special_tokens) else None

    def _turn(self, prompt, completion, names, which):
        """(text up to the assistant's turn, text of the turn without blanks after the special token that ends it)."""
        before, whole = self.text(prompt), self.text([*prompt, *completion], answer=False)
        if not whole.startswith(before):
            raise DataError(_changed(which))
        turn = whole[len(before) :]
        bare = turn.rstrip()
        return before, bare if bare.endswith(tuple(names)) else turn

    def _marked(self, messages, answer, variables):
        """The text, with OPEN and CLOSE."""
        _require_messages(messages)
        given = {**self.special_tokens, **variables, "messages": messages, "add_generation_prompt": answer}
        try:
            return _compiled(self.source).render(**given)
        except Exception as error:  # a template may fail in any way, by its own word or by a mistake
            said = " ".join(str(error).split())[:200] or type(error).__name__
            raise DataError(f"the chat template refuses the messages ({said}): give roles and contents that it knows") from None

    def write(self, folder):
        """Into a folder, such as a run's, from which read_chat_template reads it again."""
        (folder / TEMPLATE).write_text(self.source, encoding="utf-8")
        (folder / CONFIGURATION).write_text(json.dumps(self.special_tokens, indent=2) + "\n", encoding="utf-8")


def read_chat_template(place, defaults=()):
    """The ChatTemplate of a folder of weights or of a run, or of a file of a template alone; None if the folder has none.

    defaults: pairs of a special token's name, as bos_token, and its text, where tokenizer_config.json in the folder has no other.
    DataError for one that cannot be used.
    """
    place = Path(place).expanduser()
    file = place / TEMPLATE if place.is_dir() else place
    configuration, source = _configuration(file.parent / CONFIGURATION), None
    try:
        if file.is_file() or not place.is_dir():
            source = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read ({error}); it must be text in UTF-8") from None
    folder = file.parent
    if source is None:
        source = configuration.get("chat_template")
        if isinstance(source, list):  # several, by their names
            named = {one.get("name"): one.get("template") for one in source if isinstance(one, dict)}
            if "default" not in named:
                names = ", ".join(map(str, named)) or "none"
                raise DataError(f"{folder / CONFIGURATION} has the chat templates {names}; one must be named default")
            source = named["default"]
    if source is None:
        return None
    if not isinstance(source, str):
        raise DataError(f"{folder / CONFIGURATION} has a chat_template of type {type(source).__name__}; it must be text")
    tokens = dict(defaults)
    for name, value in configuration.items():
        spelled = value.get("content") if isinstance(value, dict) else value
        if name.endswith("_token") and isinstance(spelled, str):
            tokens[name] = spelled
    return ChatTemplate(source, tokens)


def _configuration(path):
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({str(error)[:120]}); it must be JSON") from None
    if not isinstance(found, dict):
        raise DataError(f"{path} is a {type(found).__name__}; it must be an object")
    return found


def _require_messages(messages):
    allowed = 'they must be a list of {"role": ..., "content": ...}, at least one'
    if not isinstance(messages, list | tuple) or not messages:
        raise DataError(f"messages are {messages!r:.100}; {allowed}")
    for number, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise DataError(f"message {number + 1} is {message!r:.100}; {allowed}")


def _names(tokenizer):
    """The special tokens, the longest first."""
    return sorted(tokenizer.special_tokens, key=len, reverse=True)


def _encoded(tokenizer, text, names):
    """The tokens of a guarded text, int64 [L]."""
    found, begin = [], 0
    for place, name in _occurrences(text, names):
        found += [tokenizer.encode(text[begin:place].replace(GUARD, "")), torch.tensor([tokenizer.special(name)])]
        begin = place + len(name)
    return torch.cat([*found, tokenizer.encode(text[begin:].replace(GUARD, ""))]).long()


def _changed(which):
    found = f"the chat template changes the text of the messages before {which}, once it follows"
    return f"{found}: give one that does not, or marks the assistant's turns by {{% generation %}}, with --chat-template FILE"


def _guarded_messages(messages, names):
    """The messages guarded; DataError for one with a character that is a mark here."""
    written = json.dumps(messages, ensure_ascii=False, default=str)
    if wrong := next((mark for mark in PRIVATE if mark in written), None):
        raise DataError(f"a message has the character {wrong!a}, which is of private use: take it out")
    return _guarded(messages, names)


def _guarded(value, names):
    """The same messages, in whose texts no name occurs, nor a part of one at an end that the template might complete."""
    if isinstance(value, dict):
        # a role is the caller's word, and a template may make a special token of it, as <|user|>
        return {key: one if key == "role" else _guarded(one, names) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_guarded(one, names) for one in value]
    if not isinstance(value, str):
        return value
    for name in names:
        value = value.replace(name, name[0] + GUARD + name[1:])
        bare = value.rstrip()  # a template may strip what it is given
        for size in range(1, len(name)):
            if bare.endswith(name[:size]):
                place = len(bare) - size + 1
                value = value[:place] + GUARD + value[place:]
                break
        blank = len(value) - len(value.lstrip())
        for size in range(1, len(name)):
            if value.startswith(name[-size:], blank):
                place = blank + size - 1
                value = value[:place] + GUARD + value[place:]
                break
    return value


def _occurrences(text, names):
    """(place, name) of the special tokens in a text, from left to right; of several at one place the longest."""
    place = 0
    while place < len(text):
        nearest = [(found, -len(name), name) for name in names if (found := text.find(name, place)) >= 0]
        if not nearest:
            return
        found, _, name = min(nearest)
        yield found, name
        place = found + len(name)


class _Generation(Extension):
    """{% generation %} ... {% endgeneration %} marks what a model is trained on: OPEN and CLOSE are put around it."""

    tags = {"generation"}  # noqa: RUF012 (Jinja reads a set)

    def parse(self, parser):
        next(parser.stream)
        opened, closed = (nodes.Output([nodes.TemplateData(mark)]) for mark in (OPEN, CLOSE))
        return [opened, *parser.parse_statements(["name:endgeneration"], drop_needle=True), closed]


@functools.lru_cache(maxsize=4)
def _compiled(source):
    """Jinja's template, in the environment that templates are written for.  DataError if it is none."""
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols])
    environment.filters["tojson"] = _as_json
    environment.globals |= {"raise_exception": _refuse, "strftime_now": lambda form: datetime.datetime.now().strftime(form)}
    try:
        return environment.from_string(source)
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        raise DataError(f"the chat template is no Jinja ({error}, line {line}): mend it, or leave it out") from None


def _as_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _refuse(message):
    raise TemplateError(message)
