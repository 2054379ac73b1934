import socket

import pytest

from volbal.common.errors import Refused
from volbal.common.serving.listening import sockets_bind


def _close(sockets: list[socket.socket]) -> None:
    for one in sockets:
        one.close()


def test_all_addresses_of_localhost_share_one_free_port() -> None:
    sockets = sockets_bind(host="localhost", port=0)
    ports = {one.getsockname()[1] for one in sockets}
    addresses = {one.getsockname()[0] for one in sockets}
    _close(sockets)
    assert len(ports) == 1
    assert "127.0.0.1" in addresses


def test_a_taken_port_is_refused_and_nothing_is_left_open() -> None:
    first = sockets_bind(host="127.0.0.1", port=0)
    port = first[0].getsockname()[1]
    with pytest.raises(Refused, match=f"Port {port} of 127.0.0.1 is taken") as refused:
        sockets_bind(host="127.0.0.1", port=port)
    _close(first)
    assert refused.value.code == "port_taken"
    _close(sockets_bind(host="127.0.0.1", port=port))


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(Refused, match=r"Nothing can listen on 192\.0\.2\.1") as refused:
        sockets_bind(host="192.0.2.1", port=0)
    assert "HOST=localhost" in refused.value.hint


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(Refused, match=r"Nothing can listen on no\.such\.name\.invalid"):
        sockets_bind(host="no.such.name.invalid", port=0)
