"""XLSForm workbooks (.xlsx), in: pyxform reads them in a process of its own, and its form becomes ours."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from analysis.errors import BadData
from evalapp.exchange.drafts import (
    Choice,
    Form,
    Imported,
    Line,
    Question,
    Section,
    Shown,
    drafted,
    language_of,
    number_of,
)
from evalapp.exchange.files import check_archive
from evalapp.exchange.logic import XPATH, Dialect, NotSayable, parse
from instruments import Kind

SECONDS = 20
_READER = Path(__file__).with_name("workbook.py")
_NOT_ASKED = {
    "calculate": "a calculation", "hidden": "a hidden value", "start": "when the form was begun", "end": "when it was ended",
    "today": "the day", "deviceid": "which device it is", "username": "who is signed in", "phonenumber": "a telephone number",
    "email": "an e-mail address", "audit": "a record of what people do", "simserial": "which device it is",
    "subscriberid": "which device it is", "geopoint": "a place on a map", "geotrace": "a line on a map",
    "geoshape": "an area on a map", "start-geopoint": "where somebody is", "photo": "a picture to take",
    "image": "a picture to take",
    "audio": "a recording", "background-audio": "a recording", "video": "a recording", "file": "a file to upload",
    "barcode": "a barcode to scan", "osm": "a place on a map", "xml-external": "a file", "csv-external": "a file",
}  # fmt: skip
_TEXT, _WHOLE, _DECIMAL = {"text", "string"}, {"integer", "int"}, {"decimal"}
_PLAIN: Mapping[str, Kind] = {"text": "short_text", "string": "short_text", "note": "information", "date": "date"}
_HANDLED = {
    "type", "name", "label", "hint", "children", "choices", "itemset", "list_name", "bind", "control", "parameters", "ref",
    "flat", "columns",
}  # fmt: skip
_BOUND = re.compile(r"\(?\s*\.\s*(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?)\s*\)?")


def read(raw: bytes, *, name: str = "imported", language: str = "en") -> Imported:
    """One draft questionnaire from a workbook. `language`: of texts whose language the workbook does not name.

    Raises BadData for what is no workbook or unpacks to too much, for what pyxform finds at fault, and where pyxform is
    not installed.
    """
    check_archive(raw)
    answer = _confined(raw)
    report = [Line("dropped", where, what) for where, what in answer["lost"]]
    form = _Reader(answer["form"], name, language, report).form()
    return Imported((drafted(form, report),), tuple(report))


def _confined(raw: bytes) -> dict[str, Any]:
    """What a process of its own reads, in bounded time and memory and without this one's settings."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("EVALAPP_")}
    environment |= {"OPENBLAS_NUM_THREADS": "1"}  # openpyxl imports NumPy, whose threads would fill the memory allowed
    try:
        done = subprocess.run(  # noqa: S603 - our own file, by the interpreter that runs us
            [sys.executable, "-I", "-W", "ignore", str(_READER)], input=raw, capture_output=True, timeout=SECONDS,
            env=environment, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise BadData(f"the workbook takes more than {SECONDS} seconds to read; copy its sheets to a new one") from None
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise BadData(
            "the workbook needs more time or memory than a questionnaire does; copy its sheets to a new one"
        ) from None
    if "refused" in answer:
        raise BadData(answer["refused"])
    return answer


@dataclass
class _Under:
    """Where a question stands: its heading, and what must hold of all that stands there."""

    heading: dict[str, str] = field(default_factory=dict)
    shown: tuple[Shown, ...] = ()
    number: int = 0


class _Reader:
    """pyxform's form into ours."""

    def __init__(self, form: Mapping[str, Any], name: str, language: str, report: list[Line]) -> None:
        self._form = form
        self._name = name
        self._report = report
        self._fallback = language
        self._spoken = self._languages()
        self._sections: list[Section] = []
        self._last = -1
        self._groups = 0
        self._lists: set[str] = set()

    def form(self) -> Form:
        self._walk(self._form.get("children", []), _Under())
        for key in (
            "instance_name",
            "public_key",
            "submission_url",
            "style",
            "version",
            "allow_choice_duplicates",
            "entity_version",
        ):
            if self._form.get(key):
                self._note("dropped", "settings", f"its {key} {self._form[key]}")
        title = self._form.get("title")
        words = self._words(title) if title and title != "data" else {}
        name = str(self._form.get("id_string") or "")
        return Form(
            name if name and name != "data" else self._name,
            words,
            tuple(self._sections),
            tuple(dict.fromkeys(self._spoken.values())),
        )

    def _languages(self) -> dict[str, str]:
        """The file's names of languages to codes, the default language first."""
        default = str(self._form.get("default_language") or "default")
        said = dict.fromkeys([default] if default != "default" else [])
        said |= dict.fromkeys(_spoken(self._form.get("children", [])))
        names = [one for one in said if one != "default"]
        if not names:
            return {"default": self._fallback if default == "default" else language_of(default)}
        found = {one: language_of(one) for one in names}
        unknown = [one for one, code in found.items() if code == "und"]
        for one in unknown[1:]:
            self._note("dropped", f"language {one}", "its code is not known here; write it as English (en)")
            del found[one]
        return {**found, "default": next(iter(found.values()))}

    def _words(self, said: Any, where: str = "") -> dict[str, str]:
        """A text in each of the form's languages, its Markdown taken out and noted."""
        found = self._by_language(said)
        plain = {language: _without_markdown(text) for language, text in found.items()}
        if where and plain != found:
            self._note("approximated", where, "its formatting (Markdown) is plain text")
        return plain

    def _by_language(self, said: Any) -> dict[str, str]:
        if isinstance(said, dict):
            found: dict[str, str] = {}
            for name, text in said.items():
                if name in self._spoken and text:
                    found.setdefault(self._spoken[name], str(text))
            return found
        return {next(iter(self._spoken.values())): str(said)} if said not in (None, "") else {}

    def _walk(self, nodes: list[Mapping[str, Any]], under: _Under) -> None:
        for node in nodes:
            kind, name = str(node.get("type", "")), str(node.get("name", ""))
            if name == "meta" and kind == "group":
                continue
            if kind in {"group", "repeat", "loop"}:
                self._group(node, kind, name, under)
                continue
            for question in self._question(node, kind, name):
                asked = replace(question, shown=(*under.shown, *question.shown))
                if self._last != under.number or not self._sections:
                    self._sections.append(Section(under.heading, ()))
                    self._last = under.number
                self._sections[-1] = replace(self._sections[-1], questions=(*self._sections[-1].questions, asked))

    def _group(self, node: Mapping[str, Any], kind: str, name: str, under: _Under) -> None:
        if kind != "group":
            each = f"for each of {node['name']}" if kind == "loop" else "several times"
            self._note("approximated", name, f"what is asked {each} is asked once")
        self._settings(node, name)
        heading = self._words(node.get("label"), name)
        number = under.number
        if heading:
            self._groups += 1
            number = self._groups
        shown = (*under.shown, *self._shown(node))
        self._walk(node.get("children", []), _Under(heading or under.heading, shown, number))

    def _question(self, node: Mapping[str, Any], kind: str, name: str) -> Iterator[Question]:
        if kind in _NOT_ASKED:
            self._note("dropped", name, f"{_NOT_ASKED[kind]}, which nobody is asked here")
            return
        appearance = str((node.get("control") or {}).get("appearance", ""))
        if appearance == "label":
            self._note("dropped", name, "the head of a table; each of its rows has its answers")
            return
        bind = node.get("bind") or {}
        if bind.get("calculate"):
            self._note("dropped", name, f"a calculation ({bind['calculate']}), which nobody is asked here")
            return
        self._settings(node, name)
        question = Question(
            name,
            "information",
            self._words(node.get("label"), name),
            self._words(node.get("hint"), name),
            shown=self._shown(node),
        )
        yield self._kind(question, node, kind, appearance)

    def _kind(self, question: Question, node: Mapping[str, Any], kind: str, appearance: str) -> Question:
        name, constraint = question.code, str((node.get("bind") or {}).get("constraint", ""))
        if kind.startswith("select") or kind == "rank":
            return self._chosen(question, node, kind, appearance, constraint)
        if kind in _WHOLE | _DECIMAL:
            low, high = self._bounds(name, constraint, whole=kind in _WHOLE)
            return replace(question, kind="number", minimum=low, maximum=high, decimals=0 if kind in _WHOLE else 12)
        if constraint:
            self._note("dropped", name, f"that its answer is checked ({constraint})")
        if kind == "range":
            return self._slider(question, node.get("parameters") or {})
        if kind in {"acknowledge", "trigger"}:
            said = Choice("OK", {next(iter(self._spoken.values())): "OK"})
            return replace(question, kind="several", choices=(said,))
        if kind in {"datetime", "dateTime"}:
            self._note("approximated", name, "a date with the time of day; the day alone is asked")
        elif kind not in _PLAIN:
            self._note("approximated", name, f"a {kind}; it asks for words")
        written = _PLAIN.get(kind, "date" if kind in {"datetime", "dateTime"} else "short_text")
        return replace(question, kind="long_text" if kind in _TEXT and "multiline" in appearance else written)

    def _slider(self, question: Question, given: Mapping[str, Any]) -> Question:
        low, high, step = (number_of(given.get(key)) for key in ("start", "end", "step"))
        said = f"a slider in steps of {1 if step is None else step}; a number is written"
        self._note("approximated", question.code, said)
        decimals = 0 if step is None or float(step).is_integer() else 12
        return replace(question, kind="number", minimum=low, maximum=high, decimals=decimals)

    def _chosen(
        self, question: Question, node: Mapping[str, Any], kind: str, appearance: str, constraint: str
    ) -> Question:
        choices = tuple(
            Choice(str(one.get("name", "")), self._words(one.get("label"), f"answer {one.get('name')}"))
            for one in node.get("choices") or []
        )
        if constraint:
            self._note("dropped", question.code, f"that its answer is checked ({constraint})")
        listed = str(node.get("list_name") or node.get("itemset") or "")
        if listed not in self._lists:
            self._lists.add(listed)
            for key in dict.fromkeys(
                key for one in node.get("choices") or [] for key in one if key not in {"name", "label"}
            ):
                self._note("dropped", f"answers {listed}", f"their column {key}")
        if kind == "rank":
            self._note("approximated", question.code, "a ranking; which are chosen is asked, not in which order")
        if kind in {"rank", "select all that apply"} or "multiple" in kind:
            return replace(question, kind="several", choices=choices)
        codes = [choice.code for choice in choices]
        if set(codes) == {"yes", "no"}:
            return replace(question, kind="yes_no", choices=choices)
        scored = "likert" in appearance or "list-nolabel" in appearance
        return replace(
            question,
            kind="agreement" if scored and all(code.isdecimal() for code in codes) else "single",
            choices=choices,
        )

    def _bounds(self, name: str, constraint: str, *, whole: bool) -> tuple[float | None, float | None]:
        """The lowest and highest answer a constraint allows; noted where it says anything else."""
        low: float | None = None
        high: float | None = None
        for part in re.split(r"\s+and\s+", constraint) if constraint else ():
            found = _BOUND.fullmatch(part.strip())
            bound = number_of(found[2]) if found else None
            if found is None or bound is None or (found[1] in {"<", ">"} and not whole):
                self._note("dropped", name, f"that its answer is checked ({part})")
            elif found[1].startswith(">"):
                low = bound if found[1] == ">=" else int(bound) + 1
            else:
                high = bound if found[1] == "<=" else -(-int(bound) // 1) - 1
        return low, high

    def _settings(self, node: Mapping[str, Any], name: str) -> None:
        """What has no counterpart."""
        bind, control = node.get("bind") or {}, node.get("control") or {}
        if str(bind.get("required", "")).lower() in {"yes", "true", "true()"}:
            self._note("dropped", name, "it must be answered; here every question may be skipped")
        elif bind.get("required"):
            self._note("dropped", name, f"that it must sometimes be answered ({bind['required']})")
        for key, value in bind.items():
            if key not in {"required", "relevant", "constraint", "calculate", "type"}:
                self._note("dropped", name, f"its {key} {_plainly(value)}")
        for key, value in control.items():
            if key != "bodyless":
                self._note("dropped", name, f"its {key} {_plainly(value)}")
        for key, value in node.items():
            if key not in _HANDLED and value not in (None, "", {}, []):
                self._note("dropped", name, f"its {key} {_plainly(value)}")
        given = {
            key: value for key, value in (node.get("parameters") or {}).items() if key not in {"start", "end", "step"}
        }
        if given:
            self._note("dropped", name, f"its parameters {_plainly(given)}")

    def _shown(self, node: Mapping[str, Any]) -> tuple[Shown, ...]:
        said = str((node.get("bind") or {}).get("relevant", "")).strip()
        if not said:
            return ()
        try:
            return (Shown(said, parse(said, Dialect(XPATH, _named))),)
        except NotSayable as error:
            return (Shown(said, None, str(error)),)

    def _note(self, how: Any, where: str, what: str) -> None:
        self._report.append(Line(how, where, what))


_EMPHASIS = re.compile(r"(\*\*|__)(?=\S)(.{1,300}?)(?<=\S)\1")
_LINK = re.compile(r"\[([^\[\]]+)\]\((?:https?:|mailto:|/)[^()\s]*\)")
_HEADING = re.compile(r"^#{1,6} +", re.MULTILINE)


def _without_markdown(text: str) -> str:
    return _EMPHASIS.sub(r"\2", _LINK.sub(r"\1", _HEADING.sub("", text)))


def _named(text: str) -> tuple[str, str | None]:
    return text.strip(), None


def _plainly(value: Any) -> str:
    return ", ".join(f"{key} = {one}" for key, one in value.items()) if isinstance(value, dict) else str(value)


def _spoken(nodes: list[Mapping[str, Any]]) -> Iterator[str]:
    """Every language some text of the form is in."""
    for node in nodes:
        for one in (node, *(node.get("choices") or [])):
            for key in ("label", "hint"):
                if isinstance(one.get(key), dict):
                    yield from one[key]
        yield from _spoken(node.get("children") or [])
