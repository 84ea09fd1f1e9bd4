"""Logins of the HTTP API: the RFCs' own examples, and the odd headers that devices send."""

import base64

import pytest

from doorward.providers.my_2n.digest import Challenge, Login, choose, parse_challenges

NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
OPAQUE = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"


def logged_in(challenge: str, *, username: str = "Mufasa", password: str = "Circle of Life") -> Login:
    login = Login(username, password)
    login.adopt(choose(parse_challenges([challenge])))
    return login


def field(header: str | None, name: str) -> str | None:
    assert header is not None
    (challenge,) = parse_challenges([header])
    return challenge.params.get(name)


def test_rfc_2617_example() -> None:
    login = logged_in(
        'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
        'opaque="5ccc069c403ebaf9f0171e9517f40e41"',
        password="Circle Of Life",
    )
    header = login.header("GET", "/dir/index.html", cnonce="0a4f113b")
    assert field(header, "response") == "6629fae49393a05397450978507c4ef1"
    assert field(header, "nc") == "00000001"
    assert field(header, "opaque") == "5ccc069c403ebaf9f0171e9517f40e41"


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc_7616_example(algorithm: str, response: str) -> None:
    login = logged_in(
        f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}, '
        f'nonce="{NONCE}", opaque="{OPAQUE}"'
    )
    header = login.header("GET", "/dir/index.html", cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")
    assert field(header, "response") == response
    assert field(header, "algorithm") == algorithm


def test_without_qop_it_answers_as_rfc_2069() -> None:
    login = logged_in('Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"', password="x")
    header = login.header("GET", "/")
    assert field(header, "nc") is None and field(header, "cnonce") is None and field(header, "qop") is None


def test_nonce_is_used_again_with_a_growing_count() -> None:
    login = logged_in(f'Digest realm="2N", qop="auth", nonce="{NONCE}"')
    assert [field(login.header("GET", "/api/x"), "nc") for _ in range(3)] == ["00000001", "00000002", "00000003"]
    login.adopt(choose(parse_challenges(['Digest realm="2N", qop="auth", nonce="another"'])))
    assert field(login.header("GET", "/api/x"), "nc") == "00000001"


def test_nothing_is_sent_before_it_is_asked_for() -> None:
    assert Login("jane", "1234").header("GET", "/") is None


def test_basic() -> None:
    header = logged_in('Basic realm="2N"', username="jäne", password="12:34").header("GET", "/")
    assert header is not None
    assert base64.b64decode(header.removeprefix("Basic ")).decode() == "jäne:12:34"


@pytest.mark.parametrize(
    ("headers", "scheme", "algorithm"),
    [
        (['Basic realm="a"', 'Digest realm="a", nonce="n"'], "digest", "md5"),
        (['Basic realm="a", Digest realm="a", nonce="n", algorithm=MD5'], "digest", "md5"),
        (['Digest nonce="n", algorithm=MD5', 'Digest nonce="n", algorithm=SHA-256'], "digest", "sha-256"),
        (['Digest nonce="n", algorithm=SHA-512-256', 'Basic realm="a"'], "basic", "md5"),
        (['Digest nonce="n", qop="auth-int"', 'Basic realm="a"'], "basic", "md5"),
        (["Digest realm=2N,nonce=a/b+c==,qop=auth"], "digest", "md5"),
    ],
)
def test_strongest_challenge_is_answered(headers: list[str], scheme: str, algorithm: str) -> None:
    chosen = choose(parse_challenges(headers))
    assert chosen is not None
    assert (chosen.scheme, chosen.algorithm) == (scheme, algorithm)


@pytest.mark.parametrize("header", ["", "Negotiate", 'Digest realm="no nonce"', ",,,", '"', "Digest =x"])
def test_what_cannot_be_answered_is_not(header: str) -> None:
    assert choose(parse_challenges([header])) is None


def test_quotes_in_names_are_escaped_and_read_back() -> None:
    login = logged_in('Digest realm="a \\"b\\"", nonce="n"', username='ja"ne\\')
    header = login.header("GET", "/")
    assert field(header, "username") == 'ja"ne\\'
    assert field(header, "realm") == 'a "b"'


def test_stale_is_a_word() -> None:
    assert Challenge("digest", {"stale": "TRUE"}).is_stale
    assert not Challenge("digest", {"stale": "false"}).is_stale


def test_password_is_in_no_repr() -> None:
    assert "Circle" not in repr(logged_in('Digest realm="2N", nonce="n"'))


def test_empty_members_of_a_list_are_passed_over() -> None:
    (challenge,) = parse_challenges([', Digest realm="x", , nonce="n" ,, qop=auth,'])
    assert challenge.params == {"realm": "x", "nonce": "n", "qop": "auth"}


@pytest.mark.parametrize("algorithm", ["MD5-sess", "SHA-256-sess"])
def test_session_key_is_made_once_for_each_nonce(algorithm: str) -> None:
    login = Login("jane", "1234")
    shown = []
    for nonce in ("n1", "n1", "n2"):
        if login.challenge is None or login.challenge.params["nonce"] != nonce:
            login.adopt(
                choose(parse_challenges([f'Digest realm="x", nonce="{nonce}", qop="auth", algorithm={algorithm}']))
            )
        header = login.header("GET", "/api/a")
        assert header is not None
        shown.append(header.partition("cnonce=")[2].partition(",")[0])
    assert shown[0] == shown[1] != shown[2]


@pytest.mark.parametrize("realm", ["T\udcfcre", "\ud800", "a\x01b"])
def test_realm_of_odd_bytes_is_answered_all_the_same(realm: str) -> None:
    login = Login("jané", "1234")
    login.adopt(choose(parse_challenges([f'Digest realm="{realm}", nonce="n"'])))
    header = login.header("GET", "/api/a")
    assert header is not None and header.isprintable()
    header.encode()


@pytest.mark.parametrize("scheme", ["Basic", 'Digest realm="x", nonce="n"'])
def test_user_name_cannot_break_out_of_its_header(scheme: str) -> None:
    login = Login("jane\r\nX-Evil: 1", "12\r\n34")
    login.adopt(choose(parse_challenges([scheme])))
    header = login.header("GET", "/api/a")
    assert header is not None and header.isprintable()
