"""Hosts as people write them."""

from __future__ import annotations

import pytest

from interstate import Host
from interstate.hosts import expand


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("ssh://jeremy@my-computer:2222", Host("my-computer", "jeremy", 2222)),
        ("ssh://my-computer", Host("my-computer")),
        ("ssh://my-computer/", Host("my-computer")),
        ("me@my-computer", Host("my-computer", "me")),
        ("me@corp@my-computer", Host("my-computer", "me@corp")),
        ("my_alias", Host("my_alias")),
        ("me@work+büro~2=^", Host("work+büro~2=^", "me")),
        ("ssh://[::1]:22", Host("::1", None, 22)),
        ("ssh://me@[fe80::1%eth0]", Host("fe80::1%eth0", "me")),
        ("::1", Host("::1")),
        ("me@::1", Host("::1", "me")),
        ("10.0.0.1:22", Host("10.0.0.1", None, 22)),
    ],
)
def test_every_way_to_write_a_host_is_understood(text: str, host: Host) -> None:
    assert Host.parse(text) == host


@pytest.mark.parametrize("text", ["ssh://me@a:22", "me@a", "a", "[::1]:22", "me@[::1]"])
def test_a_host_prints_as_it_is_written(text: str) -> None:
    assert Host.parse(str(Host.parse(text))) == Host.parse(text)
    assert Host.parse(Host.parse(text).url) == Host.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://a",
        "ssh://",
        "ssh://a/path",
        "a b",
        "a:port",
        "a:0",
        "a:65536",
        "-oProxyCommand=x",
        "ssh://[a]",
        "@a",
        "a@",
        "ssh://a?q",
    ],
)
def test_what_is_no_host_is_refused_and_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|scheme|port|neither") as caught:
        Host.parse(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    "text", ["ssh://me:secret@a", "me:secret@a", "http://me:secret@a", "ssh://me:secret@a-[3-1]"]
)
def test_a_password_in_a_url_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="host") as caught:
        expand(text)
    assert "secret" not in str(caught.value)


def test_ranges_are_written_out_in_order_with_their_zeros() -> None:
    assert [host.name for host in expand("ssh://node-[008-010].x")] == [
        "node-008.x",
        "node-009.x",
        "node-010.x",
    ]
    assert [str(host) for host in expand(["me@[1-2,5]-[0-1]:22"])] == [
        "me@1-0:22",
        "me@1-1:22",
        "me@2-0:22",
        "me@2-1:22",
        "me@5-0:22",
        "me@5-1:22",
    ]
    assert len(expand("node-[000-998]")) == 999


def test_a_host_named_twice_is_there_twice() -> None:
    assert expand(["a", Host("a")]) == [Host("a"), Host("a")]


@pytest.mark.parametrize(
    ("hosts", "error", "quoted"),
    [
        ([], ValueError, "no hosts"),
        ("node-[3-1]", ValueError, "node-[3-1]"),
        ("node-[0-99999999]", ValueError, "'node-[0-99999999]': these are more than 100,000"),
        ("n[0-9999]-[0-9999]", ValueError, "these are more than 100,000 hosts"),
        ([3], TypeError, "3"),
        (None, TypeError, "None"),
        (b"a", TypeError, "97"),
    ],
)
def test_bad_lists_of_hosts_are_refused(hosts: object, error: type[Exception], quoted: str) -> None:
    with pytest.raises(error) as caught:
        expand(hosts)  # type: ignore[arg-type]
    assert quoted in str(caught.value)
