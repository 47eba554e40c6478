"""Card codes: twelve characters that are easy to copy, forgiving to type, and hashed at rest."""

import secrets
import unicodedata
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from evalapp.vault import CROCKFORD, Vault

SELECTOR, SECRET = 4, 7
FOLDED = str.maketrans({"O": "0", "I": "1", "L": "1"})
PASSED_OVER = frozenset({"Pd", "Zs", "Cc", "Cf"})  # dashes, spaces and unseen characters that phones and copying add

# The floor parameters (OWASP, 2025): a card's secret is hashed with a pepper kept outside the database as well.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_nobody: list[str] = []


class MistypedCode(ValueError):
    """The code cannot be one of ours: a character is missing, too many or wrong. Not counted as a guess."""


@dataclass(frozen=True)
class Code:
    """A code taken apart: what finds the card, and what proves it."""

    selector: str
    secret: str

    def __str__(self) -> str:
        whole = self.selector + self.secret
        whole += check_character(whole)
        return f"{whole[:4]}-{whole[4:8]}-{whole[8:]}"


def check_character(body: str) -> str:
    """Luhn's check modulo 32: finds every single wrong character and nearly every swap of neighbours."""
    total = 0
    for place, letter in enumerate(reversed(body)):
        value = CROCKFORD.index(letter) * (2 if place % 2 == 0 else 1)
        total += value // 32 + value % 32
    return CROCKFORD[-total % 32]


def new_code() -> Code:
    """A fresh code from the operating system's randomness: 35 bits of secret behind a hash, a pepper and a limit."""
    letters = "".join(secrets.choice(CROCKFORD) for _ in range(SELECTOR + SECRET))
    return Code(letters[:SELECTOR], letters[SELECTOR:])


def folded(typed: str) -> str:
    """What someone typed, in the letters codes are made of: case, spaces, dashes and full-width letters forgiven, O read
    as 0, I and L as 1."""
    letters = unicodedata.normalize("NFKC", typed[:80]).upper()
    return "".join(one for one in letters if unicodedata.category(one) not in PASSED_OVER).translate(FOLDED)


def read_code(typed: str) -> Code:
    """The code someone typed, as forgiving as `folded`. Raises MistypedCode when it cannot be a code."""
    letters = folded(typed)
    if len(letters) != SELECTOR + SECRET + 1 or any(letter not in CROCKFORD for letter in letters):
        raise MistypedCode("a code has 12 letters and numbers")
    if check_character(letters[:-1]) != letters[-1]:
        raise MistypedCode("one of the letters or numbers is not right")
    return Code(letters[:SELECTOR], letters[SELECTOR:-1])


def hash_secret(code: Code, vault: Vault) -> str:
    return _hasher.hash(vault.peppered(code.secret))


def proves(code: Code, secret_hash: str | None, vault: Vault) -> bool:
    """Whether the code's secret is the hashed one. A missing hash takes as long and is never right."""
    if not _nobody:
        _nobody.append(_hasher.hash("nobody's"))
    try:
        _hasher.verify(secret_hash or _nobody[0], vault.peppered(code.secret))
    except VerifyMismatchError:
        return False
    return secret_hash is not None
