"""Listeners: one clear line when there can be none."""

import pytest

from daemon.app.rig import free_ports
from daemon.app.serving import listen
from daemon.domain.errors import CannotStart


def test_a_port_that_is_taken_is_told_with_what_mends_it() -> None:
    (port,) = free_ports(1)
    with (
        listen("127.0.0.1", port, setting="RUNBOOKD_PROXY_PORT"),
        pytest.raises(CannotStart, match=rf"^port {port} on 127.0.0.1 is taken: .* by RUNBOOKD_PROXY_PORT$"),
    ):
        listen("127.0.0.1", port, setting="RUNBOOKD_PROXY_PORT")


@pytest.mark.parametrize("host", ["192.0.2.1", "nobody.invalid"])
def test_a_host_that_is_not_ours_is_told_too(host: str) -> None:
    with pytest.raises(CannotStart, match=rf"^cannot listen on {host}:1 \(.+\): .* the host beside it$"):
        listen(host, 1, setting="--port")


def test_several_workers_share_a_port() -> None:
    (port,) = free_ports(1)
    with listen("127.0.0.1", port, setting="p", shared=True), listen("127.0.0.1", port, setting="p", shared=True):
        pass
