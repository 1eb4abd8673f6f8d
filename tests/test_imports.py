"""The layers of the package (ARCHITECTURE.md) hold: imports run downward only, without circles."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = (
    "common",
    "media",
    "network",
    "data",
    "weights",
    "inference",
    "evaluation",
    "exporting",
    "serving",
    "training",
)
COMMANDS = len(LAYERS)  # a file at the top of srn_tf
CLIENTS = COMMANDS + 1  # experiments and data_tools
FILES = sorted((ROOT / "srn_tf").rglob("*.py"))
CLIENT_FILES = [
    path for name in ("experiments", "data_tools") for path in ROOT.glob(f"{name}/*.py")
]


def layer(module):
    """The place of a dotted module name among the layers; None for what is not the project's."""
    top, *rest = module.split(".")
    if top in ("experiments", "data_tools"):
        return CLIENTS
    if top != "srn_tf":
        return None
    if not rest:
        return -1  # sets environment variables and imports nothing
    return LAYERS.index(rest[0]) if rest[0] in LAYERS else COMMANDS


def dotted(path):
    module = path.relative_to(ROOT).with_suffix("")
    return ".".join(module.parts[:-1] if module.name == "__init__" else module.parts)


def imports(path):
    """The project's own modules that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                place = ROOT / whole.replace(".", "/")
                is_module = place.is_dir() or place.with_suffix(".py").exists()
                names.add(whole if is_module else node.module)
    return {name for name in names if layer(name) is not None and name != "srn_tf"}


def test_every_package_has_its_layer():
    assert {path.parent.name for path in ROOT.glob("srn_tf/*/*.py")} == set(LAYERS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_imported_from_above(path):
    here = layer(dotted(path))
    assert not [name for name in imports(path) if layer(name) > here]


def test_commands_are_not_imported_by_each_other():
    commands = {dotted(path) for path in ROOT.glob("srn_tf/[!_]*.py")}
    for path in FILES:
        assert not imports(path) & (commands - {dotted(path)}), path


def test_there_is_no_circle():
    graph = {dotted(path): imports(path) for path in [*FILES, *CLIENT_FILES]}
    done, stack = set(), []

    def visit(module):
        assert module not in stack, " -> ".join([*stack, module])
        if module in done:
            return
        stack.append(module)
        for name in graph.get(module, ()):
            visit(name)
        stack.pop()
        done.add(module)

    for module in graph:
        visit(module)
    assert len(done) >= len(graph)
