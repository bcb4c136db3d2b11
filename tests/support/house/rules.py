"""The rules of the house, read from the source: each a function of the tree's root that lists what breaks it."""

import ast
import re
import sys
from functools import cache
from pathlib import Path

from shared_specs.checking.shapes import parse as parse_shapes
from shared_specs.commands.syllabus_page import PAGE, page, renewed
from shared_specs.syllabus import load

WINGS = ("theory_jax", "practice_torch")
THREE = ("shared_specs", *WINGS)
LECTURES = "theory_jax/lectures"
EXERCISES = "theory_jax/exercises"  # of lectures, in files of their own
# the parts of a wing that are no family: what may not know a topic
PARTS = {
    "shared_specs": {"backends", "checking", "grading", "commands", "recording"},
    "theory_jax": {"networks", "mathematics", "lectures", "exercises", "derivation", "pages", "experiments", "commands"},
    "practice_torch": {
        "mathematics",
        "networks",
        "pretrained",
        "data",
        "engine",
        "pictures",
        "reports",
        "experiments",
        "projects",
        "commands",
    },
}
# tests/<family>/<kind>_<topic>.py, which a central test reads
OF_A_TOPIC = ("mistakes", "objective", "network", "sampler", "metrics", "literal")
# which parts of the theory wing see which, next to __main__
SEEN_BY = {"derivation": {"derivation", "lectures", "exercises", "pages", "commands"}, "pages": {"pages", "commands"}}
USERS = {"experiments", "projects", "commands"}  # of topics: what may import all families
OF_EXPERIMENTS = {"engine", "data", "pictures", "reports"}  # the parts that a topic leaves to its experiment
# what the topics of each wing are written in, and the lectures. scipy has what jax and torch lack, and lectures minimize and
# integrate with it by another route than their own
LANGUAGE = {
    "shared_specs": {"numpy"},
    "theory_jax": {"jax", "flax", "optax", "numpy", "scipy"},
    "theory_jax/lectures": {"jax", "flax", "optax", "numpy", "scipy", "sympy"},
    "practice_torch": {"torch", "sympy", "numpy", "scipy"},
}
HEX = r"#(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{3})\b"
COLOR = {".py": rf"""["']({HEX}|tab:\w+)["']""", ".css": HEX, ".jinja": HEX}
ANNOTATED = ("practice_torch/engine", "practice_torch/reports", "shared_specs")
BACKENDS = {"jax", "flax", "optax", "torch", "torchvision", "torchaudio", "accelerate"}
FOREIGN = {"theory_jax": {"torch", "torchvision", "torchaudio", "accelerate"}, "practice_torch": {"jax", "flax", "optax"}}

# ---------------------------------------------------------------------------------------------------- reading


@cache
def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes(tree):
    """Every node of a file's tree, walked once for all rules."""
    return tuple(ast.walk(tree))


def families(root):
    return [family for floor in load(root / "shared_specs" / "syllabus.toml").floors for family in floor]


def files(root, wing):
    """Every source file of a wing, as a path below the wing."""
    return sorted(path.relative_to(root / wing) for path in (root / wing).rglob("*.py"))


def topics(root, wing):
    """The topics that have a file in the wing: family/topic. family/_name.py holds what the family's topics share."""
    return [path.with_suffix("").as_posix() for path in files(root, wing) if in_family(root, path) and path.name[0] != "_"]


def lectures(root):
    """The topics that have a lecture."""
    paths = [path for path in files(root, "theory_jax") if is_lecture(root, path) and path.name[0] != "_"]
    return [path.relative_to("lectures").with_suffix("").as_posix() for path in paths if path.parts[0] == "lectures"]


def in_family(root, path):
    """Whether a file, as a path below its wing, is a topic of a family or a private module of one."""
    return len(path.parts) == 2 and path.parts[0] in families(root)


def is_lecture(root, path):
    """Whether a file, as a path below the theory wing, is a lecture, its exercises, or a private module of its family."""
    return len(path.parts) == 3 and path.parts[0] in ("lectures", "exercises") and path.parts[1] in families(root)


def experiments(root):
    """The files of experiments, as paths below the practice wing; not the folders of what they share."""
    below = [path for path in files(root, "practice_torch") if path.parts[0] == "experiments" and path.name != "__init__.py"]
    return [path for path in below if len(path.parts) == 2 or path.parts[1] in families(root)]


@cache
def imports(tree):
    """Every module that is imported anywhere in the file, by a statement or by a literal import_module, and the line."""
    return tuple(_imports(tree))


def _imports(tree):
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or ""), node.lineno
        elif isinstance(node, ast.Call) and _name_called(node.func) in ("import_module", "__import__"):
            name = node.args[0] if node.args else None
            if isinstance(name, ast.JoinedStr) and isinstance(name.values[0], ast.Constant):
                name = name.values[0]
            elif isinstance(name, ast.BinOp):
                name = name.left
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield name.value, node.lineno


def _name_called(function):
    """The last name of what a call calls; None where it has none."""
    return getattr(function, "attr", getattr(function, "id", None))


def imported_names(tree):
    """(module, line) and (module.name, line) of every import."""
    yield from imports(tree)
    for node in nodes(tree):
        if isinstance(node, ast.ImportFrom):
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def functions(tree):
    """The public functions that a topic defines, by name."""
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name[0] != "_"}


def classes(tree):
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef) and node.name[0] != "_"}


def imported(tree):
    return {alias.asname or alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}


def pairs(root):
    """(topic, theory's tree, practice's tree) of every topic that is in both wings."""
    for topic in topics(root, "theory_jax"):
        if (root / "practice_torch" / f"{topic}.py").is_file():
            yield topic, *(parsed(root / wing / f"{topic}.py") for wing in WINGS)


# ---------------------------------------------------------------------------------------------------- who may import whom


def wrong_imports(root):
    """Rules 1 to 4 of the house."""
    for wing in THREE:
        for path in files(root, wing):
            if path.name == "__main__.py":
                continue
            is_topic = in_family(root, path)
            for module, line in imports(parsed(root / wing / path)):
                if reason := _refused(root, wing, path, is_topic, module):
                    yield f"{wing}/{path}:{line} imports {module}: {reason}"


def _refused(root, wing, path, is_topic, module):
    """Why a file may not import a module; empty if it may."""
    if module.startswith("."):
        return "write the whole path"
    top, *below = module.split(".")
    if top in ("tests", "demo", "benchmarks", "book", "notebooks"):
        return "nothing depends on tests, demo, benchmarks, notebooks or the book"
    if wing in WINGS and top in WINGS and top != wing:
        return "the wings never see each other"
    if wing in WINGS and top in FOREIGN[wing]:
        return "that is the other wing's language"
    if wing == "shared_specs":
        if is_topic:
            own = ("shared_specs.rows", f"shared_specs.{path.parts[0]}._cases")
            return "" if module in own or top == "numpy" else "a spec imports shared_specs.rows, its _cases and numpy only"
        lazily = path.parts[0] == "backends" or path.name == "reference.py"
        return "backends are imported in shared_specs/backends only" if top in BACKENDS | set(WINGS) and not lazily else ""
    if top == "shared_specs":
        if path.parts[0] == "commands" or module == "shared_specs.stopping" or _holds_constants(root, module):
            return ""
        return "a wing takes constants, configurations and stopping from shared_specs, nothing else"
    if top == wing == "theory_jax" and below[:1] == ["lectures"]:
        return _refused_lecture(root, path, below)
    if top == wing == "theory_jax" and below[:1] == ["exercises"]:
        return "" if path.name == "loading.py" else "exercises are imported by loading.py alone"
    if top == wing == "theory_jax" and below and path.parts[0] not in SEEN_BY.get(below[0], {path.parts[0]}):
        return f"{below[0]} is for {' and '.join(sorted(SEEN_BY[below[0]]))} only"
    if top == wing and below and below[0] in families(root):
        uses_all = path.parts[0] in USERS or (wing == "theory_jax" and is_lecture(root, path))
        return "" if uses_all else _refused_topic(root, path, is_topic, below[0])
    if top == wing and below[:1] == ["experiments"] and path.parts[0] not in USERS:
        return "only experiments, projects, commands, tests, demo and benchmarks see experiments"
    if top == wing and below[:1] == ["commands"] and path.parts[0] not in ("commands", "__init__.py"):
        return "only a wing's __init__ and __main__ files and tests see commands"
    if top == wing and below[:1] == ["projects"] and path.parts != ("commands", "project.py"):
        private = path.parts[0] == "projects" and "".join(below[1:2]).startswith("_")
        shared = path.parts[0] in ("projects", "reports") and below[1:] == ["runner"]
        return "" if private or shared else "only their command sees projects"
    if is_topic and top == wing and OF_EXPERIMENTS.intersection(below[:1]):
        return f"a topic is functions and networks; {below[0]} is for its experiment, practice_torch/experiments/{path}"
    if path.parts[0] == "pictures" and top not in {"numpy", "torch"} | sys.stdlib_module_names:
        return "" if module == "practice_torch.engine.artifacts" else "a picture is made of arrays and engine.artifacts alone"
    if wing == "theory_jax" and (is_lecture(root, path) or path.parts[:2] == ("lectures", "lemmas")):
        return _refused_language("a lecture", top, {wing} | LANGUAGE["theory_jax/lectures"])
    return _refused_language("a topic here", top, {wing} | LANGUAGE[wing]) if is_topic else ""


def _refused_language(what, package, allowed):
    return "" if package in allowed | sys.stdlib_module_names else f"{what} is written in {', '.join(sorted(allowed))}"


def _refused_lecture(root, path, below):
    """Lectures see lemmas, and lectures of their own family and of lower floors; loading.py imports a lecture by its path."""
    if path.name == "loading.py":
        return ""
    if path.parts[0] == "exercises":
        own = below[1:2] == [path.parts[1]] and (below[2:] == [path.stem] or "".join(below[2:])[:1] in ("", "_"))
        return "" if own else "exercises see their own lecture, and private modules of its family"
    if path.parts[0] != "lectures":
        return "only lectures, their exercises, __main__ files and tests see lectures"
    if below[1:2] == ["lemmas"] or below[1:2] == [path.parts[1]]:
        return ""
    if path.parts[1] == "lemmas":
        return "a lemma rests on lemmas only"
    return _refused_floor(root, below[1], path.parts[1])


def _refused_topic(root, path, is_topic, family):
    if not is_topic:
        return "only topics, experiments, __main__ files and tests see topics"
    return "" if family == path.parts[0] else _refused_floor(root, family, path.parts[0])


def _refused_floor(root, family, own):
    syllabus = load(root / "shared_specs" / "syllabus.toml")
    return f"{family} is not on a lower floor than {own}" if syllabus.floor(family) >= syllabus.floor(own) else ""


def _holds_constants(root, module):
    """Whether a module of shared_specs is nothing but assignments and classes: constants and configurations."""
    path = root.joinpath(*module.split(".")).with_suffix(".py")
    allowed = ast.Expr | ast.ImportFrom | ast.Assign | ast.AnnAssign | ast.ClassDef
    return path.is_file() and all(isinstance(node, allowed) for node in parsed(path).body)


# ---------------------------------------------------------------------------------------------------- the mirror


def missing_mirrors(root):
    """A topic of the syllabus has all of its files (it is built) or none (it is planned); no file belongs to another topic."""
    syllabus = load(root / "shared_specs" / "syllabus.toml")
    for topic in syllabus.topics:
        paths = [
            *(f"{folder}/{topic}.py" for folder in (*THREE, LECTURES, EXERCISES)),
            "tests/{}/mistakes_{}.py".format(*topic.split("/")),
        ]
        missing = [path for path in paths if not (root / path).is_file()]
        if 0 < len(missing) < len(paths):
            yield f"{topic} is half built: {', '.join(missing)} is missing"
    written = {f"{wing}/{topic}.py": topic for wing in THREE for topic in topics(root, wing)}
    written |= {f"{LECTURES}/{topic}.py": topic for topic in lectures(root)}
    for path in sorted((root / EXERCISES).glob("*/[a-z]*.py")):
        written[path.relative_to(root).as_posix()] = f"{path.parent.name}/{path.stem}"
    for kind in OF_A_TOPIC:
        for path in sorted((root / "tests").glob(f"*/{kind}_*.py")):
            written[f"tests/{path.parent.name}/{path.name}"] = f"{path.parent.name}/{path.stem.removeprefix(f'{kind}_')}"
    for path, topic in written.items():
        if topic not in syllabus.topics:
            yield f"{path} is there, but {topic} is not a topic of the syllabus"
    for path, topic in written.items():
        if "/objective_" in path and not (root / "practice_torch" / "experiments" / f"{topic}.py").is_file():
            yield f"{path} is there, but {topic} has no experiment"
    for path in experiments(root):
        topic = path.relative_to("experiments").with_suffix("").as_posix()
        if topic not in written.values():
            yield f"practice_torch/{path} is there, but {topic} is not a topic that is built"
    for wing in THREE:
        for folder in sorted({path.parts[0] for path in files(root, wing) if len(path.parts) > 1}):
            if folder not in PARTS[wing] and folder not in families(root):
                yield f"{wing}/{folder} is neither a family of the syllabus nor a part of the house"


def unequal_signatures(root):
    """A function has the same name, arguments and defaults in both wings; a network of the theory is one of the practice."""
    for topic, theory, practice in pairs(root):
        ours, theirs = functions(theory), functions(practice)
        for name in sorted(ours.keys() | theirs.keys()):
            if name in ours and name in theirs:
                if (left := _signature(ours[name])) != (right := _signature(theirs[name])):
                    yield f"{topic}: {name}({left}) in theory_jax, {name}({right}) in practice_torch"
            elif name not in imported(practice if name in ours else theory):
                yield f"{topic}: {name} is missing in {'practice_torch' if name in ours else 'theory_jax'}"
        for name in sorted(classes(theory).keys() - classes(practice).keys() - imported(practice)):
            yield f"{topic}: the class {name} is missing in practice_torch"


def _signature(function):
    """Names, order and defaults of the arguments; keyword-only ones in alphabetical order, since their order means nothing."""
    arguments = function.args
    positional = arguments.posonlyargs + arguments.args
    defaults = [None] * (len(positional) - len(arguments.defaults)) + arguments.defaults
    words = [_argument(*pair) for pair in zip(positional, defaults, strict=True)]
    keywords = sorted(_argument(*pair) for pair in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True))
    return ", ".join([*words, *(["*"] if keywords else []), *keywords])


def _argument(argument, default):
    return argument.arg if default is None else f"{argument.arg}={ast.unparse(default)}"


def unspecified(root):
    """Every function of both wings is the subject of an Agree or an Anchor, and every network of a Model."""
    for topic, theory, practice in pairs(root):
        spec = root / "shared_specs" / f"{topic}.py"
        subjects = _subjects(parsed(spec)) if spec.is_file() else set()
        public = functions(theory).keys() | functions(practice).keys()
        networks = classes(theory).keys() & classes(practice).keys()
        for name in sorted((public | networks) - subjects):
            yield f"{topic}: no row of shared_specs/{topic}.py is about {name}"


def _subjects(tree):
    calls = [node for node in nodes(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args]
    rows = [call for call in calls if call.func.id in ("Agree", "Anchor", "Model")]
    return {row.args[0].value for row in rows if isinstance(row.args[0], ast.Constant)}


# ---------------------------------------------------------------------------------------------------- what a file must hold


def unreadable_docstrings(root):
    """A public function's docstring ends with its shapes; its last paragraph is the same in both wings."""
    for topic, theory, practice in pairs(root):
        endings = {}
        for wing, tree in zip(WINGS, (theory, practice), strict=True):
            for name, function in functions(tree).items():
                text = ast.get_docstring(function)
                try:
                    parse_shapes(text)
                except ValueError as error:
                    yield f"{wing}/{topic}.py: {name}: {error}"
                    continue
                ending = text.split("\n\n")[-1]
                if endings.setdefault(name, ending) != ending:
                    yield f"{topic}: the last paragraph of the docstring of {name} differs from wing to wing"


def wrong_lectures(root):
    """A derivation names the lectures that the syllabus gives its topic."""
    syllabus = load(root / "shared_specs" / "syllabus.toml")
    for topic in lectures(root):
        for call in nodes(parsed(root / LECTURES / f"{topic}.py")):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "Derivation" and topic in syllabus.topics:
                named = next((ast.literal_eval(word.value) for word in call.keywords if word.arg == "lectures"), ())
                if named != (wanted := syllabus.topics[topic].lectures):
                    yield f"{LECTURES}/{topic}.py names the lectures {named}; those of the syllabus are {wanted}"


def empty_shells(root):
    """No file without content, no function without a body, no derivation without steps, no spec without rows."""
    for wing in THREE:
        for path in files(root, wing):
            tree, name = parsed(root / wing / path), f"{wing}/{path}"
            documented_package = path.name == "__init__.py" and ast.get_docstring(tree)
            if not documented_package and all(map(_is_words, tree.body)):
                yield f"{name} holds nothing"
            described = _described_by_protocols(tree)
            for node in nodes(tree):
                if isinstance(node, ast.FunctionDef | ast.ClassDef) and node not in described and _is_hollow(node):
                    yield f"{name}: {node.name} has no body"
    for topic in lectures(root):
        tree = parsed(root / LECTURES / f"{topic}.py")
        if "derivation" not in _assigned(tree) or not any(map(_is_step, tree.body)):
            yield f"{LECTURES}/{topic}.py derives nothing"
    for wing in WINGS:
        for topic in topics(root, wing):
            tree = parsed(root / wing / f"{topic}.py")
            if not (functions(tree) or classes(tree)):
                yield f"{wing}/{topic}.py defines nothing"
    for topic in topics(root, "shared_specs"):
        if not _subjects(parsed(root / "shared_specs" / f"{topic}.py")):
            yield f"shared_specs/{topic}.py has no rows"


def _is_step(node):
    """Whether a node adds a part to a derivation: a chain, or a function under a decorator of `derivation`."""
    calls = node.decorator_list if isinstance(node, ast.FunctionDef) else [getattr(node, "value", None)]
    return any(
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and ast.unparse(call.func.value) == "derivation"
        and (isinstance(node, ast.FunctionDef) or call.func.attr == "chain")
        for call in calls
    )


def _is_words(node):
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _is_hollow(node):
    """A body of nothing, or of a refusal to have one. An exception class needs no body but its docstring."""
    rest = [line for line in node.body if not _is_words(line)]
    if isinstance(node, ast.ClassDef):
        return not rest and not node.bases
    return not rest or (isinstance(rest[0], ast.Raise) and "NotImplemented" in ast.unparse(rest[0]))


def _described_by_protocols(tree):
    """The methods of typing Protocols, which need only a docstring."""
    protocols = (node for node in nodes(tree) if isinstance(node, ast.ClassDef) and "Protocol" in map(ast.unparse, node.bases))
    methods = (node for protocol in protocols for node in protocol.body if isinstance(node, ast.FunctionDef))
    return {method for method in methods if ast.get_docstring(method)}


def _assigned(tree):
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def undescribed_packages(root):
    """Every folder of a wing has an __init__.py with a docstring."""
    for wing in THREE:
        for folder in sorted({(root / wing / path).parent for path in files(root, wing)}):
            init = folder / "__init__.py"
            if not (init.is_file() and ast.get_docstring(parsed(init))):
                yield f"{init.relative_to(root)} is missing or has no docstring: say in one sentence what the folder holds"


def unannotated(root):
    """Arguments and results of public functions and methods have types in the parts that everything else is built on."""
    for part in ANNOTATED:
        for path in sorted((root / part).rglob("*.py")):
            if part == "shared_specs" and in_family(root, path.relative_to(root / part)):
                continue  # a spec is a table of rows
            tree = parsed(path)
            public = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name[0] != "_"]
            for function in (node for parent in (tree, *public) for node in parent.body if isinstance(node, ast.FunctionDef)):
                missing = _without_type(function.args) + ["the result"] * (function.returns is None)
                if missing and (function.name[0] != "_" or function.name in ("__init__", "__call__")):
                    yield f"{path.relative_to(root)}:{function.lineno} {function.name}: no type for {', '.join(missing)}"


def _without_type(arguments):
    every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg)
    return [each.arg for each in every if each and each.annotation is None and each.arg not in ("self", "cls")]


def two_programs(root):
    """A function of the theory is one program, traced or not: what asks whether it is traced only checks values.

    The contracts rely on it: they compute with the traced one.
    """
    for path in (path for path in files(root, "theory_jax") if in_family(root, path)):
        tree = parsed(root / "theory_jax" / path)
        asked = sum(isinstance(node, ast.Attribute | ast.Name) and _last_name(node) == "Tracer" for node in nodes(tree))
        only_checking = sum(isinstance(node, ast.If) and _only_checks(node) for node in nodes(tree))
        if asked > only_checking:
            yield f"theory_jax/{path} does not only check values where it asks for a Tracer"


def _last_name(node):
    return node.attr if isinstance(node, ast.Attribute) else node.id


def _only_checks(node):
    """if not isinstance(x, jax.core.Tracer): followed by nothing but words for a message and calls of require..."""

    def checks(line):
        is_call = isinstance(line, ast.Expr) and isinstance(line.value, ast.Call)
        return (is_call and ast.unparse(line.value.func).startswith("require")) or _is_message(line)

    return "Tracer" in ast.unparse(node.test) and not node.orelse and all(map(checks, node.body))


def _is_message(line):
    return isinstance(line, ast.Assign) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)


def stray_colors(root):
    """Colors of figures and pages are those of shared_specs/palette.py."""
    for folder in (*THREE, "demo", "book", "notebooks"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in COLOR or path == root / "shared_specs" / "palette.py":
                continue
            for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
                for color in re.findall(COLOR[path.suffix], text):
                    yield f"{path.relative_to(root)}:{line} has the color {color}: take one of shared_specs/palette.py"


def stale_syllabus_pages(root):
    """The README's summary and the page of the syllabus say what the syllabus and the derivations say."""
    syllabus = load(root / "shared_specs" / "syllabus.toml")
    texts = {name: Path(root, name).read_text(encoding="utf-8") for name in ("README.md", PAGE)}
    for name, new in (("README.md", renewed(texts["README.md"], root, syllabus)), (PAGE, page(root, syllabus))):
        if texts[name] != new:
            yield f"{name} differs from the syllabus or the derivations; run `make syllabus`"
