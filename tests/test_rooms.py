"""The plan of the house (ARCHITECTURE.md) holds: imports run downward, files are short."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = (
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
COMMANDS = len(ROOMS)  # a file at the top of srn_tf
CLIENTS = COMMANDS + 1  # experiments and data_tools
FILES = sorted((ROOT / "srn_tf").rglob("*.py"))
CLIENT_FILES = sorted(
    path for name in ("experiments", "data_tools") for path in ROOT.glob(f"{name}/*.py")
)


def floor(module):
    """The height of a dotted module name; None for what the house does not own."""
    top, *rest = module.split(".")
    if top in ("experiments", "data_tools"):
        return CLIENTS
    if top != "srn_tf":
        return None
    if not rest:
        return -1  # sets environment variables and imports nothing
    return ROOMS.index(rest[0]) if rest[0] in ROOMS else COMMANDS


def dotted(path):
    module = path.relative_to(ROOT).with_suffix("")
    return ".".join(module.parts[:-1] if module.name == "__init__" else module.parts)


def imports(path):
    """The project's own modules that a file imports, anywhere in it, also through lazy doors."""
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
    return {name for name in names if floor(name) is not None and name != "srn_tf"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_imported_from_above(path):
    here = floor(dotted(path))
    above = sorted(name for name in imports(path) if floor(name) > here)
    assert not above


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


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_lists_its_files(room):
    folder = ROOT / "srn_tf" / room
    docstring = ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
    listed = re.findall(r"^\s*(\w+\.py) ", docstring, flags=re.MULTILINE)
    files = {path.name for path in folder.glob("*.py")} - {"__init__.py"}
    assert sorted(listed) == sorted(files)


def test_every_folder_is_a_room():
    folders = {path.parent.name for path in ROOT.glob("srn_tf/*/*.py")}
    assert folders == set(ROOMS)


def test_files_are_short():
    lengths = {str(path): len(path.read_text().splitlines()) for path in FILES}
    assert not {path: length for path, length in lengths.items() if length > 300}


def test_no_two_names_differ_by_their_ending_alone():
    def stem(name):
        return re.sub(r"(ation|ator|ing|er|or|e|s)$", "", name)

    names = [path.stem for path in FILES if path.stem != "__init__"]
    stems = [stem(name) for name in names]
    assert {name for name, s in zip(names, stems) if stems.count(s) > 1} == set()
