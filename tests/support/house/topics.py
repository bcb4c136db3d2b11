"""A topic is known to its own files and to the syllabus alone, so that adding one changes no other file."""

import ast
import re

from shared_specs.syllabus import load
from tests.support.house.rules import THREE, WINGS, families, functions, imported_names, nodes, parsed

# Where a file may name topics, and why.
COMPOSED = {
    "benchmarks": "a benchmark is about the topics that it measures",
    "practice_torch/commands/judging/scores.py": "scores of comparisons are functions of a topic",
    "practice_torch/experiments": "parts of experiments are composed of the functions of topics",
    "practice_torch/projects": "a project compares the models of several topics",
    "practice_torch/__main__.py": "the command that prepares text learns a tokenizer",
    "tests/commands/test_projects.py": "its tests train the models of a project",
    "tests/commands/projects": "their tests restore images and sounds with the models of a project",
    "tests/house/test_topics.py": "its tests are about which topics use a part",
    "tests/specs/test_processors.py": "its topics failed on another processor",
    "tests/training/test_experiment_mutants.py": "one of its tests is about which topics use a part",
    "tests/support/written_chains.py": "the chains of several diffusion models are composed of the steps of topics",
}
# Topics that a test of the machinery or a command may name where any topic would do, and what each of them is an example of.
EXAMPLES = {
    "adversarial/dcgan": "several optimizers and compiled networks",
    "autoregressive/chain_rule": "a network in a user's file",
    "autoregressive/ngram": "an experiment that counts",
    "autoregressive/search": "decoding by a command",
    "autoregressive/tokenization": "a tokenizer",
    "autoregressive/transformer": "text",
    "autoregressive/wavenet": "sound",
    "diffusion/elbo": "operations that are counted up to a tolerance",
    "diffusion/forward_process": "integers as arguments",
    "diffusion/training": "a U-Net, and one topic with several modalities",
    "flows/multiscale": "a network that is recomputed layer by layer",
    "foundations/jensen": "a short topic without an experiment",
    "foundations/maximum_likelihood": "lemmas that other lectures use",
    "latent/elbo": "the topic of the README",
    "latent/reparameterization": "functions of callables",
    "latent/vae": "images",
    "preference/dpo": "a spec that begins with a function that calls another",
    "reinforcement/group_policy": "a policy whose completions are rewarded by a program of the user's",
    "reinforcement/ppo": "an experiment without data",
}


def named_topics(root):
    """No file outside a topic's own names the topic, except in the places of COMPOSED; a test may name an example."""
    for path, line, topic in sorted(set(topics_named(root))):
        if topic not in EXAMPLES and not place_of(path):
            yield f"{path}:{line} names {topic}: move what is about this topic to its own files, or take a topic of EXAMPLES"


def place_of(path):
    """The place of COMPOSED that a file is in, if it is in one."""
    return next((place for place in COMPOSED if f"{path}/".startswith(f"{place}/")), None)


def topics_named(root):
    """(path, line, topic) of every string and import that names a topic in a file outside the families' folders."""
    syllabus = load(root / "shared_specs" / "syllabus.toml")
    mention = re.compile(rf"(?<!\w)({'|'.join(families(root))})[/.](\w+)")
    for path in _central_files(root):
        for text, line in (*_strings(parsed(root / path)), *imported_names(parsed(root / path))):
            for family, topic in mention.findall(text):
                if f"{family}/{topic}" in syllabus.topics:
                    yield path.as_posix(), line, f"{family}/{topic}"


def _central_files(root):
    """The files of Python that are in no family's folder."""
    found = [
        path for place in (*THREE, "tests", "demo", "book", "notebooks", "benchmarks") for path in (root / place).rglob("*.py")
    ]
    for path in sorted(path.relative_to(root) for path in (*found, *root.glob("*.py"))):
        if not set(path.parts[:-1]) & set(families(root)):
            yield path


def _strings(tree):
    """(text, line) of every string of a file that is no docstring."""
    prose = {id(node.value) for node in nodes(tree) if isinstance(node, ast.Expr)}
    for node in nodes(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value, node.lineno


def mirrored_functions(root):
    """No test of a topic defines a function with the name of one of the topic's: such a test compares code with its copy."""
    for topic in load(root / "shared_specs" / "syllabus.toml").topics:
        family, name = topic.split("/")
        public = {function for wing in WINGS for function in _functions_of(root / wing / f"{topic}.py")}
        for path in sorted((root / "tests" / family).glob(f"*_{name}*.py")):
            own = re.fullmatch(rf"[a-z]+_{name}(_experiment)?", path.stem)
            if own and public & set(re.findall(r"\bdef (\w+)", path.read_text(encoding="utf-8"))):  # few files need parsing
                for node in nodes(parsed(path)):
                    if isinstance(node, ast.FunctionDef) and node.name in public:
                        yield f"tests/{family}/{path.name}:{node.lineno} defines {node.name}, a function of {topic}: rename it"


def _functions_of(path):
    return functions(parsed(path)) if path.is_file() else ()
