"""Redis over TLS, as managed platforms offer it: certificates of unknown authorities and of other names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from orchestrator.store.connect import Tls, connect
from orchestrator.store.errors import StoreUnavailable
from tests.integration.conftest import RedisServer
from tests.ports import free_port


@dataclass
class Served:
    """A server, and a file with the authority that signed its certificate."""

    port: int
    ca_file: str

    def answers(self, verify: str, *, with_ca: bool) -> bool:
        tls = Tls(verify, self.ca_file if with_ca else None)
        client = connect(f"rediss://127.0.0.1:{self.port}/0", tls=tls)
        try:
            return bool(client.execute_command("PING"))
        except StoreUnavailable:
            return False
        finally:
            client.close()


@pytest.fixture
def serve(more_redis: Callable[..., RedisServer], tmp_path: Path) -> Callable[[str], Served]:
    """Starts a server whose certificate is for this name."""

    def start(name: str) -> Served:
        authority, port = trustme.CA(), free_port()
        issued = authority.issue_cert(name)
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
        issued.private_key_pem.write_to_path(tmp_path / "key.pem")
        files = ("--tls-cert-file", str(tmp_path / "cert.pem"), "--tls-key-file", str(tmp_path / "key.pem"))
        more_redis("--tls-port", str(port), "--tls-auth-clients", "no", *files)
        return Served(port, str(tmp_path / "ca.pem"))

    return start


def test_an_unknown_authority_is_refused_unless_it_is_named_or_nothing_is_asked(serve: Callable[[str], Served]) -> None:
    """The usual check stays on; a self-made authority is trusted by its file."""
    served = serve("127.0.0.1")
    assert not served.answers("full", with_ca=False)
    assert not served.answers("chain", with_ca=False)
    assert served.answers("full", with_ca=True)
    assert served.answers("none", with_ca=False)


def test_a_certificate_for_another_name_counts_only_where_names_do_not(serve: Callable[[str], Served]) -> None:
    """`chain` asks for the authority alone."""
    served = serve("other.example")
    assert not served.answers("full", with_ca=True)
    assert served.answers("chain", with_ca=True)
    assert not served.answers("chain", with_ca=False)
