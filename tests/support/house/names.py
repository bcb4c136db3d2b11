"""One public name is one function in the whole project, and one concept one keyword."""

import ast

from tests.support.house.rules import WINGS, classes, functions, parsed, topics

# Many flows have them, each with its own parameters: two directions and a density.
PROTOCOL = {"forward", "inverse", "log_prob"}
# Forbidden argument names, their replacement, and the families to which this applies (none: all).
KEYWORDS = {
    "dims": ("dim", ()),
    "dimension": ("dim", ()),
    "dimensions": ("dim", ()),
    "num_dims": ("dim", ()),
    "levels": ("num_levels", ()),
    "steps": ("num_steps, or step for the index of one", ()),
    "n_steps": ("num_steps", ()),
    "lr": ("learning_rate", ()),
    "gamma": ("discount", ("reinforcement", "preference")),
    "step_length": ("step_size", ()),
    "stepsize": ("step_size", ()),
    "num_iterations": ("iterations", ()),
    "max_beta": ("beta_max", ()),
    "min_beta": ("beta_min", ()),
    "data_size": ("dataset_size", ()),
}


def shared_names(root):
    """No two topics of a wing define a public function or network of one name."""
    for wing in WINGS:
        for name, found in sorted(homes(root, wing).items()):
            if len(found) > 1 and name not in PROTOCOL:
                yield f"{wing}: {name} is defined in {' and in '.join(found)}: import one of them, or rename it"


def homes(root, wing):
    """The topics of a wing that define each public name."""
    found = {}
    for topic in topics(root, wing):
        for name in _public(parsed(root / wing / f"{topic}.py")):
            found.setdefault(name, []).append(topic)
    return found


def stray_keywords(root):
    """No argument of a public function or of a network's __init__ has a name that KEYWORDS replaces."""
    for wing in WINGS:
        for topic in topics(root, wing):
            for name, node in _public(parsed(root / wing / f"{topic}.py")).items():
                for argument in _arguments(node):
                    spelling, families = KEYWORDS.get(argument, ("", ()))
                    if spelling and (not families or topic.split("/")[0] in families):
                        yield f"{wing}/{topic}.py: {name} has the argument {argument}; call it {spelling}"


def _public(tree):
    return functions(tree) | classes(tree)


def _arguments(node):
    """The names of a function's arguments, or of those of a class's __init__."""
    if isinstance(node, ast.ClassDef):
        made = (part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__")
        return [argument for part in made for argument in _arguments(part)]
    of = node.args
    return [argument.arg for argument in (*of.posonlyargs, *of.args, *of.kwonlyargs)]
