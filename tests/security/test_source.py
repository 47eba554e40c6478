"""What the source itself must not do: rules no import contract can say."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("evalapp", "analysis", "instruments")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TEMPLATES = sorted((ROOT / "evalapp").rglob("*.html"))
ANSWERS = frozenset({"Answer", "FreeText", "SetAside", "WordsDecision"})
# Who may say that text is safe to show as it stands, and why.
SAFE_MARKUP: dict[str, str] = {
    "evalapp/figures": "draws SVG whose every text is escaped where it is put in",
    "evalapp/dashboard/pictures.py": "hands the SVG of evalapp.figures to a template",
    "evalapp/dashboard/release_pictures.py": "hands the SVG of evalapp.figures to a template",
}
# The few marks a template may call safe: each is written out here whole, of our own letters alone.
SAFE_PARTS = (
    """{{ ' aria-invalid="true"'|safe if fault }}""",
    """{% set described = (' aria-describedby="' ~ notes ~ '"')|safe if notes else "" %}""",  # ids made of item codes
    """{{ ' aria-describedby="reach-fault" aria-invalid="true"'|safe if fault }}""",
    """{{ ' aria-describedby="pin-fault" aria-invalid="true"'|safe if fault }}""",
    """{% set invalid = ' aria-invalid="true"'|safe if wrong else "" %}""",
)
ROUTES = sorted(
    path for audience in ("survey", "trial", "dashboard") for path in (ROOT / "evalapp" / audience).rglob("*.py")
)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def names_in(tree: ast.AST) -> Iterator[str]:
    """Every name a module reads, imports or reaches as an attribute."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield node.name.rpartition(".")[2]


def strings_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def imports_of(path: Path) -> Iterator[str]:
    """What a module imports when it runs; what only a type checker sees is left out."""
    tree = ast.parse(path.read_text())
    unseen = {
        id(node)
        for found in ast.walk(tree)
        if isinstance(found, ast.If) and isinstance(found.test, ast.Name) and found.test.id == "TYPE_CHECKING"
        for node in ast.walk(found)
    }
    for node in ast.walk(tree):
        if id(node) in unseen:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""


def tables_reached(path: Path) -> set[str]:
    """The classes of evalapp.models a module imports, or reaches through the module."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "evalapp.models":
            found |= {alias.name for alias in node.names}
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in {"models", "responses"}
        ):
            found.add(node.attr)
    return found


def test_there_is_source_to_look_at() -> None:
    assert len(SOURCES) > 30
    assert len(TEMPLATES) > 15


def test_only_responses_names_the_answers_and_the_words() -> None:
    reaching = {name_of(path) for path in SOURCES if ANSWERS & tables_reached(path)}
    assert reaching == {"evalapp/responses.py"}


def test_the_rule_about_the_answers_would_see_a_breach(tmp_path: Path) -> None:
    (tmp_path / "by_name.py").write_text("from evalapp.models import Answer as A, Site\n")
    (tmp_path / "by_module.py").write_text("from evalapp import models\nmodels.FreeText\n")
    (tmp_path / "neither.py").write_text("class Answer: ...\nAnswer()\n")
    assert [
        bool(ANSWERS & tables_reached(tmp_path / f"{name}.py")) for name in ("by_name", "by_module", "neither")
    ] == [
        True,
        True,
        False,
    ]


def test_nothing_reaches_the_answers_by_their_tables_names() -> None:
    """No SQL text names the tables, and nobody asks the metadata for them."""
    found = {
        name_of(path)
        for path in SOURCES
        for text in strings_in(ast.parse(path.read_text()))
        if text in {"answer", "free_text"} or any(f"{word} {table}" in text.lower() for word in ("from", "into", "join", "update")
                                                  for table in ("answer ", "free_text "))
    }  # fmt: skip
    of_other_programs = {
        "evalapp/exchange/fhir.py",
        "evalapp/exchange/limesurvey.py",
    }  # whose files have an "answer" too
    for name in of_other_programs:
        known = {module.partition(".")[0] for module in imports_of(ROOT / name)}
        assert not known & {"sqlalchemy", "sqlite3", "psycopg"}
        assert not {"evalapp.db", "evalapp.models"} & set(imports_of(ROOT / name))
    assert found <= {"evalapp/models.py", *of_other_programs}


def test_the_instruments_stand_on_the_standard_library() -> None:
    own = [path for path in SOURCES if name_of(path).startswith("instruments/")]
    outside = {
        (name_of(path), module)
        for path in own
        for module in imports_of(path)
        if module.partition(".")[0] not in {*sys.stdlib_module_names, "instruments"}
    }
    assert own
    assert outside == {("instruments/__main__.py", "textstat")} or not outside


def test_markup_is_called_safe_only_where_it_is_known_to_be() -> None:
    naming = {name_of(path) for path in SOURCES if {"Markup", "safe_join"} & set(names_in(ast.parse(path.read_text())))}
    assert {name for name in naming if not name.startswith(tuple(SAFE_MARKUP))} == set()


@pytest.mark.parametrize("template", TEMPLATES, ids=name_of)
def test_no_template_switches_escaping_off_or_carries_script_or_style(template: Path) -> None:
    text = template.read_text()
    unexplained = text
    for part in SAFE_PARTS:
        unexplained = unexplained.replace(part, "")
    squeezed = unexplained.replace(" ", "")
    assert "|safe" not in squeezed
    assert "autoescapefalse" not in squeezed
    assert "<style" not in text
    assert " style=" not in text
    assert "javascript:" not in text.lower()
    tags = [part.partition(">")[0] for part in text.split("<script")[1:]]
    assert not [tag for tag in tags if "src=" not in tag and 'type="application/json"' not in tag]  # data does not run
    assert not [
        word for word in (" onclick", " onload", " onsubmit", " onchange", " oninput") if f"{word}=" in text.lower()
    ]


@pytest.mark.parametrize("source", SOURCES, ids=name_of)
def test_no_module_runs_text_as_code_or_unpacks_objects(source: Path) -> None:
    tree = ast.parse(source.read_text())
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not called & {"eval", "exec", "compile", "__import__", "render_template_string"}
    assert not {"pickle", "marshal", "shelve", "yaml"} & {module.partition(".")[0] for module in imports_of(source)}


@pytest.mark.parametrize("source", ROUTES, ids=name_of)
def test_an_audience_s_module_does_no_arithmetic_on_answers(source: Path) -> None:
    """Means, differences and scores are the analysis': no numpy, no pandas, no statistics here."""
    assert not {module.partition(".")[0] for module in imports_of(source)} & {
        "numpy",
        "pandas",
        "scipy",
        "statistics",
        "math",
    }
    called = {
        node.func.attr for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }  # fmt: skip
    assert not called & {"mean", "median", "std", "var", "pivot", "quantile", "agg"}


def test_audiences_never_import_each_other() -> None:
    for path in ROUTES:
        own = name_of(path).split("/")[1]
        others = {"survey", "trial", "dashboard"} - {own}
        assert not {
            module for module in imports_of(path) if module.startswith(tuple(f"evalapp.{one}" for one in others))
        }


def writes(called: ast.expr) -> bool:
    """Whether a call prints, or writes to a log."""
    if isinstance(called, ast.Name):
        return called.id == "print"
    return (
        isinstance(called, ast.Attribute)
        and isinstance(called.value, ast.Name)
        and called.value.id in {"log", "logger"}
    )


def test_a_log_line_is_fixed_words_and_known_numbers() -> None:
    """No text made on the spot goes to a log, and only these modules write to one or print."""
    allowed = {"evalapp/serve.py", "evalapp/cli.py", "evalapp/operate.py", "evalapp/demo.py"}
    # An alarm; which line failed and how; that a message is tried again.
    allowed |= {"evalapp/survey/door.py", "evalapp/survey/problems.py", "evalapp/jobs.py"}
    found = {}
    for path in SOURCES:
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        written = [node for node in calls if writes(node.func)]
        if written or "logging" in set(imports_of(path)):
            found[name_of(path)] = written
    assert {name for name in found if name.startswith("evalapp/")} <= allowed
    for name in ("evalapp/survey/door.py", "evalapp/survey/problems.py"):
        assert found[name]
        assert all(isinstance(node.args[0], ast.Constant) for node in found[name])
