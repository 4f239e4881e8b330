"""A site whose daemon serves its API on TCP."""

import socket
from contextlib import closing

from tests.certificates import self_signed
from tests.daemon.site import Site


def on_tcp(site: Site) -> int:
    """A site whose daemon serves the API; its port."""
    self_signed(site.folder)
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    section = f'[api]\nlisten = "127.0.0.1:{port}"\ncertificate = "cert.pem"\n'
    site.config.write_text(site.config.read_text() + section + 'private_key = "key.pem"\n')
    return port
