"""`python -m instruments check [DIRECTORY]`: says whether every questionnaire, translation, map and slot is sound."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from instruments.errors import InstrumentError
from instruments.files import LIBRARY, library
from instruments.maps import maps
from instruments.slots import SLOTS, slots
from instruments.stale import refuse_stale


def main(arguments: list[str] | None = None) -> int:
    """0 when all are sound, 1 with one line a problem when not."""
    parser = argparse.ArgumentParser(prog="python -m instruments", description=__doc__)
    parser.add_argument("command", choices=["check"])
    parser.add_argument("directory", nargs="?", type=Path, default=LIBRARY)
    chosen = parser.parse_args(arguments)
    try:
        found = library(chosen.directory)
        maps(found, chosen.directory)
        refuse_stale(found, chosen.directory)
        if (chosen.directory / SLOTS.name).exists():
            slots(chosen.directory / SLOTS.name)
    except InstrumentError as error:
        sys.stdout.write(f"{error}\n")
        return 1
    count = len(found)
    sys.stdout.write("the one instrument is sound\n" if count == 1 else f"all {count} instruments are sound\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
