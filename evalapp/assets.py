"""The static files of a running copy: ours and plotly.js, named by their content, compressed once, served for ever."""

import base64
import gzip
import hashlib
import importlib.util
import json
import re
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any
from wsgiref.headers import Headers

import brotli
from whitenoise import WhiteNoise

from evalapp import headers
from evalapp.config import NotConfigured

OURS = Path(__file__).parent / "static"
COMPRESSED = frozenset({".css", ".js", ".svg"})
# plotly.js adds its style rules by script, which a strict policy forbids, so they become a file of ours. In the
# bundle they are an object from selector to declarations, X and Y standing for the plot and its notifier.
_RULES = re.compile(r'=\{("X,X div":.*?")\}', re.DOTALL)
_RULE = re.compile(r'(?:"([^"]+)"|(?<=,)([XY])):(?:"([^"]*)"|\'([^\']*)\')')
# The one style element it still makes (for maps we never draw), as a JavaScript string.
_STYLE_ELEMENT = re.compile(r"textContent='(\.maplibregl-map\{.*?)(?<!\\)'", re.DOTALL)
HEATMAP_RULE = ".js-plotly-plot .plotly .heatmaplayer image{image-rendering:pixelated}"


def build(target: Path, *, quality: int = 9) -> dict[str, str]:
    """Copy our static files and the plotly.js of the installed `plotly` into `target`, with `.br` and `.gz` beside each.

    Returns (and writes as manifest.json) the name under which each file is served. `quality` is brotli's, 0 to 11.
    """
    target.mkdir(parents=True, exist_ok=True)
    names: dict[str, str] = {}
    for source in sorted(OURS.rglob("*")):
        if source.is_file():
            names[source.relative_to(OURS).as_posix()] = _write(target, source.name, source.read_bytes(), quality)
    script = _plotly_script()
    names["plotly.js"] = _write(target, "plotly.js", script, quality)
    names["plotly.css"] = _write(target, "plotly.css", plotly_rules(script.decode()).encode(), quality)
    names["style-hashes"] = " ".join(style_hashes(script.decode()))
    names["made-from"] = _fingerprint()
    kept = {name for value in names.values() for name in (value, f"{value}.br", f"{value}.gz")} | {"manifest.json"}
    for old in target.iterdir():
        if old.name not in kept:
            old.unlink()
    _write_whole(target / "manifest.json", json.dumps(names, indent=1).encode())
    return names


def manifest(target: Path) -> dict[str, str]:
    """The names made by `build`; NotConfigured when they were never made or are older than the files."""
    try:
        names: dict[str, str] = json.loads((target / "manifest.json").read_text())
    except (OSError, ValueError):
        names = {}
    if names.get("made-from") != _fingerprint():
        raise NotConfigured(
            f"the static files in {target} are missing or out of date; run: evalapp assets --dir {target}"
        )
    return names


def serve(app: Callable[..., Iterable[bytes]], target: Path, *, https: bool) -> Any:
    """The app with `/static/` in front, cached for ever since a name changes with its content."""

    def add_headers(found: Headers, path: str, url: str) -> None:  # noqa: ARG001
        for name, value in headers.FIXED.items():
            found[name] = value
        found["Content-Security-Policy"] = headers.CSP
        if https:
            found["Strict-Transport-Security"] = headers.HSTS

    files = WhiteNoise(
        app, immutable_file_test=lambda path, url: True, add_headers_function=add_headers, max_age=31_536_000,  # noqa: ARG005
        allow_all_origins=False,
    )  # fmt: skip
    files.add_files(str(target), prefix="static/")
    return files


def plotly_rules(script: str) -> str:
    """The style rules inside plotly.js, as a style sheet; NotConfigured when this version keeps them elsewhere."""
    found = _RULES.search(script)
    if found is None:
        raise NotConfigured("this plotly.js keeps its style rules elsewhere; install the pinned plotly")
    rules = [
        (quoted or bare).replace("X", ".js-plotly-plot .plotly").replace("Y", ".plotly-notifier")
        + f"{{{double or single}}}"
        for quoted, bare, double, single in _RULE.findall(found.group(1))
    ]
    return "\n".join([*rules, HEATMAP_RULE, ""])


def style_hashes(script: str) -> list[str]:
    """The one style element plotly.js still makes, as a source of a content security policy."""
    found = _STYLE_ELEMENT.search(script)
    if found is None:
        return []
    text = re.sub(r"\\(.)", r"\1", found.group(1))
    return [f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"]


def _plotly_script() -> bytes:
    found = importlib.util.find_spec("plotly")
    if found is None or found.origin is None:
        raise NotConfigured("plotly is not installed; install the project again")
    return (Path(found.origin).parent / "package_data" / "plotly.min.js").read_bytes()


def _fingerprint() -> str:
    """What the assets were made from: our files' content and the installed plotly's version."""
    whole = hashlib.sha256(version("plotly").encode())
    for source in sorted(OURS.rglob("*")):
        if source.is_file():
            whole.update(source.relative_to(OURS).as_posix().encode() + source.read_bytes())
    return whole.hexdigest()[:16]


def _write(target: Path, name: str, content: bytes, quality: int) -> str:
    stem, dot, ending = name.rpartition(".")
    served = f"{stem}.{hashlib.sha256(content).hexdigest()[:12]}{dot}{ending}"
    if not (target / served).exists():
        _write_whole(target / served, content)
        if f".{ending}" in COMPRESSED:
            _write_whole(target / f"{served}.br", brotli.compress(content, quality=quality))
            _write_whole(target / f"{served}.gz", gzip.compress(content, 6, mtime=0))
    return served


def _write_whole(path: Path, content: bytes) -> None:
    """Write beside and rename, so that a reader never meets half a file."""
    beside = path.with_suffix(path.suffix + ".part")
    beside.write_bytes(content)
    beside.replace(path)
