"""The labels of prepared examples: what is known of those in some sources, and the numbers of all their classes.

What is known is a dict that can be written as JSON and grows with the number of classes alone: the number of examples ("count"),
the name of one with a label ("with") and of one without ("without"), the lists of class names that tables publish ("published";
null for sources without such a list), and the different labels ("labels"), numbers or names. Facts of several sources are merged,
so that no process has to see all examples.
"""

from practice_torch.data.errors import DataError
from practice_torch.data.reading.files import require_name
from practice_torch.data.reading.folders import natural


def no_labels():
    """The facts about no examples."""
    return {"count": 0, "with": None, "without": None, "published": [], "labels": []}


def merged(several):
    """The facts about the examples of all, in their order."""
    result, labels, published = no_labels(), {}, {}
    for facts in several:
        result["count"] += facts["count"]
        for key in ("with", "without"):
            result[key] = facts[key] if result[key] is None else result[key]
        published |= dict.fromkeys(None if names is None else tuple(names) for names in facts["published"])
        labels |= dict.fromkeys(facts["labels"])
    return result | {"published": list(published), "labels": sorted(labels, key=lambda label: (isinstance(label, str), label))}


def class_numbers(facts):
    """{label as text: number of its class}, or None without labels: as published, or numbers as they are, or in natural order."""
    if facts["with"] is None:
        return None
    if facts["without"] is not None:
        found = f"{facts['with']} has a label and {facts['without']} has none"
        raise DataError(f"{found}: give every one a label, or --ignore-labels")
    if _are_published(facts):
        return {name: number for number, name in enumerate(facts["published"][0])}
    if _are_numbers(facts):
        if (least := min(facts["labels"])) < 0:
            raise DataError(f"label {least} found; numbers of classes are at least 0: number from 0")
        return {str(label): label for label in facts["labels"]}
    names = sorted({str(label) for label in facts["labels"]}, key=natural)
    return {name: number for number, name in enumerate(names)}


def class_names(facts):
    """The names of the classes of all examples, or None without labels. DataError if a number is too large to count classes."""
    numbers = class_numbers(facts)
    if numbers is None:
        return None
    if _are_published(facts):
        names = list(facts["published"][0])
    elif _are_numbers(facts):
        most, count = max(facts["labels"]), facts["count"]
        if most >= count:
            raise DataError(f"label {most} found; allowed are 0..{count - 1}, for {count} examples: number from 0")
        names = [str(number) for number in range(most + 1)]
    else:
        names = list(numbers)
    for name in names:
        require_name(name, "the name of a class,")
    return names


def _are_published(facts):
    return len(facts["published"]) == 1 and facts["published"][0] is not None


def _are_numbers(facts):
    return all(isinstance(label, int) for label in facts["labels"])
