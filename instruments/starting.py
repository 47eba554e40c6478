"""The questionnaire to start from: short, sound, and saying beside each line what it is for."""

from __future__ import annotations

_TEXT = """\
# A questionnaire in the making. `evalapp instruments check` says what is wrong with it, all at once.
name = "{name}"                     # the folder's name
version = 1                      # the file's name; once people have answered, a change is a new version beside it
language = "en"                  # translations stand beside: 1.cy.toml
status = "draft"                 # a draft is asked in no real trial; take the line out when it is ready
title = "Your views"             # neutral: it stays in a telephone's history
roles = ["practitioner"]         # practitioner manager leader parent young_person facilitator observer
waves = ["before"]               # baseline before after month3 month12
validation = "new scale, not yet validated"

[rights]                         # nobody is asked before this is true
owner = "Who wrote it"
licence = "On what terms it may be used"

[refusals]                       # the light choices under the answers; take the table out for none
prefer_not = "Prefer not to say"
not_applicable = "Does not apply"

[answers.agreement]              # what every item of the kind agreement is answered with, lowest first
1 = "Strongly disagree"
2 = "Disagree"
3 = "Neither"
4 = "Agree"
5 = "Strongly agree"

[answers.yes_no]
yes = "Yes"
no = "No"

[pages.first]                    # pages in the order shown, at most six items each
title = "At work"
items = ["about", "ONE1", "ONE2", "ONE3"]

[pages.last]
title = "Anything else"
items = ["more", "words"]

[items.about]
kind = "information"             # or agreement faces pictures rating single several yes_no number date short_text long_text
text = "Think of the last month."

[items.ONE1]
kind = "agreement"
text = "I had time to think."

[items.ONE2]
kind = "agreement"
text = "I could ask for help."

[items.ONE3]
kind = "agreement"
text = "I was often too tired to think."

[items.more]
kind = "yes_no"
text = "Is there anything else to say?"

[items.words]
kind = "long_text"
text = "What is it?"
hint = "Please name nobody."     # may be left out
show_if = 'more = "yes"'         # may be left out; looks back only

[scales.ONE]                     # how items make one score; leave it out when nothing is scored
title = "Room to think"
construct = "How far people had time, help and strength to think."
higher = "A higher score means more room to think."
higher_is_better = true
items = ["ONE1", "ONE2", "ONE3"]
reversed = ["ONE3"]              # counts as lowest + highest - answer
range = [1, 5]
min_answered = 2
reported = "0-100"               # or "raw"
referent = "the last month"      # what the words point at: no change is drawn between different ones
"""


def starting(name: str) -> str:
    """The TOML of a new draft of that name.

    >>> import tomllib
    >>> from instruments import parse
    >>> parse(tomllib.loads(starting("tea")), "tea/1.toml").status
    'draft'
    """
    return _TEXT.replace("{name}", name)
