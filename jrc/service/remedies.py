"""What each reason means and what to do about it: one table for commands, logs and metrics."""

from collections.abc import Mapping
from typing import NamedTuple

from jrc.errors import Reason
from jrc.service.attempts import Outcome, Success
from jrc.service.wording import duration, utc_text


class Remedy(NamedTuple):
    """``meaning`` is a sentence about what happened, ``what_to_do`` the next step of a person."""

    meaning: str
    what_to_do: str


_NO_PLEDGE = "Nothing, unless it comes from a pledge of yours: then see its CoJP stack."
_FIRMWARE = "See the firmware's CoJP stack; RFC 9031 §8.1.1 has the form of a Join Request."
_PROXY = "Nothing for the registrar; look at what sends to the Join Proxy."
_WAIT = "Nothing: the pledge asks again by itself."

REMEDIES: Mapping[Outcome, Remedy] = {
    Success.JOINED: Remedy(
        "It joined and was given the keys.",
        "If it is not in the network all the same, the answer was lost, or the 6LBR has other"
        " keys than the registrar: compare `jrc network show` with the 6LBR.",
    ),
    Success.RESENT: Remedy(
        "It asked once more with the same bytes and got the stored answer again.",
        "Once in a while this is loss; always, it means that answers don't reach the pledge: look"
        " at the Join Proxy's way back.",
    ),
    # Silence: nothing of the datagram can be trusted (RFC 9031 §7.3.2).
    Reason.TOO_LONG: Remedy("The datagram is longer than any Join Request.", _NO_PLEDGE),
    Reason.MULTICAST: Remedy(
        "The datagram was sent to a group.", "Give the Join Proxy the registrar's own address."
    ),
    Reason.MALFORMED_MESSAGE: Remedy("The datagram is no CoAP message.", _NO_PLEDGE),
    Reason.TOKEN_TOO_LONG: Remedy(
        "The token is longer than the 1,024 bytes that are sent back.",
        "Make the Join Proxy put less state into its token.",
    ),
    Reason.NOT_A_REQUEST: Remedy("The message is an answer, an ACK or a reset.", _NO_PLEDGE),
    Reason.UNPROTECTED: Remedy("The request has no OSCORE.", _FIRMWARE),
    Reason.OUTER_CODE: Remedy("The outer code is not POST.", _FIRMWARE),
    Reason.CRITICAL_OPTION: Remedy(
        "The message has a critical option that a Join Request doesn't have.", _FIRMWARE
    ),
    Reason.OBSERVE: Remedy("The message asks to observe.", _FIRMWARE),
    Reason.WRONG_HOST: Remedy(
        "The Uri-Host is not 6tisch.arpa.",
        "Set it to 6tisch.arpa in the firmware, or leave it out.",
    ),
    Reason.WRONG_SCHEME: Remedy(
        "The Proxy-Scheme is not coap.", "Set it to coap in the firmware, or leave it out."
    ),
    Reason.MALFORMED_OSCORE: Remedy("The OSCORE option can't be read.", _FIRMWARE),
    Reason.NO_PARTIAL_IV: Remedy("The OSCORE option has no Partial IV.", _FIRMWARE),
    Reason.NO_KID_CONTEXT: Remedy(
        "The OSCORE option has no kid context, so nobody can tell which pledge it is.",
        "Make the firmware send its pledge identifier as kid context (RFC 9031 §7.3).",
    ),
    Reason.KID_NOT_EMPTY: Remedy(
        "The kid is not empty, as a pledge's must be.",
        "Set the Sender ID to empty in the firmware.",
    ),
    Reason.UNKNOWN_CONTEXT: Remedy(
        "No pledge with this identifier is provisioned.",
        "Add it with `jrc pledge add`; if it is there already, compare the identifiers byte by"
        " byte, also in the other byte order.",
    ),
    Reason.BAD_TAG: Remedy(
        "The request does not verify: the pledge has another key, or somebody else uses its"
        " identifier.",
        "Compare the key in the device with the one that was imported (`jrc pledge show` says from"
        " where); after a new key, flash the device or import that key.",
    ),
    Reason.REPLAYED: Remedy(
        "The request's Partial IV was used before.",
        "Once in a while this is a late copy; always, it means that the device has forgotten its"
        " sequence number: make the firmware keep it in flash, or give the device a new key.",
    ),
    Reason.COPY_REFUSED: Remedy(
        "A copy of the last request came too late, after pledge or keys were changed, or while"
        " somebody sends hundreds of copies a second.",
        "Nothing: the next request gets an answer of its own.",
    ),
    Reason.MALFORMED_INNER: Remedy(
        "The request verified, and what is inside is no CoAP message.", _FIRMWARE
    ),
    Reason.IN_FLIGHT: Remedy("Another request of the pledge waits for its commit.", _WAIT),
    Reason.OVERLOADED: Remedy(
        "More requests wait for a commit than are taken.",
        "See that the disk is fast enough: `jrc doctor` measures it.",
    ),
    # Silence although the request verified.
    Reason.REVOKED: Remedy(
        "The pledge is revoked, or was replaced by another one.",
        "`jrc pledge restore` takes it back, if that is what you want.",
    ),
    Reason.AWAITING_APPROVAL: Remedy(
        "The network lets pledges in after approval, and this one was not approved yet.",
        "`jrc pledge approve` lets it in at its next request.",
    ),
    Reason.QUARANTINED: Remedy(
        "The pledge's OSCORE state may be an old copy, so that no answer is safe.",
        "Finish the recovery of the database; `jrc status` says where it is.",
    ),
    Reason.NOT_RECOVERABLE: Remedy(
        "What was received under the pledge's context is not known any more, and it can't do RFC"
        " 8613 App. B.2: no answer is safe.",
        "Give it a new key: `jrc pledge add ID --on-conflict replace`, and in the device.",
    ),
    Reason.DAMAGED_STATE: Remedy(
        "A row of the database that the answer needs does not authenticate.",
        "`jrc pledge show` says which. A replay window comes back by `jrc pledge recover`, anything"
        " else by `jrc pledge remove` and `add` with a new key."
        " Look for a failing disk.",
    ),
    Reason.DATABASE: Remedy(
        "The database could not be read or written.",
        "See the log, and whether the disk is full or broken.",
    ),
    # Silence of the Join Proxy (RFC 9031 §7.1).
    Reason.BLOCKLISTED: Remedy(
        "The Join Proxy drops requests of this pledge: it is on the network's blocklist.",
        "`jrc pledge restore` takes it off, if it is yours and was revoked by mistake.",
    ),
    Reason.JOIN_RATE: Remedy(
        "Join traffic came faster than the Join Proxy's join rate lets through.",
        "Nothing: pledges ask again by themselves; if many join at once, raise the join rate.",
    ),
    Reason.UNSAFE_OPTION: Remedy(
        "The message has an option that a proxy must understand and doesn't.", _PROXY
    ),
    Reason.NOT_A_RESPONSE: Remedy("What came from the registrar's address is no answer.", _PROXY),
    Reason.TOKEN_FORGED: Remedy("The token was not made by this proxy.", _PROXY),
    Reason.TOKEN_REPLAYED: Remedy("The answer to this token was passed on already.", _WAIT),
    Reason.TOKEN_STALE: Remedy(
        "The answer came so late that the proxy has forgotten the request.",
        "See how long the way to the registrar and its commits take.",
    ),
    Reason.SEND_FAILED: Remedy(
        "The datagram could not be sent.", "See the interface, its addresses and the routes."
    ),
    # Of what comes back for a Parameter Update (RFC 9031 §8.2, RFC 7252 §5.3.2).
    Reason.WRONG_PEER: Remedy(
        "The answer to a Parameter Update came from another address or port than was asked.",
        "See whether the node has several addresses, or something between translates them.",
    ),
    # Refused with a protected answer.
    Reason.BAD_OPTION: Remedy("The inner request has an unknown critical option.", _FIRMWARE),
    Reason.NOT_FOUND: Remedy("The inner request is not for the path j.", _FIRMWARE),
    Reason.METHOD: Remedy("The inner request is no POST.", _FIRMWARE),
    Reason.MALFORMED_OBJECT: Remedy(
        "The Join Request inside can't be decoded.", "See the firmware's CBOR; RFC 9031 §8.4.1."
    ),
    Reason.UNKNOWN_PARAMETER: Remedy(
        "The Join Request has a parameter that nobody has defined.",
        "See the firmware; RFC 9031 §11.1 has the labels.",
    ),
    Reason.UNKNOWN_ROLE: Remedy(
        "The Join Request asks for a role that doesn't exist.",
        "Make the firmware ask for role 0 (6LN) or 1 (6LBR).",
    ),
    Reason.UNKNOWN_NETWORK: Remedy(
        "It asked for a network that it may not join, or that doesn't exist.",
        "Compare the identifier in its beacons with `jrc network list`, also in the other byte"
        " order, and the pledge's networks in `jrc pledge show`.",
    ),
    Reason.WINDOW_CLOSED: Remedy(
        "The network lets new pledges in while a window is open, and none is.",
        "`jrc window open NETWORK --for 10m --max N`, and let the device ask again.",
    ),
    Reason.ROLE_NOT_GRANTED: Remedy(
        "It asked for the role of a 6LBR and is registered as a 6LN.",
        "If it is one: `jrc pledge add ID --role 6lbr --on-conflict replace` with its key.",
    ),
    Reason.KEYS_UNSUPPORTED: Remedy(
        "It has reported that it can't take link-layer keys, without which nobody is let in.",
        "Fix its firmware, then `jrc pledge clear-reports`. If it is a Join Proxy without a radio:"
        " `jrc pledge set ID --profile join-proxy`.",
    ),
    Reason.NO_KEYS: Remedy(
        "The network has no link-layer keys in force.",
        "See `jrc network show`; a rollover or a restore may not be finished.",
    ),
    Reason.NO_JRC_ADDRESS: Remedy(
        "The address that nodes are to reach the registrar at can't be told just now: it comes"
        " from an interface that is not there or has none.",
        "Bring the interface up, or give the address with `jrc network set --jrc-address`.",
    ),
    Reason.NO_SHORT_IDENTIFIER: Remedy(
        "No short identifier of the network's range is free.",
        "Widen it with `jrc network set --short-ids`, or retire keys by a rollover, which frees"
        " burned ones.",
    ),
    # Answered, to begin RFC 8613 App. B.2.
    Reason.RECOVERING: Remedy(
        "Its context was lost, and it was offered a new one (RFC 8613 App. B.2).",
        "Nothing, if it joins next. If it asks so again and again, its firmware knows no App. B.2:"
        " give it a new key.",
    ),
}
"""Complete: a test holds it against the lists of outcomes."""

NOTHING_HEARD = Remedy(
    "No request that names this identifier has come since the daemon started.",
    "It stops before the registrar: see the device's log, whether it hears beacons, the Join"
    " Proxy's join rate and blocklist, its route to the registrar, and firewalls on UDP 5683.",
)
"""For a pledge without attempts."""


def clock_behind(now_ms: int, seen_ms: int) -> Remedy | None:
    """What a clock means that is earlier than it was, both in ms since 1970; else None.

    Sender numbers follow the latest time that it ever showed (RFC 8613 App. B.1.1).
    """
    if now_ms >= seen_ms:
        return None
    return Remedy(
        f"The clock is {duration((seen_ms - now_ms + 999) // 1000)} behind the latest time that the"
        f" database has seen ({utc_text(seen_ms)}), so joined nodes are told nothing.",
        "If the clock is wrong, set it right: `timedatectl` shows it. If it is right and was ahead"
        " before, wait until that time: nodes are told again from then on by themselves, and"
        " whoever joins meanwhile gets the keys in force.",
    )
