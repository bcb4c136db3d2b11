"""Lists of messages as demonstrations, preferences, judgements and prompts, by the chat template of a model."""

import json

import pytest

from practice_torch.data import prompts
from practice_torch.data.alignment import load
from practice_torch.data.errors import DataError
from practice_torch.data.reading.chat_templates import ChatTemplate
from practice_torch.data.reading.model_tokenizer import ModelTokenizer
from practice_torch.data.reading.tokenizer_files import TokenizerFile

PLAIN = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
MARKED = (
    "{% for m in messages %}{% if m.role == 'assistant' %}<|assistant|>{% generation %}{{ m.content + '<|im_end|>' }}"
    "{% endgeneration %}{{ '\n' }}{% else %}{{ '<|' + m.role + '|>' + m.content + '<|im_end|>\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
FORGETFUL = (  # what an assistant thought is left out once another turn follows
    "{% for m in messages %}{{ m.role }}:{{ m.content if loop.last else m.content[-1] }};{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)
SPECIAL = ("<|endoftext|>", "<|im_end|>", "<|user|>", "<|assistant|>", "<|system|>", "<|tool|>")


def said(role, content):
    return {"role": role, "content": content}


TALK = [said("system", "s"), said("user", "hi"), said("assistant", "yes"), said("user", "so"), said("assistant", "no")]
PAIR = {"prompt": TALK[:2], "chosen": [said("assistant", "yes")], "rejected": [said("assistant", "no")]}


@pytest.fixture(scope="module")
def encoder():
    tokenizers = pytest.importorskip("tokenizers")
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    made = tokenizers.Tokenizer(tokenizers.models.BPE({mark: number for number, mark in enumerate(alphabet)}, []))
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    made.add_special_tokens(list(SPECIAL))
    return TokenizerFile("tokenizers", made.to_str().encode())


def model(encoder, source):
    template = source and ChatTemplate(source)
    return ModelTokenizer(encoder, {"library": "tokenizers"}, encoder.vocabulary_size, template)


def read(encoder, source, rows, folder, of=load, **options):
    path = folder / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return of(path, tokenizer=model(encoder, source), **options)


def spelled(encoder, tokens):
    names = {number: name for name, number in encoder.special_tokens.items()}
    return "".join(names.get(token) or encoder.decode([token]) for token in tokens)


@pytest.mark.parametrize("source", [PLAIN, MARKED], ids=["by prefixes", "by marks"])
def test_the_assistants_turns_of_a_conversation_are_learned(source, encoder, tmp_path):
    """What is before its first is the prompt; the special token that ends a turn is the assistant's, the line's end is not."""
    train, _ = read(encoder, source, [{"messages": TALK}] * 4, tmp_path, columns="completions", context=64)
    begun = "<|system|>s<|im_end|>\n<|user|>hi<|im_end|>\n<|assistant|>"
    whole = begun + "yes<|im_end|>\n<|user|>so<|im_end|>\n<|assistant|>no<|im_end|>"
    length = int(train.lengths[0, 0])
    tokens = train.tokens[0, 0]
    assert spelled(encoder, tokens[:length].tolist()) == whole
    learned = train.batch()["learned"][0]
    assert spelled(encoder, tokens[learned].tolist()) == "yes<|im_end|>no<|im_end|>"
    assert int(train.prompts[0]) == int(learned.nonzero()[0])


@pytest.mark.parametrize("row", [PAIR, {name: TALK[:2] + PAIR[name] for name in ("chosen", "rejected")}], ids=["prompt", "none"])
def test_pairs_of_messages(row, encoder, tmp_path):
    train, _ = read(encoder, PLAIN, [row] * 4, tmp_path, context=64)
    prompt = int(train.prompts[0])
    assert spelled(encoder, train.tokens[0, 0, :prompt].tolist()) == "<|system|>s<|im_end|>\n<|user|>hi<|im_end|>\n<|assistant|>"
    ends = [spelled(encoder, train.tokens[0, k, prompt : train.lengths[0, k]].tolist()) for k in range(2)]
    assert ends == ["yes<|im_end|>", "no<|im_end|>"]
    assert train.learned is None


def test_judgements_and_completions_of_messages(encoder, tmp_path):
    rows = [{"prompt": TALK[:2], "completion": [said("assistant", "x")], "label": number % 2 == 0} for number in range(6)]
    for columns in ("judged", "completions"):
        for data in read(encoder, MARKED, rows, tmp_path, columns=columns, context=64):
            ends = {spelled(encoder, data.tokens[k, 0, data.prompts[k] : data.lengths[k, 0]].tolist()) for k in range(len(data))}
            assert ends == {"x<|im_end|>"}


@pytest.mark.parametrize("name", ["prompt", "messages"])
def test_prompts_of_messages_and_the_end_of_a_turn(name, encoder, tmp_path):
    train, _ = read(encoder, PLAIN, [{name: TALK[:2], "answer": "1"}] * 4, tmp_path, of=prompts.load, prompt=64)
    assert spelled(encoder, train.tokens[0, : train.lengths[0]].tolist()).endswith("hi<|im_end|>\n<|assistant|>")
    assert train.description["end"] == encoder.special("<|im_end|>")
    assert prompts.prompts.rows_of(train.columns[:1]) == [{"prompt": TALK[:2], "answer": "1"}]


def test_a_template_without_special_tokens_ends_with_that_of_a_text(tmp_path):
    (tmp_path / "template.jinja").write_text(
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"
    )
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join([json.dumps({"messages": TALK[1:]})] * 3))
    train, _ = load(path, columns="completions", context=64, chat_template=str(tmp_path / "template.jinja"))
    length = int(train.lengths[0, 0])
    assert bytes(train.tokens[0, 0, :length].tolist()) == b"user: hi\nassistant: yes\nuser: so\nassistant: no\n\0"
    assert bytes(train.tokens[0, 0, :length][train.learned[0, :length]].tolist()) == b" yes\n no\n\0"


WRONG = {
    "roles": ([said("assistant", "a"), said("user", "b")], "message 1 of 'messages' is of the assistant, the first; a system"),
    "system late": ([said("user", "a"), said("system", "b")], "message 2 of 'messages' is of the system, after that of the user"),
    "twice": ([*TALK[:3], said("assistant", "b")], "message 4 of 'messages' is of the assistant, after that of the assistant"),
    "tool": ([said("user", "a"), said("tool", "b"), TALK[2]], "message 2 of 'messages' is of the tool, after that of the user"),
    "unknown": ([said("human", "a")], "message 1 of 'messages' has the role 'human'; known are system, developer, user"),
    "empty": ([said("user", " \n"), TALK[2]], "message 1 of 'messages' is empty"),
    "parts": ([said("user", [{"type": "text"}])], "message 1 of 'messages' has a content of type list; it must be a text"),
    "none": ([said("user", "a"), said("assistant", None)], "message 2 of 'messages' has a content of type NoneType"),
    "keys": ([{"from": "human", "value": "a"}], "message 1 of 'messages' has from, value; it must have role and content"),
    "no list": ("hello", "'messages' is 'hello'; it must be a list"),
    "nothing": ([], "'messages' is .*; it must be a list"),
    "text": (["a"], "message 1 of 'messages' is 'a'; it must have role and content"),
    "no turn": ([said("user", "a")], "'messages' has no turn of the assistant, which alone is learned"),
    "unicode": ([said("user", "\ud800"), TALK[2]], "message 1 of 'messages' is no valid Unicode"),
    "private": ([said("user", "\ue0fe"), TALK[2]], "a message has the character .* private use"),
}


@pytest.mark.parametrize("name", WRONG)
def test_messages_that_cannot_be_used_are_named(name, encoder, tmp_path):
    messages, wrong = WRONG[name]
    rows = [{"messages": TALK}, {"messages": messages}, {"messages": TALK}]
    with pytest.raises(DataError, match=f"line 2: {wrong}") as error:
        read(encoder, PLAIN, rows, tmp_path, columns="completions", context=64)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ({"prompt": "a", "chosen": "b", "rejected": "c"}, "line 2: it has texts, and the rows before have messages"),
        (PAIR | {"prompt": "hi"}, "line 2: messages in chosen and rejected, and no messages in prompt"),
        (PAIR | {"prompt": TALK[:3]}, "line 2: the last message of 'prompt' is of the assistant; the assistant replies"),
        (PAIR | {"chosen": TALK[3:]}, "line 2: 'chosen' has messages of user, assistant; after a prompt it must be one"),
        (PAIR | {"chosen": PAIR["rejected"]}, "line 2: chosen and rejected are equal"),
        ({"chosen": TALK[:3], "rejected": TALK[2:]}, "line 2: there is no prompt, and chosen and rejected are not the same"),
    ],
)
def test_pairs_of_messages_that_cannot_be_used_are_named(row, wrong, encoder, tmp_path):
    with pytest.raises(DataError, match=wrong):
        read(encoder, PLAIN, [PAIR, row, PAIR], tmp_path, context=64)


def test_prompts_that_cannot_be_used_are_named(encoder, tmp_path):
    for row, wrong in (
        ({"prompt": "text"}, "line 2: it has texts, and the rows before have messages"),
        ({"prompt": TALK[:3]}, "line 2: the last message of 'prompt' is of the assistant"),
    ):
        with pytest.raises(DataError, match=wrong):
            read(encoder, PLAIN, [{"prompt": TALK[:2]}, row], tmp_path, of=prompts.load)


def test_a_template_that_changes_earlier_turns_is_refused(encoder, tmp_path):
    with pytest.raises(DataError, match=r"line 1: the chat template changes the text of the messages before .* generation"):
        read(encoder, FORGETFUL, [{"messages": TALK}] * 3, tmp_path, columns="completions", context=64)


def test_without_a_template_the_option_is_named(encoder, tmp_path):
    for of, row in ((load, PAIR), (prompts.load, {"prompt": TALK[:2]})):
        with pytest.raises(DataError, match="the model has no chat template: name one with --chat-template FILE"):
            read(encoder, None, [row] * 3, tmp_path, of=of)
    with pytest.raises(DataError, match="chat_template is .* a folder without chat_template.jinja"):
        load("pydoc", chat_template=str(tmp_path))
    with pytest.raises(DataError, match=r"none.jinja cannot be read"):
        load("pydoc", chat_template=str(tmp_path / "none.jinja"))
