"""What a file may be: coming in, how large, in which letters, how far it unpacks; going out, that no cell is a formula."""

import io
import zipfile

from analysis.errors import BadData

LARGEST = 4_000_000  # bytes of a file as it comes
LARGEST_UNPACKED = 50_000_000
MOST_ENTRIES = 200
HIGHEST_RATIO = 100
_SMALL = 1_000_000  # an entry no larger than this unpacks to nothing that matters, however well it packs
# What a spreadsheet may take for a formula at the start of a cell, in ASCII and full width.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_BEFORE_FORMULA = " \u00a0\u3000'\",;|"
ZIP = b"PK\x03\x04"
_OTHER_BINARY = {b"\xd0\xcf\x11\xe0": "an old Excel workbook", b"%PDF": "a PDF", b"\x1f\x8b": "a compressed file"}


def sized(raw: bytes) -> bytes:
    """The same bytes, when they are neither none nor too many; BadData otherwise."""
    if not raw.strip():
        raise BadData("the file is empty; export it again")
    if len(raw) > LARGEST:
        raise BadData(f"the file has {len(raw):,} bytes; the most is {LARGEST:,}, so export fewer questions at a time")
    return raw


def text_of(raw: bytes, wanted: str) -> str:
    """The text of a file in UTF-8 or UTF-16, or else Windows-1252; BadData for what is no text. `wanted`: what to bring."""
    sized(raw)
    if raw.startswith(ZIP):
        raise BadData(f"the file is a workbook or an archive; bring {wanted}")
    for start, what in _OTHER_BINARY.items():
        if raw.startswith(start):
            raise BadData(f"the file is {what}; bring {wanted}")
    codec = "utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = raw.decode(codec)
    except UnicodeDecodeError:
        if codec == "utf-16":
            raise BadData(f"the file begins as UTF-16 and does not go on as text; bring {wanted}") from None
        text = raw.decode("cp1252", "replace")
    if "\x00" in text:
        raise BadData(f"the file is not text; bring {wanted}")
    return text


def check_archive(raw: bytes) -> None:
    """Refuse, before anything is unpacked, an archive that unpacks to too much; BadData says what is too much."""
    sized(raw)
    if not raw.startswith(ZIP):
        raise BadData("the file is not an .xlsx workbook; save it as Excel workbook (.xlsx) and bring that")
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise BadData(f"the workbook is damaged ({error}); save it again and bring that") from None
    if len(entries) > MOST_ENTRIES:
        raise BadData(
            f"the workbook holds {len(entries)} parts; the most is {MOST_ENTRIES}, so copy its sheets to a new one"
        )
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > LARGEST_UNPACKED:
        raise BadData(
            f"the workbook unpacks to {unpacked:,} bytes; the most is {LARGEST_UNPACKED:,}, so copy its sheets to a new one"
        )
    for entry in entries:
        if entry.file_size > _SMALL and entry.file_size > HIGHEST_RATIO * max(1, entry.compress_size):
            raise BadData(
                f"a part of the workbook unpacks to more than {HIGHEST_RATIO} times its size; copy its sheets to a new one"
            )
        if entry.flag_bits & 1:
            raise BadData("the workbook is locked by a password; save it without one and bring that")


def safe(cell: str | float) -> str | float:
    """Numbers stay numbers; words never start a formula, not even after a space or a quote."""
    if not isinstance(cell, str):
        return cell
    return f"'{cell}" if cell.lstrip(_BEFORE_FORMULA).startswith(_FORMULA) or cell.startswith(_FORMULA) else cell
