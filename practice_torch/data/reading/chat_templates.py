"""Chat templates: messages to the text, and to the tokens, that a model of conversations was trained on.

A template is a program in Jinja that comes with the weights: chat_template.jinja, or "chat_template" in tokenizer_config.json.
It runs in Jinja's sandbox, as in transformers, and sees the messages and the special tokens alone.
"""

import datetime
import json
from dataclasses import dataclass, field

import torch
from jinja2 import TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from practice_torch.data.errors import DataError

TEMPLATE, CONFIGURATION = "chat_template.jinja", "tokenizer_config.json"
GUARD = "\ue0fe"  # a character of private use: it parts what a message has of a special token, and is taken out afterward


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
        _require_messages(messages)
        given = {**self.special_tokens, **variables, "messages": messages, "add_generation_prompt": answer}
        try:
            return _compiled(self.source).render(**given)
        except Exception as error:  # a template may fail in any way, by its own word or by a mistake
            said = " ".join(str(error).split())[:200] or type(error).__name__
            raise DataError(f"the chat template refuses the messages ({said}): give roles and contents that it knows") from None

    def tokens(self, tokenizer, messages, *, answer=True, **variables):
        """The tokens of messages, int64 [L]: the template's special tokens as such, and those that a message spells as text.

        A user who writes <|im_end|> does not end a turn; transformers' apply_chat_template lets it.
        """
        names = sorted(tokenizer.special_tokens, key=len, reverse=True)
        if GUARD in json.dumps(messages, ensure_ascii=False, default=str):
            raise DataError(f"a message has the character {GUARD!a}, which is of private use: take it out")
        text = self.text(_guarded(messages, names), answer=answer, **variables)
        found, begin = [], 0
        for place, name in _occurrences(text, names):
            found += [tokenizer.encode(text[begin:place].replace(GUARD, "")), torch.tensor([tokenizer.special(name)])]
            begin = place + len(name)
        return torch.cat([*found, tokenizer.encode(text[begin:].replace(GUARD, ""))]).long()

    def write(self, folder):
        """Into a folder, such as a run's, from which read_chat_template reads it again."""
        (folder / TEMPLATE).write_text(self.source, encoding="utf-8")
        (folder / CONFIGURATION).write_text(json.dumps(self.special_tokens, indent=2) + "\n", encoding="utf-8")


def read_chat_template(folder):
    """The ChatTemplate of a folder of weights or of a run; None if it has none.  DataError for one that cannot be used."""
    configuration, source = _configuration(folder / CONFIGURATION), None
    try:
        if (folder / TEMPLATE).is_file():
            source = (folder / TEMPLATE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{folder / TEMPLATE} cannot be read ({error}); it must be text in UTF-8") from None
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
    tokens = {}
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
    """{% generation %} ... {% endgeneration %} marks what a model is trained on; it is shown as it is."""

    tags = {"generation"}  # noqa: RUF012 (Jinja reads a set)

    def parse(self, parser):
        next(parser.stream)
        return parser.parse_statements(["name:endgeneration"], drop_needle=True)


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
