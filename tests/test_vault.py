"""The root key's uses: each under a key of its own, bound to its place, refused when the key is poor."""

import base64
import secrets

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalapp.vault import Vault, canonical, hashed, new_key

OTHER = Vault(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())


@pytest.mark.parametrize(
    "root",
    [
        "",
        "short",
        "not base64 at all: !!!",
        base64.urlsafe_b64encode(b"sixteen bytes ok").decode(),
        base64.urlsafe_b64encode(bytes(range(33))).decode(),
        base64.urlsafe_b64encode(bytes(32)).decode(),
        base64.urlsafe_b64encode(b"abab" * 8).decode(),
        "clé",
    ],
)
def test_a_poor_root_key_is_refused(root: str) -> None:
    with pytest.raises(ValueError, match="evalapp secrets"):
        Vault(root)


@given(st.text())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sealed_words_come_back_whole(vault: Vault, words: str) -> None:
    try:
        words.encode()
    except UnicodeEncodeError:
        return
    assert vault.unseal(vault.seal(words, "place"), "place") == words


def test_no_bit_of_sealed_words_can_be_changed(vault: Vault) -> None:
    sealed = vault.seal("what a person wrote", "free_text|1|item")
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(InvalidTag):
            vault.unseal(bytes(changed), "free_text|1|item")


def test_sealed_words_cannot_be_moved_to_another_row_or_read_with_another_key(vault: Vault) -> None:
    sealed = vault.seal("what a person wrote", "free_text|1|item")
    with pytest.raises(InvalidTag):
        vault.unseal(sealed, "free_text|2|item")
    with pytest.raises(InvalidTag):
        OTHER.unseal(sealed, "free_text|1|item")


def test_the_same_words_are_never_sealed_alike(vault: Vault) -> None:
    assert len({vault.seal("no", "place") for _ in range(1000)}) == 1000


def test_each_use_has_a_key_of_its_own(vault: Vault) -> None:
    assert len({vault.peppered("x"), vault.bucket("x", "x"), vault.basis("x", "x"), OTHER.peppered("x")}) == 4


def test_a_bucket_tells_kinds_apart_and_does_not_keep_the_address(vault: Vault) -> None:
    assert vault.bucket("staff", "name@council.gov.uk") != vault.bucket("card", "name@council.gov.uk")
    assert vault.bucket("staff", "a@b.uk") == vault.bucket("staff", "a@b.uk")
    assert "council" not in vault.bucket("staff", "name@council.gov.uk")


def test_a_receipt_is_short_repeatable_and_depends_on_the_answers(vault: Vault) -> None:
    receipt = vault.receipt("r1", {"a": [1, None]})
    assert len(receipt) == 9
    assert receipt[4] == "-"
    assert receipt == vault.receipt("r1", {"a": [1, None]})
    assert receipt != vault.receipt("r1", {"a": [2, None]})
    assert receipt != vault.receipt("r2", {"a": [1, None]})


def test_one_value_has_one_spelling_and_no_spelling_is_not_a_number() -> None:
    assert canonical({"b": 1, "a": "ŵ"}) == canonical({"a": "ŵ", "b": 1}) == '{"a":"ŵ","b":1}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical(float("nan"))


def test_keys_are_256_random_bits_and_kept_as_a_hash() -> None:
    keys = {new_key() for _ in range(1000)}
    assert len(keys) == 1000
    assert {len(base64.urlsafe_b64decode(key + "=")) for key in keys} == {32}
    assert {len(hashed(key)) for key in keys} == {64}
