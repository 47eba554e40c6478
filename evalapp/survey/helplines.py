"""Numbers to ring, nation by nation, as data: the organisations' own names for themselves are not ours to translate."""

from dataclasses import dataclass

from flask_babel import LazyString, lazy_gettext


@dataclass(frozen=True)
class Helpline:
    """A number to ring: what it is called, the number as people write it, and what it is for in a few words."""

    name: str
    number: str
    about: LazyString

    @property
    def link(self) -> str:
        return "tel:" + self.number.replace(" ", "")


EVERYWHERE = (
    Helpline("Samaritans", "116 123", lazy_gettext("someone to talk to, day and night")),
    Helpline("Childline", "0800 1111", lazy_gettext("for anyone under 19, day and night")),
    Helpline("NSPCC", "0808 800 5000", lazy_gettext("if you are worried about a child")),
)
BY_NATION = {
    "england": (
        Helpline("National Domestic Abuse Helpline", "0808 2000 247", lazy_gettext("day and night, run by Refuge")),
    ),
    "wales": (Helpline("Live Fear Free", "0808 80 10 800", lazy_gettext("day and night, in Welsh or English")),),
    "scotland": (
        Helpline("Domestic Abuse and Forced Marriage Helpline", "0800 027 1234", lazy_gettext("day and night")),
    ),
    "northern_ireland": (Helpline("Lifeline", "0808 808 8000", lazy_gettext("if you are in distress, day and night")),),
}
EMERGENCY = "999"
