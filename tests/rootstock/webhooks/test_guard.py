"""What may be called: property tests over the forms of addresses, and names that change their answer."""

import ipaddress

import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootstock.errors import InvalidInput
from rootstock.webhooks import addresses
from rootstock.webhooks.guard import Refused, checked_addresses, target_of, url_check
from rootstock.webhooks.network import Deadline, PinnedBackend
from rootstock.webhooks.sending import send
from tests.rootstock.webhooks.test_delivering import MESSAGE

PUBLIC = "93.184.215.14"
INSIDE = [
    "10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
    "0.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", "192.88.99.0/24", "198.18.0.0/15", "168.63.129.16/32",
]  # fmt: skip
inside_v4 = st.sampled_from(INSIDE).flatmap(
    lambda network: st.integers(
        int(ipaddress.IPv4Network(network)[0]), int(ipaddress.IPv4Network(network)[-1])
    ).map(ipaddress.IPv4Address)
)


def answering(*texts: str):
    return lambda host, port: list(texts)


def refusal_of(url: str, *answers: str) -> str:
    try:
        url_check(url, answering(*(answers or (PUBLIC,))))
    except InvalidInput as refused:
        return refused.detail if refused.errors[0].field == "url" else ""
    return ""


def test_it_works() -> None:
    target = target_of("https://Hooks.Example/a?b=c")
    assert (target.host, target.port) == ("hooks.example", 443)
    assert checked_addresses(target, answering(PUBLIC, "2606:4700::1111")) == [PUBLIC, "2606:4700::1111"]


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/", "ftp://hooks.example/", "https://", "https:///x", "//hooks.example",
        "https://user@hooks.example/", "https://user:pw@hooks.example/", "https://hooks.example@10.0.0.1/",
        "https://hooks.example:22/", "https://hooks.example:0/", "https://hooks.example:99999/",
        "https://hooks.example:x/", "https://hooks.example\\@10.0.0.1/", "https://hooks.example /",
        "https://hooks.example\n/", "https://hooks.example/\x00", "https://ｌｏｃａｌｈｏｓｔ/", "https://hooks..example/",
        "https://-a.example/", "https://[fe80::1%25eth0]/", "https://[::1]/", "https://[hooks.example]/",
        "https://hooks.example/#x", "https://%31%32%37.0.0.1/", "https://127.0.0.1.:443/", "https://a" + "a" * 70,
        "javascript:alert(1)", "https://[::ffff:93.184.215.14]/", "https://[64:ff9b::5db8:d70e]/",
    ],
)  # fmt: skip
def test_forms_that_are_refused(url) -> None:
    assert refusal_of(url)


@given(address=inside_v4, form=st.integers(0, 9))
def test_no_spelling_of_an_inner_address_is_let_through(address, form) -> None:
    number, parts = int(address), str(address).split(".")
    spelled = [
        str(address), str(number), hex(number), f"0{number:o}", ".".join(hex(int(p)) for p in parts),
        ".".join(f"{int(p):04o}" for p in parts), f"{parts[0]}.{number & 0xFFFFFF}", f"{address}.",
        f"[::ffff:{address}]", f"[::{address}]",
    ][form]  # fmt: skip
    assert refusal_of(f"https://{spelled}/", str(address))


@given(address=inside_v4, form=st.integers(0, 5), public_first=st.booleans())
def test_a_name_with_any_inner_address_is_refused(address, form, public_first) -> None:
    high, low = divmod(int(address), 1 << 16)
    hexed = f"{high:x}:{low:x}"
    inner = [
        str(address), f"::ffff:{address}", f"64:ff9b::{hexed}", f"2002:{hexed}::1",
        f"2001:0:{hexed}::1", f"::{hexed}",
    ][form]  # fmt: skip
    answers = [PUBLIC, inner] if public_first else [inner, PUBLIC]
    assert refusal_of("https://hooks.example/", *answers)


@given(number=st.integers(0, (1 << 128) - 1))
def test_of_ipv6_only_global_unicast_is_public(number) -> None:
    address = ipaddress.IPv6Address(number)
    if addresses.is_public(address):
        assert number >> 125 == 1
        assert address.is_global


@given(number=st.integers(0, (1 << 32) - 1))
def test_of_ipv4_nothing_special_is_public(number) -> None:
    address = ipaddress.IPv4Address(number)
    if addresses.is_public(address):
        assert address.is_global
        assert not any((address.is_multicast, address.is_reserved, address.is_private))


@given(text=st.text(max_size=60))
def test_any_text_is_a_target_or_refused_in_words(text) -> None:
    for url in (text, f"https://{text}"):
        reason = ""
        try:
            reason = target_of(url).host
        except Refused as refused:
            reason = str(refused)
        assert reason


@pytest.mark.parametrize("answer", ["fe80::1%eth0", "not an address", "169.254.169.254", "fd00:ec2::254"])
def test_no_setting_opens_metadata_zones_and_link_local(settings, answer) -> None:
    settings.WEBHOOK_ALLOW = ("hooks.example", "0.0.0.0/0", "::/0")
    assert refusal_of("https://hooks.example/", answer)


def test_what_the_operator_names_may_be_called(settings) -> None:
    assert refusal_of("https://10.1.2.3:9000/")
    settings.WEBHOOK_ALLOW = ("10.1.0.0/16", "crm.bank.internal", "127.0.0.1")
    assert not refusal_of("https://10.1.2.3:9000/")
    assert not refusal_of("https://crm.bank.internal:9000/", "192.168.7.7")
    assert not refusal_of("http://127.0.0.1:9000/")
    assert refusal_of("https://10.2.0.1/")
    assert refusal_of("http://10.1.2.3/"), "plain HTTP is for this machine only"
    assert refusal_of("https://hooks.example:9000/", PUBLIC), "public hosts keep to the usual ports"


def test_a_name_is_resolved_once_and_its_checked_address_is_called(receiver) -> None:
    asked = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    url = f"http://hooks.example:{receiver.port}/ok"
    assert send(url, MESSAGE, [receiver.secret], resolve=rebinding).succeeded
    assert asked == ["hooks.example"]
    assert receiver.log()[0]["host"] == f"hooks.example:{receiver.port}"
    again = send(url, MESSAGE, [receiver.secret], resolve=rebinding)
    assert again.error.startswith("not sent:")
    assert len(receiver.log()) == 1


def test_neither_another_port_nor_a_socket_is_connected_to() -> None:
    backend = PinnedBackend(target_of("https://hooks.example/"), Deadline(1), answering(PUBLIC))
    with pytest.raises(Refused):
        backend.connect_tcp("hooks.example", 22)
    with pytest.raises(Refused):
        backend.connect_unix_socket("/run/docker.sock")


def test_the_next_address_is_tried_until_the_deadline(receiver) -> None:
    target = target_of(f"http://hooks.example:{receiver.port}/")
    PinnedBackend(target, Deadline(2), answering("127.0.0.1")).connect_tcp(
        "hooks.example", target.port
    ).close()
    with pytest.raises(httpcore.ReadTimeout):
        PinnedBackend(target, Deadline(0), answering("127.0.0.1")).connect_tcp("hooks.example", target.port)
