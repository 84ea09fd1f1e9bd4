"""Ids and tokens."""

import re
import threading
import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.ids import (
    derived_api_key,
    hash_long,
    new_api_key,
    new_id,
    new_personal_access_token,
    request_id,
    split_token,
)

TOKEN = re.compile(r"seam_[1-9A-HJ-NP-Za-km-z]+_[1-9A-HJ-NP-Za-km-z]{24}")


def test_ids_are_uuids_that_sort_as_they_were_made() -> None:
    made = [new_id() for _ in range(20_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert all(uuid.UUID(i).version == 7 and uuid.UUID(i).variant == uuid.RFC_4122 for i in made[::1000])


def test_ids_go_on_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = new_id()
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000_000)
    after = [new_id() for _ in range(10_000)]
    assert [before, *after] == sorted([before, *after])


def test_an_id_says_when_it_was_made() -> None:
    made = uuid.UUID(new_id()).int >> 80
    assert abs(made - time.time_ns() // 1_000_000) < 60_000


def test_threads_never_make_the_same_id() -> None:
    made: list[list[str]] = [[] for _ in range(4)]
    threads = [threading.Thread(target=lambda m=m: m.extend(new_id() for _ in range(5000))) for m in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({i for part in made for i in part}) == 20_000


def test_api_keys_have_the_form_that_sdks_accept() -> None:
    for is_sandbox in (True, False):
        token = new_api_key(is_sandbox=is_sandbox)
        assert TOKEN.fullmatch(token.text)
        assert not token.text.startswith(("seam_at", "seam_cst", "seam_pk"))
        assert token.text.startswith("seam_test") == is_sandbox


def test_personal_access_tokens_have_the_form_that_sdks_accept() -> None:
    token = new_personal_access_token()
    assert TOKEN.fullmatch(token.text)
    assert token.text.startswith("seam_at1")


def test_only_the_hash_of_the_long_part_is_kept() -> None:
    token = new_api_key(is_sandbox=True)
    short, long = split_token(token.text) or ("", "")
    assert (short, hash_long(long)) == (token.short, token.hash)
    assert long not in (token.short, token.hash)


def test_a_derived_key_is_the_same_for_the_same_secret_and_no_other() -> None:
    assert derived_api_key("a") == derived_api_key("a")
    assert derived_api_key("a").text != derived_api_key("b").text
    assert TOKEN.fullmatch(derived_api_key("a").text)


def test_text_that_is_no_token_is_seen() -> None:
    for text in ("", "seam", "seam_", "seam__x", "eyJ.abc.def", "seam_a_b_c", "key_a_b"):
        assert split_token(text) is None


def test_request_ids_begin_as_the_sdks_tests_expect_and_differ() -> None:
    assert request_id().startswith("request")
    assert request_id() != request_id()


@given(st.text() | st.text(alphabet="seam_1aA"))
def test_a_token_is_taken_apart_or_refused(text: str) -> None:
    parts = split_token(text)
    assert parts is None or f"seam_{parts[0]}_{parts[1]}" == text


def test_tokens_are_never_the_same() -> None:
    texts = {new_api_key(is_sandbox=True).text for _ in range(200)}
    texts |= {new_personal_access_token().text for _ in range(200)}
    assert len(texts) == 400
