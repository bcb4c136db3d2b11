"""A name with a leading underscore is used in its own file only, a module with one by its own family only, lectures included."""

import ast

from tests.support.house.rules import THREE, files, nodes, parsed

NAMEDTUPLES = {"_asdict", "_fields", "_make", "_replace"}  # public, whatever they are called


def private_names(root):
    """No private name of another file is used; a private module is imported by its own family only, and its names are public."""
    for wing in THREE:
        for path in files(root, wing):
            tree, name = parsed(root / wing / path), f"{wing}/{path}"
            home = ".".join((wing, *path.parent.parts))
            # a family's lectures see its private modules, and exercises what their lecture sees
            lecture = home.replace("theory_jax.exercises.", "theory_jax.lectures.")
            homes = home, lecture, lecture.replace("theory_jax.lectures.", "theory_jax.")
            own = f"{lecture}.{path.stem}" if lecture != home else None  # whose private names exercises see
            for module, line in _private_imports(root, tree):
                folder, _, last = module.rpartition(".")
                if folder == own:
                    continue
                if not _is_module(root, module):
                    yield f"{name}:{line} imports {module}, which is private to its file; share it in a _module of the family"
                elif folder not in homes:
                    yield f"{name}:{line} imports {module}: {last} is for the files of {folder} only"
            for used, line in _private_attributes(tree):
                yield f"{name}:{line} uses {used}, a private name of another file"
            if _is_private(path.stem):
                for hidden in sorted(name for node in tree.body for name in _given_by(node) if _is_private(name)):
                    yield f"{name} defines {hidden}: the module is private, so its names need no underscore"


def _is_private(name):
    return name.startswith("_") and not name.endswith("__")


def _is_module(root, module):
    return root.joinpath(*module.split(".")).with_suffix(".py").is_file()


def _private_imports(root, tree):
    """The whole path of everything private that is imported from the house: a module or a name in one."""
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if _is_private(name.rpartition(".")[2]) else node.module for name in names]
        else:
            continue
        for name in dict.fromkeys(names):
            if name.split(".")[0] in THREE and _is_private(name.rpartition(".")[2]):
                yield name, node.lineno


def _private_attributes(tree):
    """Private attributes of objects: not of self, which may inherit them, nor of a library, nor such as the file itself gives."""
    own, libraries = set(_defined(tree)), set(_libraries(tree))
    for node in nodes(tree):
        if isinstance(node, ast.Attribute) and _is_private(node.attr) and node.attr not in own | NAMEDTUPLES:
            of = ast.unparse(node.value)
            if of not in ("self", "cls", "super()") and of.split(".")[0] not in libraries:
                yield f"{of}.{node.attr}", node.lineno


def _libraries(tree):
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            yield from (
                (alias.asname or alias.name).split(".")[0] for alias in node.names if alias.name.split(".")[0] not in THREE
            )


def _defined(tree):
    """Every name that a tree gives: to functions, classes, variables, fields, and attributes of objects."""
    for node in nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.attr if isinstance(node, ast.Attribute) else node.id


def _given_by(node):
    """The names that a statement at the top of a file defines."""
    return [node.name] if isinstance(node, ast.FunctionDef | ast.ClassDef) else _defined(node)
