import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.errors import InvalidUrl
from crawler.urls import canonical_url, host_and_port, origin_of, source_id_for, url_hash


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("HTTP://Docs.Example.COM:80/Guide", "http://docs.example.com/Guide"),
        ("https://example.com:443", "https://example.com/"),
        ("https://example.com:8443/", "https://example.com:8443/"),
        ("https://example.com/a/./b/../c", "https://example.com/a/c"),
        ("https://example.com/a/%2e%2e/b", "https://example.com/b"),
        ("https://example.com/page#section", "https://example.com/page"),
        ("https://example.com/page#!/route", "https://example.com/page"),
        ("https://example.com/guide/", "https://example.com/guide/"),
        ("https://example.com/?", "https://example.com/"),
        ("https://example.com/?b=2&a=1&&c=", "https://example.com/?b=2&a=1&&c="),
        ("https://example.com/?utm_source=x&id=7&gclid=1&UTM_Medium=y&fbclid=z", "https://example.com/?id=7"),
        ("https://example.com/?ref=menu&utm=kept", "https://example.com/?ref=menu&utm=kept"),
        ("https://example.com/?utm_source=x", "https://example.com/"),
        ("https://example.com/%7euser/%c3%a9", "https://example.com/~user/%C3%A9"),
        ("https://example.com/é ü", "https://example.com/%C3%A9%20%C3%BC"),
        ("https://example.com/100%", "https://example.com/100%25"),
        ("https://example.com/%2Fa%2fb", "https://example.com/%2Fa%2Fb"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://example.com./x", "https://example.com/x"),
        ("https:\\\\example.com\\x", "https://example.com/x"),
        ("  https://exa\tmple.com/\n", "https://example.com/"),
        ("http://2130706433/", "http://127.0.0.1/"),
        ("http://①②⑦.⓪.⓪.①/", "http://127.0.0.1/"),
        ("http://[::FFFF:127.0.0.1]:8080/", "http://[::ffff:7f00:1]:8080/"),
    ],
)
def test_a_url_has_one_spelling(written: str, canonical: str) -> None:
    assert canonical_url(written) == canonical


@pytest.mark.parametrize(
    ("href", "canonical"),
    [
        ("next.html", "https://example.com/docs/next.html"),
        ("../", "https://example.com/"),
        ("/top", "https://example.com/top"),
        ("//other.example/x", "https://other.example/x"),
        ("?page=2", "https://example.com/docs/index.html?page=2"),
        ("#here", "https://example.com/docs/index.html"),
    ],
)
def test_a_link_is_resolved_against_its_page(href: str, canonical: str) -> None:
    assert canonical_url(href, base="https://example.com/docs/index.html") == canonical


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("", "url_missing"),
        ("  ", "url_missing"),
        ("docs.example.com", "url_scheme"),
        ("localhost:3000", "url_scheme"),
        ("file:///etc/passwd", "url_scheme"),
        ("javascript:alert(1)", "url_scheme"),
        ("data:text/html,x", "url_scheme"),
        ("raw:<html>", "url_scheme"),
        ("ftp://example.com/", "url_scheme"),
        ("http://user:secret@example.com/", "url_userinfo"),
        ("http://example.com:99999/", "url_invalid"),
        ("http://[fe80::1%25eth0]/", "url_invalid"),
        ("http://exa mple.com/", "url_invalid"),
        ("http://\ud800/", "url_invalid"),
        ("http://", "url_invalid"),
        ("http://./", "url_host"),
        ("https://example.com/" + "a" * 9000, "url_too_long"),
    ],
)
def test_what_is_no_web_address_is_refused_with_its_reason(written: str, code: str) -> None:
    with pytest.raises(InvalidUrl) as refused:
        canonical_url(written)
    assert refused.value.code == code
    assert refused.value.field == "url"
    assert "secret" not in refused.value.message
    refused.value.message.encode()


def test_a_forgotten_scheme_is_suggested() -> None:
    with pytest.raises(InvalidUrl) as refused:
        canonical_url("docs.example.com/guide")
    assert refused.value.hint == "Try https://docs.example.com/guide"


def test_a_password_never_reaches_a_message() -> None:
    with pytest.raises(InvalidUrl) as refused:
        canonical_url("http://user:secret@example.com:99999/")
    assert "secret" not in str(refused.value)


def test_a_redirect_keeps_its_tracking_parameters() -> None:
    assert canonical_url("/a?utm_source=x", base="https://e.example/", keep_tracking=True).endswith("/a?utm_source=x")


@given(st.text(alphabet=st.sampled_from("ab%2eEfF7/.?&=#é~+ \\:@[]utm_x"), max_size=40))
def test_a_canonical_url_is_its_own_canonical_form(tail: str) -> None:
    try:
        once = canonical_url("https://example.com/" + tail)
    except InvalidUrl:
        return
    assert canonical_url(once) == once
    assert canonical_url("x", base=once)


def test_ids_and_parts_of_a_url() -> None:
    url = "https://example.com:8443/a?b"
    assert len(url_hash(url)) == 32
    assert len(source_id_for(url)) == 16
    assert url_hash(url) != url_hash(url + "c")
    assert origin_of(url) == "https://example.com:8443"
    assert host_and_port("https://[2001:db8::1]/") == ("2001:db8::1", 443)
    assert host_and_port("http://[::1]:81/") == ("::1", 81)
