"""Reward functions that are ready, with TRL's signature: (prompts, completions, **columns) -> numbers, or None."""

import re

VOWELS, AVOIDED = set("aeiou"), set("0123456789!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
NUMBER = re.compile(r"[-+]?\$?\d[\d,]*(?:\.\d+)?|[-+]?\$?\.\d+")
ANSWER = re.compile(r"####\s*(" + NUMBER.pattern + ")")


def vowels(completions, **columns):
    """Of each character: vowels 1, digits and punctuation -1, others 0; the mean over the completion, 0 of an empty one."""
    found = [[(letter in VOWELS) - (letter in AVOIDED) for letter in text] for text in completions]
    return [sum(values) / len(values) if values else 0.0 for values in found]


def gsm8k_answer(completions, answer, **columns):
    """1 where the completion's answer is the number of the column answer, 0 elsewhere; None of a row without a number.

    The data set's answers end in "#### 72". Of a completion what follows its first "####" counts, or its last number if it has
    none: the strict and the flexible extraction of lm-evaluation-harness, in this order.
    """
    rewards = []
    for text, wanted in zip(completions, answer, strict=True):
        right = number_in(str(wanted))
        rewards.append(None if right is None else float(number_in(text) == right))
    return rewards


def number_in(text):
    """The number after the first "####", or the last one of the text; None without a number. 1,000 is 1000, $5.00 is 5."""
    found = ANSWER.search(text)
    numbers = [found.group(1)] if found else NUMBER.findall(text)
    return float(numbers[-1].replace(",", "").replace("$", "")) if numbers else None
