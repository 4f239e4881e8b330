"""``jrc network list`` and ``show``, and what a network looks like after each change."""

from typing import Annotated

import typer

from jrc.cli import output
from jrc.cli.answers import records
from jrc.cli.client import connect, segment
from jrc.cli.known_names import networks
from jrc.cli.options import AsJson, common
from jrc.cli.output import Record
from jrc.cli.reporting import say

_ORIGIN = {"generated": "drawn by this registrar", "takeover": "taken over"}
_LISTED = {
    "name": "NAME",
    "identifiers": "NETWORK ID",
    "prefix": "PREFIX",
    "admission": "ADMITS",
    "key_domain": "KEY DOMAIN",
    "pledges": "PLEDGES",
    "joined": "JOINED",
}
_SHOWN = {
    "name": "name",
    "identifiers": "network identifiers",
    "prefix": "prefix",
    "prefix_from": "prefix from",
    "jrc_address": "JRC address",
    "jrc_address_from": "JRC address from",
    "profile": "profile",
    "profile_means": "its devices take",
    "admission": "admits",
    "short_ids": "short identifiers",
    "short_ids_used": "short identifiers used",
    "short_ids_low": "short identifiers run low",
    "lease_hours": "lease (hours)",
    "join_rate_bytes_per_s": "join rate (bytes/s)",
    "throttle_bytes_per_s": "throttled to (bytes/s)",
    "quiet_outside_windows": "quiet outside windows",
    "key_domain": "key domain",
    "key_usages": "key usages",
    "generation": "key generation",
    "key_ids": "key ids",
    "keys_provenance": "keys",
    "short_ids_taken_over": "short identifiers taken over",
    "installers": "installers",
    "pledges": "pledges",
    "joined": "joined",
    "revoked": "revoked",
}

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="The network's name.", autocompletion=networks)
]


def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List the networks.

    \b
    Example:
      jrc network list --json
    """
    with connect(common(context)) as api:
        found = api.pages("/v1/networks", {}, "networks")
        output.listing(found, _LISTED, as_json=as_json, empty="no networks: jrc network add")


def show(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Show a network, the ids of its keys and how many have joined.

    \b
    Example:
      jrc network show lab
    """
    with connect(common(context)) as api:
        show_network(api.get(path_of(name)), as_json=as_json)


def show_network(found: Record, *, as_json: bool) -> None:
    """A network, and what its operator ought to do about its keys."""
    shown = dict(found)
    if not as_json:
        shown["keys_provenance"] = _ORIGIN.get(str(found["keys_provenance"]))
        shown["installers"] = [
            f"{each['installer']} {installation(each)}" for each in records(found["installers"])
        ]
    output.fields(shown, _SHOWN, as_json=as_json)
    if found["jrc_address_from"] and not found["jrc_address"]:
        say(
            f"warning: {found['jrc_address_from']} has no address: until it has one, joins of"
            f" {found['name']} get no answer"
        )
    if found["keys_public"]:
        say(f"warning: a link-layer key of {found['name']} is public: it protects from nobody")
    if found["keys_provenance"] == "takeover":
        say("hint: these keys are compiled into firmware; roll them over soon")


def installation(done: Record) -> str:
    """What an installer has done, in words."""
    has = f"has generation {done['generation']} since {done['installed_at']}"
    if done["installed"]:
        return has
    failed = f"failed: {done['error']}"
    return failed if done["generation"] is None else f"{failed}; {has}"


def path_of(name: str) -> str:
    """Where the API has a network."""
    return f"/v1/networks/{segment('the name', name)}"
