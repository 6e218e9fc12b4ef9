"""Nobody is told anything at addresses that no server of anybody's has."""

from __future__ import annotations

import contextlib
import socket
import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from droneteam import webhooks
from droneteam.commands import outward, tell
from droneteam.commands.outward import open_connection, problem_of
from droneteam.errors import LinkError
from droneteam.webhooks import Message


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
        "169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1",
        "fe80::1", "fe80::1%eth0", "0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "ff02::1",
        "255.255.255.255",
    ],
)  # fmt: skip
def test_this_machine_link_local_and_group_addresses_are_refused_however_written(
    address: str,
) -> None:
    assert problem_of(address, "zone.example")


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("10.1.2.3", "zone.example"),
        ("192.168.4.5", "192.168.4.5"),
        ("fd00::1", "zone.example"),
        ("193.191.1.1", "zone.example"),
        ("2001:6a8::1", "zone.example"),
        ("127.0.0.1", "localhost"),
        ("::1", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
    ],
)
def test_servers_of_a_private_network_and_programs_of_this_machine_by_name_are_told(
    address: str, host: str
) -> None:
    assert problem_of(address, host) == ""


@pytest.fixture
def name_server(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Answers of the name server in turn: a list of addresses each; the last one stays."""
    answers: list[list[str]] = []
    real = socket.getaddrinfo

    def look_up(host: str, port: int, *rest: Any, **named: Any) -> list[Any]:
        if host[0].isdigit():
            return real(host, port, *rest, **named)
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

    monkeypatch.setattr(outward.socket, "getaddrinfo", look_up)
    return answers


def test_one_forbidden_address_among_others_closes_the_name(name_server: list[list[str]]) -> None:
    name_server.append(["203.0.113.5", "169.254.169.254"])
    connection = open_connection("https", "zone.example", None, 1.0)
    with pytest.raises(LinkError, match=r"zone\.example leads to 169\.254\.169\.254: a link-local"):
        connection.request("POST", "/")


def test_a_name_that_changes_its_mind_leads_to_what_was_judged(
    name_server: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the second answer is never asked for, the connection goes to the first."""
    name_server += [["203.0.113.5"], ["127.0.0.1"]]
    gone_to: list[Any] = []

    def connect(address: Any, _timeout_s: float) -> socket.socket:
        gone_to.append(address)
        raise ConnectionRefusedError(111, "refused")

    monkeypatch.setattr(outward.socket, "create_connection", connect)
    with pytest.raises(ConnectionRefusedError):
        open_connection("https", "zone.example", 8443, 1.0).request("POST", "/")
    assert gone_to == [("203.0.113.5", 8443)]
    assert len(name_server) == 1


def test_the_next_address_of_a_name_is_tried(name_server: list[list[str]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port, heard = server.getsockname()[1], []

        def answer() -> None:
            link, _ = server.accept()
            with link:
                heard.append(link.recv(4096))
                link.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        name_server.append(["127.0.0.2", "127.0.0.1"])  # nobody listens at the first
        connection = open_connection("http", "localhost", port, 60.0)
        connection.request("POST", "/hook", b"{}")
        assert connection.getresponse().status == 204
        connection.close()
        thread.join(timeout=60)
    assert heard[0].startswith(b"POST /hook HTTP/1.1\r\nHost: localhost:")


def test_the_certificate_must_be_the_names_own(name_server: list[list[str]]) -> None:
    """A server that answers without TLS, or with another's certificate, is told nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        heard: list[bytes] = []

        def answer() -> None:
            link, _ = server.accept()
            with link:
                heard.append(link.recv(4096))
                link.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        name_server.append(["127.0.0.1"])
        connection = open_connection("https", "localhost", server.getsockname()[1], 60.0)
        with pytest.raises(OSError, match="SSL"):
            connection.request("POST", "/hook", b"the message")
        thread.join(timeout=60)
    assert b"the message" not in heard[0]


def test_a_name_that_cannot_be_looked_up_is_a_failed_try_and_no_crash() -> None:
    with pytest.raises(LinkError, match="no name of a server"):
        open_connection("https", "a" * 70 + ".example", None, 1.0).request("POST", "/")


@pytest.mark.parametrize(
    "url",
    [
        "https://host:99999/", "https://host:0/", "https://host:x/", "https://[::1/", "https://[x]/",
        "https://:secret@host/", "https://user@host/", "https://@host/", "https://ho st/",
        "https://host/a b", "https://host/\r\nX: y", "https://h\u00f6st/", "https:///x", "https://",
        "//host/", "host", "ftp://host/", "file:///etc/passwd", "gopher://host/", "http://host/",
        "http://127.0.0.1.zone.example/", "http://2130706433/", "http://0x7f000001/",
        "http://[::ffff:127.0.0.1]/", "https://host/#part", "https://host/" + "x" * 500,
    ],
)  # fmt: skip
def test_what_cannot_be_connected_to_is_no_address_of_a_webhook(url: str) -> None:
    """The first ones once ended the thread that tells all webhooks, or the form with a 500."""
    assert not webhooks._is_address(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://zone.example/hook?x=1", "https://zone.example:8443/", "https://10.0.0.5/a%20b",
        "https://[2001:db8::1]:444/", "http://localhost:9000/", "http://127.0.0.1/",
        "http://[::1]:80/", "https://xn--hst-sna.example/",
    ],
)  # fmt: skip
def test_what_can_is(url: str) -> None:
    assert webhooks._is_address(url)


def test_an_answer_that_never_ends_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then keeps every socket's own patience alive."""
    monkeypatch.setattr(tell, "WHOLE_S", 0.3)
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            link, _ = server.accept()
            with link:
                link.recv(4096)
                link.sendall(b"HTTP/1.1 ")
                with contextlib.suppress(OSError):  # cut off: the end that is asked for
                    while not stop.wait(0.01):
                        link.sendall(b"2")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        with pytest.raises(LinkError, match=r"127\.0\.0\.1 did not answer"):
            tell.send(url, "secret", Message(1, b"{}"), datetime(2026, 5, 4, tzinfo=UTC))
        stop.set()
        thread.join(timeout=60)
        assert not thread.is_alive()
