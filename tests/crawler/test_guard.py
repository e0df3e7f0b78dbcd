import socket

import pytest

from crawler.errors import CrawlerError, FetchError, ForbiddenAddress, InvalidUrl
from crawler.guard import FORBIDDEN_V4, FORBIDDEN_V6, NEVER, Guard, GuardPolicy

PUBLIC = Guard(GuardPolicy())
LAPTOP = Guard(GuardPolicy(allow_loopback=True, own_ports=frozenset({6379, 8000})))
EVERYTHING_LISTED = Guard(
    GuardPolicy(
        allow_loopback=True,
        allow_private=("0.0.0.0/0", "::/0", "metadata.google.internal"),
        own_ports=frozenset({6379}),
        extra_ports=frozenset({6379}),
    )
)


def refused(guard: Guard, address: str, port: int = 80, host: str = "") -> bool:
    try:
        guard.check_sockaddr(host, (address, port))
    except (ForbiddenAddress, InvalidUrl):
        return True
    return False


@pytest.mark.parametrize("network", [*FORBIDDEN_V4, *FORBIDDEN_V6], ids=str)
def test_every_network_of_the_table_is_forbidden_to_its_edges(network) -> None:  # type: ignore[no-untyped-def]
    assert refused(PUBLIC, str(network[0]))
    assert refused(PUBLIC, str(network[-1]))
    assert refused(PUBLIC, str(network[network.num_addresses // 2]))


@pytest.mark.parametrize(
    "address",
    [
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::7f00:1",
        "100::1",
        "2001::1",
        "2002:7f00:1::",
        "3fff::1",
        "4000::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fd20:ce::254",
        "fe80::1",
        "fe80::1%eth0",
        "2606:4700::1%eth0",
        "fec0::1",
        "ff02::1",
        "not an address",
    ],
)
def test_every_ipv6_address_outside_the_public_range_is_forbidden(address: str) -> None:
    assert refused(PUBLIC, address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "93.184.216.34", "9.255.255.255", "172.32.0.1", "2606:4700::1111", "2a00::1"]
)
def test_public_addresses_are_allowed(address: str) -> None:
    PUBLIC.check_sockaddr("example.com", (address, 443))


@pytest.mark.parametrize("network", NEVER, ids=str)
def test_some_networks_stay_closed_whatever_is_listed(network) -> None:  # type: ignore[no-untyped-def]
    assert refused(EVERYTHING_LISTED, str(network[0]))
    assert refused(EVERYTHING_LISTED, str(network[-1]))
    assert refused(EVERYTHING_LISTED, str(network[0]), host="metadata.google.internal")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://①②⑦.⓪.⓪.①/",
        "http://127。0。0。1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://0/",
        "http://localhost/",
        "http://LOCALHOST./",
        "http://app.localhost/",
        "http://db.internal/",
        "http://printer.local/",
        "http://intranet/",
        "http://metadata.google.internal/",
        "http://169.254.169.254/latest/meta-data/",
        "http://168.63.129.16/",
    ],
)
def test_a_private_place_is_forbidden_in_every_spelling(url: str) -> None:
    with pytest.raises(ForbiddenAddress) as forbidden:
        PUBLIC.check_url(url)
    assert forbidden.value.code == "address_forbidden"
    assert forbidden.value.hint


@pytest.mark.parametrize("port", [22, 25, 3306, 6379, 9200])
def test_a_port_that_serves_no_web_is_refused(port: int) -> None:
    with pytest.raises(InvalidUrl) as invalid:
        PUBLIC.check_url(f"http://example.com:{port}/")
    assert invalid.value.code == "url_port"
    assert refused(LAPTOP, "93.184.216.34", port)


def test_extra_ports_are_allowed() -> None:
    Guard(GuardPolicy(extra_ports=frozenset({9000}))).check_url("http://example.com:9000/")


def test_on_a_laptop_any_loopback_port_is_open_but_our_own() -> None:
    LAPTOP.check_url("http://127.0.0.1:3000/")
    LAPTOP.check_url("http://localhost:5173/")
    LAPTOP.check_url("http://[::1]:4000/")
    for url in ("http://127.0.0.1:6379/", "http://localhost:8000/", "http://127.9.9.9:6379/", "http://[::1]:8000/"):
        with pytest.raises(ForbiddenAddress):
            LAPTOP.check_url(url)
    for address in ("10.0.0.1", "0.0.0.0", "169.254.169.254", "::ffff:127.0.0.1"):
        assert refused(LAPTOP, address, 3000)


def test_a_listed_address_is_open_at_its_port_only() -> None:
    guard = Guard(GuardPolicy(allow_private=("127.0.0.1:3000", "192.168.1.0/24", "[fd12::1]:8001", "10.0.0.5")))
    guard.check_url("http://127.0.0.1:3000/")
    guard.check_url("http://192.168.1.77/")
    guard.check_url("http://[fd12::1]:8001/")
    guard.check_url("http://10.0.0.5:8080/")
    for url in ("http://127.0.0.1:3001/", "http://192.168.2.1/", "http://192.168.1.77:22/", "http://[fd12::1]/"):
        with pytest.raises(ForbiddenAddress):
            guard.check_url(url)


def test_a_listed_name_is_open_whatever_private_address_it_has() -> None:
    guard = Guard(GuardPolicy(allow_private=("docs.local", "wiki:8001")))
    guard.check_url("http://docs.local/")
    guard.check_url("http://wiki:8001/")
    assert not refused(guard, "192.168.7.7", 80, "docs.local")
    assert not refused(guard, "192.168.7.7", 8001, "wiki")
    assert refused(guard, "192.168.7.7", 80, "wiki")
    assert refused(guard, "192.168.7.7", 80, "other.local")
    assert refused(guard, "169.254.169.254", 80, "docs.local")
    with pytest.raises(ForbiddenAddress):
        guard.check_url("http://other.local/")


def test_our_own_ports_stay_closed_even_when_listed() -> None:
    guard = Guard(GuardPolicy(allow_private=("127.0.0.0/8", "127.0.0.1:6379"), own_ports=frozenset({6379})))
    assert refused(guard, "127.0.0.1", 6379)
    assert not refused(guard, "127.0.0.1", 80)


def test_a_nat64_prefix_of_the_operator_is_judged_by_the_address_inside() -> None:
    guard = Guard(GuardPolicy(nat64_prefixes=("2a01:64::/96",)))
    assert refused(guard, "2a01:64::7f00:1")
    assert not refused(guard, "2a01:64::808:808")
    with pytest.raises(ValueError, match="/96"):
        Guard(GuardPolicy(nat64_prefixes=("2a01:64::/64",)))


def test_the_socket_is_refused_before_it_exists() -> None:
    info = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))
    with pytest.raises(ForbiddenAddress):
        PUBLIC.socket_factory(info)
    with LAPTOP.socket_factory(info) as made:
        assert made.family == socket.AF_INET


def test_the_socket_knows_the_host_it_is_for() -> None:
    guard = Guard(GuardPolicy(allow_private=("docs.local",)))
    info = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.1.1.1", 80))
    with guard.dialling("docs.local"):
        guard.socket_factory(info).close()
    with pytest.raises(ForbiddenAddress):
        guard.socket_factory(info)


def test_resolving_names_and_refusing_them() -> None:
    assert "127.0.0.1" in LAPTOP.resolve("http://localhost:3000/", 5)
    assert PUBLIC.resolve("http://8.8.8.8/", 5) == ["8.8.8.8"]
    with pytest.raises(ForbiddenAddress):
        PUBLIC.resolve("http://127.0.0.1/", 5)


def test_one_forbidden_address_forbids_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, 80)) for text in ("93.184.216.34", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: answers)
    with pytest.raises(ForbiddenAddress, match=r"mixed\.example \(10\.0\.0\.1\)"):
        PUBLIC.resolve("http://mixed.example/", 5)


def test_a_name_that_does_not_exist_is_a_retryable_fetch_error() -> None:
    with pytest.raises(FetchError) as failed:
        PUBLIC.resolve("http://no-such-host.invalid/", 10)
    assert (failed.value.code, failed.value.retryable, failed.value.field) == ("dns_failed", True, "url")
    assert isinstance(failed.value, CrawlerError)
