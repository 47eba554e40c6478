"""Looking at what was printed: a PDF's pages, tags and letters; a page as Chromium would print it."""

import io
from collections.abc import Iterator
from typing import Any

import zxingcpp
from PIL import Image
from playwright.sync_api import Browser, Page
from pypdf import PdfReader

from evalapp.paper import printing

A4 = {"width": 794, "height": 1123}  # at 96 dots an inch


def read(pdf: bytes) -> PdfReader:
    return PdfReader(io.BytesIO(pdf))


def assert_tagged(pdf: bytes, *, language: str, title: str) -> None:
    """What makes a PDF usable by a screen reader, as PDF/UA-1 asks it."""
    found = read(pdf)
    root: Any = found.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == language
    assert "/StructTreeRoot" in root
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert found.metadata is not None
    assert found.metadata.title == title
    assert b"pdfuaid" in root["/Metadata"].get_data()
    alternatives = [
        element.get("/Alt") for element in elements(root["/StructTreeRoot"]) if element.get("/S") == "/Figure"
    ]
    assert all(alternatives)


def elements(tree: Any) -> Iterator[Any]:
    """Every element of a PDF's tree of tags."""
    kids = tree.get("/K", [])
    for kid in kids if isinstance(kids, list) else [kids]:
        one = kid.get_object() if hasattr(kid, "get_object") else kid
        if isinstance(one, dict) and "/S" in one:
            yield one
            yield from elements(one)


def sizes(pdf: bytes, number: int = 0) -> dict[str, float]:
    """The size in points of every piece of text on a page."""
    found: dict[str, float] = {}

    def note(text: str, cm: list[float], tm: list[float], font: Any, size: float) -> None:
        if text.strip():
            found[text.strip()] = size * abs(tm[3]) * abs(cm[3])

    read(pdf).pages[number].extract_text(visitor_text=note)
    return found


def as_printed(browser: Browser, html: str) -> Page:
    """A page under the rules of printing, as wide as A4. Close its context afterwards."""
    context = browser.new_context(viewport=A4, java_script_enabled=False, device_scale_factor=2)
    page = context.new_page()
    page.emulate_media(media="print")
    page.set_content(html.replace("</head>", f"<style>{printing.style_sheet()}</style></head>"))
    return page


def squares(picture: bytes) -> list[str]:
    """What a camera reads in a picture, in any order."""
    return [one.text for one in zxingcpp.read_barcodes(Image.open(io.BytesIO(picture)))]
