"""A pledge joins a network that ran before this registrar knew it."""

import json

from tests.daemon.site import Site
from tests.daemon.wire import Wire

VALUE = "8a5c01ff7e00274bd3915c6de2f04b1a"
OLD = bytes.fromhex("abcd")


def test_who_joins_gets_the_compiled_in_keys_and_an_address_that_no_node_has(site: Site) -> None:
    """RFC 9031 §8.4.3, §8.4.4.1; the daemon runs while its network is taken over."""
    keys = {
        "version": 1,
        "keys": [{"key_id": 7, "key_usage": 2, "value": VALUE}],
        "short_ids_in_use": ["0001-0004", "0006-0008"],
    }
    with site.start() as daemon, Wire(daemon.address) as wire:
        site.run(
            "network", "add", "old", "--network-id", "abcd", "--prefix", "fd00:2::/64",
            "--short-ids", "0001-0008", "--keys-file", "-", given=json.dumps(keys),
        )  # fmt: skip
        device = daemon.enroll(networks=["old"])
        told = wire.join(device.pledge(network=OLD))
        (key,) = told.keys
        assert (key.key_id, key.usage, key.value.reveal().hex()) == (7, 2, VALUE)
        assert told.short_id == bytes.fromhex("0005")
        daemon.stop()
        assert VALUE not in "".join(daemon.log)
