"""The staff's forms: what each asks for, and what is said when an answer will not do."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    DateField,
    EmailField,
    IntegerField,
    PasswordField,
    RadioField,
    SelectField,
    StringField,
    ValidationError,
)
from wtforms.fields import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional

from evalapp.contacts import CHANNELS
from evalapp.languages import LANGUAGES
from evalapp.models import ROLES, STAFF_ROLES
from evalapp.nations import nations
from evalapp.paper import cards, printing

ROLE_LABELS = {
    "practitioner": "Practitioner",
    "manager": "Manager",
    "leader": "Leader or board member",
    "parent": "Parent or carer",
    "young_person": "Young person",
    "facilitator": "Facilitator",
    "observer": "Observer",
}
WAVE_LABELS = {
    "baseline": "Baseline",
    "before": "Before",
    "after": "After",
    "month3": "Three months on",
    "month12": "A year on",
}
STAFF_ROLE_LABELS = {
    "admin": "Admin: accounts, sites, reviews, people and cards",
    "evaluator": "Evaluator: sites, allocation, results and releases",
    "coordinator": "Coordinator: sites, reviews, people and cards",
    "funder": "Funder: published releases",
}
AGENCIES = (
    "children's social care",
    "police",
    "health",
    "school",
    "early years",
    "probation",
    "housing",
    "voluntary sector",
)
LEVELS = ("front line", "manager", "senior manager", "board or partnership", "policy")
SCHEMES = {
    "complete": "Complete randomisation",
    "stratified": "Randomised within strata",
    "pairs": "Randomised within pairs",
    "constrained": "Constrained randomisation",
    "minimised": "Minimisation",
    "none": "Not randomised",
}
OUTCOMES = {
    "not_recorded": "Not recorded",
    "no_harm": "Nobody was harmed",
    "harm": "Someone was harmed",
    "death": "Someone died: parents are not asked questions that would be unkind after a death",
}
TRIGGERS = {
    "not_recorded": "Not recorded",
    "success": "Something went well",
    "good_practice": "Good practice",
    "near_miss": "A near miss",
    "harm": "Someone was harmed",
    "death": "Someone died",
}
FORMS = {"standard": "Standard", "easy_read": "Easy read, where there is one"}
NOT_INVITED = {
    "not_safe": "It would not be safe",
    "not_lawful": "It would not be lawful (police, court or inquest)",
    "not_kind_now": "It would not be kind now",
    "cannot_reach": "They cannot be reached",
    "said_no": "They have said that they do not want to be asked",
    "other": "Another reason",
}
OTHER_REASONS = ("cannot_reach", "said_no", "other")
YOUNG_PEOPLE = {
    "always": "Always",
    "under_16": "When they are under 16, or their age is not recorded",
    "never": "Never: their own yes is enough",
}
MOST_AT_ONCE = 30  # each card is hashed slowly on purpose; thirty take about a second


def trimmed(value: str | None) -> str | None:
    """A typed line without the spaces around it, and without characters a page cannot show."""
    return value if value is None else "".join(one for one in value if one.isprintable()).strip()


def labelled(pairs: Iterable[tuple[str, str]]) -> list[SelectChoice]:
    """The choices of a field, from what is sent and what is read."""
    return [SelectChoice(value, label) for value, label in pairs]


def _listed(values: tuple[str, ...], blank: str) -> list[SelectChoice]:
    return labelled([("", blank), *((value, value[:1].upper() + value[1:]) for value in values)])


_YES_NO = labelled([("yes", "Yes"), ("no", "No")])
_STAFF_ROLES = labelled((role, STAFF_ROLE_LABELS[role]) for role in STAFF_ROLES)
_REVIEW_ROLES = labelled([("", "Choose a role"), *((role, ROLE_LABELS[role]) for role in ROLES)])
SITE_ROLES = labelled([("", "Choose a role"), *((role, ROLE_LABELS[role]) for role in ("leader", "manager"))])
_AGENCIES = _listed(AGENCIES, "None, or not recorded")
_LEVELS = _listed(LEVELS, "None, or not recorded")


class StaffForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """A form of the staff pages; the CSRF token is checked for the whole app, before any view."""

    class Meta(FlaskForm.Meta):  # type: ignore[misc]
        csrf = False

    def refuse(self, name: str, reason: str) -> None:
        """Put a reason found later (a name already taken) beside its field."""
        self[name].errors = [*self[name].errors, reason]


class SignIn(StaffForm):
    email = EmailField(
        "E-mail address", [DataRequired("Enter your e-mail address."), Length(max=254)], filters=[trimmed]
    )
    password = PasswordField("Password", [InputRequired("Enter your password.")])


class Accept(StaffForm):
    invitation = StringField(
        "Invitation code",
        [DataRequired("Enter the invitation code you were sent."), Length(max=200)],
        filters=[trimmed],
    )
    password = PasswordField("New password", [InputRequired("Choose a password.")])


class Invite(StaffForm):
    email = EmailField("E-mail address", [DataRequired("Enter the person's e-mail address.")], filters=[trimmed])
    role = RadioField(
        "What they do",
        [InputRequired("Choose what they do.")],
        choices=_STAFF_ROLES,
    )


class NewRole(StaffForm):
    role = RadioField("New role", [InputRequired("Choose a role.")], choices=_STAFF_ROLES)


class NewTrial(StaffForm):
    title = StringField("Title of the trial", [DataRequired("Enter a title."), Length(max=200)], filters=[trimmed])
    design = RadioField(
        "How sites come to their arm",
        [InputRequired("Choose how sites come to their arm.")],
        choices=labelled(
            [
                ("randomised", "By chance (randomised)"),
                ("nonrandomised", "By choice or circumstance (not randomised)"),
            ]
        ),
    )
    planned_sites = IntegerField(
        "Number of sites planned",
        [InputRequired("Enter how many sites are planned."), NumberRange(2, 500, "Enter a number from 2 to 500.")],
    )


class NewSite(StaffForm):
    name = StringField("Name of the site", [DataRequired("Enter the site's name."), Length(max=120)], filters=[trimmed])
    nation = SelectField("Nation", choices=labelled((one.code, one.name) for one in nations().values()))
    joined_on = DateField("Day it joined (optional)", [Optional()])


class ReviewFacts(StaffForm):
    """What is known of a review beside its days, and may become known later."""

    outcome = RadioField("What happened in the case", choices=labelled(OUTCOMES.items()), default="not_recorded")
    trigger = SelectField("What set the review off", choices=labelled(TRIGGERS.items()), default="not_recorded")
    triggered_on = DateField("Day that happened or was decided (optional)", [Optional()])
    reported_on = DateField("Day of the report (optional)", [Optional()])
    contact_days = IntegerField(
        "Days on which people met (optional)", [Optional(), NumberRange(1, 366, "Enter a number from 1 to 366.")]
    )
    model_version = StringField(
        "Version of the way of reviewing (optional)",
        [Length(max=40, message="Use at most 40 characters.")],
        filters=[trimmed],
    )

    def check_days(self, first: date | None) -> None:
        """Refuse days that cannot be, given the review's first."""
        for name in ("triggered_on", "reported_on"):
            day = self[name].data
            if isinstance(day, date) and first is not None and (day > first if name == "triggered_on" else day < first):
                order = "after" if name == "triggered_on" else "before"
                self.refuse(name, f"This cannot be {order} the review's first day, {first:%-d %B %Y}.")


class NewReview(ReviewFacts):
    """A review at one site; the kinds on offer are the site's nation's."""

    label = StringField("Short name", [DataRequired("Enter a short name."), Length(max=80)], filters=[trimmed])
    review_type = SelectField("Kind of review", choices=[])
    statutory = RadioField(
        "Is it required by law?",
        choices=labelled([("yes", "Yes, it is statutory"), ("no", "No"), ("", "Not recorded")]),
        default="",
    )
    starts_on = DateField("First day", [InputRequired("Enter the first day.")])
    ends_on = DateField("Last day", [InputRequired("Enter the last day.")])

    def validate_ends_on(self, field: Any) -> None:
        first, last = self.starts_on.data, field.data
        if isinstance(first, date) and isinstance(last, date) and last < first:
            raise ValidationError("The last day cannot be before the first day.")


_MADE = labelled(
    [
        ("page", "Show it here, and print from here: nothing stays on this computer"),
        ("pdf", "Save it as a PDF: delete it once it is printed"),
    ]
)


class Printed(StaffForm):
    """How something is printed. What is not sent keeps the first choice; a PDF is offered where one can be made."""

    made = RadioField("How to print", choices=_MADE, default="page")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not printing.offered():
            del self.made


def wants_pdf(form: Printed) -> bool:
    return "made" in form and form.made.data == "pdf"


def refuse_without_pdf(form: Printed) -> bool:
    """Say so where no PDF can be made, before anything is done that only the PDF would show. True when refused."""
    try:
        printing.ready()
    except printing.NoPdf as reason:
        form.refuse("made", str(reason))
        return True
    return False


class Printing(Printed):
    """How cards are printed."""

    size = RadioField(
        "Size of the cards",
        choices=labelled([("eight", "Eight on a sheet, to cut and fold"), ("large", "Large print, a sheet each")]),
        default="eight",
    )
    third = SelectField("Language beside English and Welsh", choices=[], default="")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        others = [(code, name) for code, name in LANGUAGES.items() if code not in cards.ALWAYS]
        self.third.choices = labelled([("", "None"), *others])


class PaperForm(Printed):
    """How a questionnaire is printed."""

    language = SelectField("Language", choices=[], default="en")
    size = RadioField(
        "Size of the letters",
        choices=labelled([("standard", "Standard (14 points)"), ("large", "Large (20 points)")]),
        default="standard",
    )


class PaperOf(PaperForm):
    """A questionnaire for nobody in particular."""

    name = SelectField("Questionnaire", [InputRequired("Choose a questionnaire.")], choices=[])
    words = RadioField(
        "Boxes to write in",
        choices=labelled([("no", "Leave them out: nobody is named who reads what is written"), ("yes", "Print them")]),
        default="no",
    )


class PaperFor(PaperForm):
    """A questionnaire for one person."""

    assignment = RadioField("Which questions", [InputRequired("Choose which questions.")], choices=[])


class Serial(StaffForm):
    serial = StringField(
        "Number of the paper", [DataRequired("Type the number of the paper."), Length(max=200)], filters=[trimmed]
    )


class PaperDecision(StaffForm):
    counts = RadioField(
        "Which counts?",
        [InputRequired("Choose which counts.")],
        choices=labelled(
            [
                ("other", "The answers given in another way. What was typed from the paper is deleted."),
                ("paper", "The paper. The other answers are taken out, and kept sealed."),
            ]
        ),
    )


class NewPeople(Printing):
    role = SelectField(
        "Role in this review",
        [InputRequired("Choose a role.")],
        choices=_REVIEW_ROLES,
    )
    agency = SelectField("Agency", choices=_AGENCIES)
    level = SelectField("Level of responsibility", choices=_LEVELS)
    reads = SelectField("Form of their questions", choices=labelled(FORMS.items()), default="standard")
    number = IntegerField(
        "How many people",
        [
            InputRequired("Enter how many people."),
            NumberRange(1, MOST_AT_ONCE, f"Add 1 to {MOST_AT_ONCE} people at a time."),
        ],
        default=1,
    )


class KnownPerson(StaffForm):
    person = StringField("Person number", [DataRequired("Enter the person number."), Length(max=40)], filters=[trimmed])
    role = SelectField(
        "Role in this review",
        [InputRequired("Choose a role.")],
        choices=_REVIEW_ROLES,
    )
    agency = SelectField("Agency", choices=_AGENCIES)
    level = SelectField("Level of responsibility", choices=_LEVELS)
    reads = SelectField("Form of their questions", choices=labelled(FORMS.items()), default="standard")


class Invitation(StaffForm):
    """A named lead's three answers on whether somebody may be asked, and what else may stand against it."""

    safe = RadioField(
        "Is it safe for them, and for others, to ask them?", [InputRequired("Say whether it is safe.")], choices=_YES_NO
    )
    lawful = RadioField(
        "Is it lawful, with any police, court or inquest?",
        [InputRequired("Say whether it is lawful.")],
        choices=_YES_NO,
    )
    kind = RadioField("Is it kind now?", [InputRequired("Say whether it is kind now.")], choices=_YES_NO)
    other = SelectField(
        "Is there another reason not to ask them?",
        choices=labelled([("", "No other reason"), *((code, NOT_INVITED[code]) for code in OTHER_REASONS)]),
    )


class Rules(StaffForm):
    """Who decides at a site, and when its young people need a parent's yes beside their own."""

    lead = SelectField("Who decides whether a parent may be asked", choices=[])
    young_people = RadioField(
        "When does a young person need a parent's yes beside their own?",
        [InputRequired("Choose one.")],
        choices=labelled(YOUNG_PEOPLE.items()),
    )


class Terms(StaffForm):
    """What a trial puts into the information people are given."""

    contact = StringField(
        "Whom people may ask about the study",
        [Length(max=200, message="Use at most 200 characters.")],
        filters=[trimmed],
    )
    locks_on = DateField("Day on which the answers are locked (optional until it is known)", [Optional()])


class YoungPerson(StaffForm):
    """A young person's age as far as it matters, and the parent who is asked about them."""

    under_16 = RadioField(
        "Are they under 16?",
        choices=labelled([("yes", "Yes"), ("no", "No, 16 or over"), ("", "Not recorded")]),
        default="",
    )
    parent = SelectField("Parent or carer who is asked", choices=[])


class Allocate(StaffForm):
    """What a draw gave a site; it can never be changed, so it is confirmed."""

    arm = RadioField("Arm", [InputRequired("Choose the arm.")], choices=[])
    scheme = SelectField("How it was allocated", choices=labelled(SCHEMES.items()))
    stratum = StringField(
        "Stratum or pair (needed where sites were drawn within them)", [Length(max=80)], filters=[trimmed]
    )
    drawn_on = DateField("Day of the draw", [InputRequired("Enter the day of the draw.")])
    checked = BooleanField(
        "I have checked this against the record of the draw", [InputRequired("Check it, then tick the box.")]
    )


class ContactDetails(StaffForm):
    """How one person is reached."""

    channel = RadioField("How should they be reached?", choices=labelled(CHANNELS.items()), default="email")
    address = StringField(
        "E-mail address or mobile number", validators=[DataRequired("Enter an address or a number."), Length(max=254)]
    )
    language = SelectField("In which language?", choices=labelled(LANGUAGES.items()), default="en")
