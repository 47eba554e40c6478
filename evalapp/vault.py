"""Keys and what is done with them: sealing free text, keyed hashes, receipts. One root key, kept outside the database."""

import base64
import hashlib
import hmac
import json
import secrets
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
NONCE_BYTES = 12


def canonical(value: Any) -> str:
    """JSON with one spelling for one value, so that equal contents have equal hashes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def hashed(key: str) -> str:
    """The hash under which a 256-bit random key is stored; a dump of the table opens nothing."""
    return hashlib.sha256(key.encode()).hexdigest()


def new_key() -> str:
    return secrets.token_urlsafe(32)


class Vault:
    """Every use of the root key, each under a key of its own derived by HKDF (RFC 5869).

    `root` is 32 random bytes in URL-safe base64, as `evalapp secrets` prints it.
    """

    def __init__(self, root: str) -> None:
        try:
            self._root = base64.urlsafe_b64decode(root.encode())
        except ValueError:
            self._root = b""
        if len(self._root) != 32 or len(set(self._root)) < 8:
            raise ValueError("the root key must be 32 random bytes in base64; `evalapp secrets` makes one")
        self._derived: dict[str, bytes] = {}

    def _key(self, purpose: str) -> bytes:
        if purpose not in self._derived:
            derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"evalapp {purpose}".encode())
            self._derived[purpose] = derive.derive(self._root)
        return self._derived[purpose]

    def _mac(self, purpose: str, message: str) -> bytes:
        return hmac.new(self._key(purpose), message.encode(), hashlib.sha256).digest()

    def peppered(self, secret: str) -> str:
        """What is hashed in place of a card's secret: useless to someone who has the database alone."""
        return self._mac("card pepper", secret).hex()

    def bucket(self, kind: str, value: str) -> str:
        """A name for counting attempts that does not keep the address or code itself."""
        return self._mac("attempt bucket", f"{kind} {value}").hex()

    def basis(self, response_id: str, shown: Any) -> str:
        """A fingerprint of what a page showed; it tells a repeat from a change and nothing else."""
        return self._mac("basis", f"{response_id} {canonical(shown)}").hex()

    def receipt(self, response_id: str, answers: Any) -> str:
        """Eight characters a participant can quote, such as 7K2M-Q9XD, from the stored answers."""
        number = int.from_bytes(self._mac("receipt", f"{response_id} {canonical(answers)}")[:5], "big")
        letters = "".join(CROCKFORD[number >> shift & 31] for shift in range(35, -1, -5))
        return f"{letters[:4]}-{letters[4:]}"

    def withdrawal_mark(self, person_id: str) -> str:
        """What a withdrawal is called outside the database: found again with the key, and by nobody without it."""
        return self._mac("withdrawal", person_id).hex()[:32]

    def pseudonym(self, person_id: str) -> str:
        """The name a person goes by in the store of contact details: nobody who reads both stores can match them."""
        return self._mac("contact pseudonym", person_id).hex()

    def stop_token(self, contact_id: str) -> str:
        """What a message's "no more messages" link carries: it stops messages and does nothing else."""
        return f"{contact_id}{self._mac('stop messages', contact_id).hex()[:32]}"

    def seal(self, text: str, place: str, *, purpose: str = "free text") -> bytes:
        """Encrypt words with AES-256-GCM, bound to the place they belong to (table|row|column)."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + AESGCM(self._key(purpose)).encrypt(nonce, text.encode(), place.encode())

    def unseal(self, sealed: bytes, place: str, *, purpose: str = "free text") -> str:
        """The words again; `cryptography.exceptions.InvalidTag` when a bit, the place or the purpose was changed."""
        box = AESGCM(self._key(purpose))
        return box.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place.encode()).decode()
