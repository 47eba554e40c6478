"""One mark specification per figure, drawn twice: as SVG without script, and for Plotly. Draws, never computes."""

from collections.abc import Callable

from evalapp.figures.bars import Bar, Bars
from evalapp.figures.cumulative import Climb, Cumulative
from evalapp.figures.distribution import Distribution, Panel
from evalapp.figures.diverging import Answered, Diverging, Statement
from evalapp.figures.drawing import Drawn, Estimate, Look, Missing, Series, Table, speaking
from evalapp.figures.forest import Band, Forest, Row
from evalapp.figures.multiples import Multiples
from evalapp.figures.pairs import Pair, Pairs, Plain
from evalapp.figures.profile import Profile
from evalapp.figures.tens import InTen, Tens

Figure = Profile | Forest | Distribution | Bars | Tens | Diverging | Multiples | Pairs | Cumulative

__all__ = [
    "Answered",
    "Band",
    "Bar",
    "Bars",
    "Climb",
    "Cumulative",
    "Distribution",
    "Diverging",
    "Drawn",
    "Estimate",
    "Figure",
    "Forest",
    "InTen",
    "Look",
    "Missing",
    "Multiples",
    "Pair",
    "Pairs",
    "Panel",
    "Plain",
    "Profile",
    "Row",
    "Series",
    "Statement",
    "Table",
    "Tens",
    "draw",
]


def draw(figure: Figure, name: str, speak: Callable[[str], str] | None = None) -> Drawn:
    """A figure drawn both ways, with its table. `name` (letters, digits, hyphens) is unique on the page.

    `speak` puts the figures' own words into another language; the figure's labels come in it already.
    """

    def drawn() -> Drawn:
        return Drawn(name, figure.title, figure.svg(name), figure.plotly(), figure.table())

    return drawn() if speak is None else speaking(speak, drawn)
