"""Lists of messages in the columns of a row: what they must be, and which of them are a prompt, a reply or a conversation."""

from practice_torch.data.errors import DataError

ROLES = ("system", "developer", "user", "assistant", "tool")
FIRST = ("system", "developer")  # roles of the first message alone
MESSAGES = 'a list of {"role": ..., "content": ...}'


def messages_of(where, value, name):
    """The messages [{"role", "content", ...}] of a column, at least one, each with a role that is known and a text."""
    if not isinstance(value, list) or not value:
        raise DataError(f"{where}: '{name}' is {value!r:.60}; it must be {MESSAGES}, with at least one")
    found = []
    for number, message in enumerate(value, 1):
        which = f"{where}: message {number} of '{name}'"
        if not isinstance(message, dict) or not {"role", "content"} <= message.keys():
            given = (
                f"has {', '.join(map(str, message))[:60] or 'nothing'}" if isinstance(message, dict) else f"is {message!r:.60}"
            )
            raise DataError(f"{which} {given}; it must have role and content")
        if message["role"] not in ROLES:
            raise DataError(f"{which} has the role {message['role']!r:.40}; known are {', '.join(ROLES)}")
        content = message["content"]
        if not isinstance(content, str):
            raise DataError(f"{which} has a content of type {type(content).__name__}; it must be a text")
        if not content.strip():
            raise DataError(f"{which} is empty; its content must be a text: mend the row, or leave it out")
        try:
            content.encode()
        except UnicodeEncodeError:  # half of a surrogate pair, which JSON can spell
            raise DataError(f"{which} is no valid Unicode: mend the row, or leave it out") from None
        # parquet gives every message the keys of all others, with None
        found.append({key: one for key, one in message.items() if one is not None})
    return found


def require_order(where, messages, name):
    """DataError unless a system's message is the first, a user's comes before the assistant's, and none of these follows another
    of its own, nor a tool's anything but an assistant's or a tool's.
    """
    before = None
    for number, message in enumerate(messages, 1):
        role = message["role"]
        begins = before is None or before in FIRST
        wrong = {"assistant": begins or before == "assistant", "tool": before not in ("assistant", "tool"), "user": False}.get(
            role, before is not None
        )
        if wrong:
            place = f"after that of the {before}" if before else "the first"
            raise DataError(
                f"{where}: message {number} of '{name}' is of the {role}, {place}; a system or developer may be the first, then "
                "user and assistant take turns"
            )
        before = role


def conversation(where, value, name="messages"):
    """The messages of a whole conversation, in which the assistant has a turn."""
    messages = messages_of(where, value, name)
    require_order(where, messages, name)
    if all(message["role"] != "assistant" for message in messages):
        raise DataError(f"{where}: '{name}' has no turn of the assistant, which alone is learned: add one, or leave the row out")
    return messages


def prompt_of(where, value, name="prompt"):
    """The messages to which the assistant replies."""
    messages = messages_of(where, value, name)
    require_order(where, messages, name)
    _require_question(where, messages, name)
    return messages


def replied(where, prompt, value, name):
    """The one message of the assistant that follows the prompt's."""
    messages = messages_of(where, value, name)
    if [message["role"] for message in messages] != ["assistant"]:
        roles = ", ".join(message["role"] for message in messages)
        raise DataError(f"{where}: '{name}' has messages of {roles:.60}; after a prompt it must be one, of the assistant")
    require_order(where, [*prompt, *messages], name)
    return messages


def parted(where, chosen, rejected):
    """(prompt, chosen, rejected) of two conversations that differ in their last message, which is the assistant's."""
    both = messages_of(where, chosen, "chosen"), messages_of(where, rejected, "rejected")
    prompt = both[0][:-1]
    if not prompt or prompt != both[1][:-1]:
        raise DataError(
            f"{where}: there is no prompt, and chosen and rejected are not the same messages but for their last: add the column "
            "prompt, or mend the row"
        )
    require_order(where, prompt, "chosen")
    _require_question(where, prompt, "chosen")
    return prompt, *(replied(where, prompt, one[-1:], name) for one, name in zip(both, ("chosen", "rejected"), strict=True))


def _require_question(where, messages, name):
    if (last := messages[-1]["role"]) not in ("user", "tool"):
        raise DataError(f"{where}: the last message of '{name}' is of the {last}; the assistant replies to a user or a tool")
