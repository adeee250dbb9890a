"""A local cluster takes work from the process that started it, and from nobody else on the machine."""

import pytest

from xbar_cli.runs.sweep_cluster import local_cluster


@pytest.mark.timeout(120)
def test_who_lacks_its_certificates_is_refused():
    from distributed import Client
    from distributed.security import Security

    with local_cluster(1, environment={}) as client:
        assert client.submit(sum, [1, 2]).result(timeout=60) == 3
        address = client.scheduler.address
        assert address.startswith("tls://127.0.0.1:")
        port = address.rpartition(":")[2]
        strangers = [
            (f"tcp://127.0.0.1:{port}", None),
            (address, Security.temporary()),
        ]
        for where, security in strangers:
            with pytest.raises((OSError, TimeoutError)):
                Client(where, security=security, timeout=3, set_as_default=False)
        assert client.submit(sum, [1, 2, 3]).result(timeout=60) == 6
