"""Every public function and class of the analysis says what it does, and every module shows it by an example that runs.

What is public and what is a method is read from the source, so that a new module is held to the same.
"""

import ast
from pathlib import Path

import pytest

import analysis

ROOT = Path(analysis.__file__).parent
MODULES = {
    str(path.relative_to(ROOT).with_suffix("")): ast.parse(path.read_text("utf-8")) for path in ROOT.rglob("*.py")
}


def public(module: ast.Module) -> list[ast.FunctionDef | ast.ClassDef]:
    return [
        node
        for node in module.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]


def imports(module: ast.Module) -> set[str]:
    names = [alias.name for node in module.body if isinstance(node, ast.Import) for alias in node.names]
    names += [str(node.module) for node in module.body if isinstance(node, ast.ImportFrom)]
    return {name.split(".")[0] for name in names}


def described(node: ast.FunctionDef | ast.ClassDef | ast.Module) -> str:
    return ast.get_docstring(node) or ""


def methods(tree: ast.ClassDef) -> list[ast.FunctionDef]:
    return [node for node in tree.body if isinstance(node, ast.FunctionDef)]


# A module with a public function computes something. The compiled loops are those of another module, and an example of
# theirs would need the optional extra.
COMPUTING = sorted(
    name
    for name, module in MODULES.items()
    if any(isinstance(node, ast.FunctionDef) for node in public(module)) and "numba" not in imports(module)
)


@pytest.mark.parametrize("name", sorted(MODULES))
def test_every_module_function_and_class_is_described(name: str) -> None:
    module = MODULES[name]
    assert described(module) or not module.body, f"{name} does not say what it is for"
    silent = [node.name for node in public(module) if not described(node)]
    assert not silent, f"{name}: without a docstring: {', '.join(silent)}"


@pytest.mark.parametrize("name", COMPUTING)
def test_every_module_that_computes_has_an_example_that_runs(name: str) -> None:
    nodes: list[ast.FunctionDef | ast.ClassDef] = []
    for node in public(MODULES[name]):
        nodes += [node, *(methods(node) if isinstance(node, ast.ClassDef) else [])]
    assert any(">>> " in described(node) for node in nodes), f"{name}: no public function shows an example (>>>)"


@pytest.mark.parametrize("name", COMPUTING)
def test_the_function_a_module_is_named_for_has_the_example(name: str) -> None:
    own = [node for node in public(MODULES[name]) if node.name == Path(name).name]
    for node in own:
        assert ">>> " in described(node), f"{name}.{node.name} shows no example"


def test_most_of_the_analysis_is_held_to_this() -> None:
    """A rule that reads nothing would hold for ever."""
    assert len(COMPUTING) > 50
    assert "lmm/kenward_roger" in COMPUTING
    assert "lmm/compiled" not in COMPUTING
