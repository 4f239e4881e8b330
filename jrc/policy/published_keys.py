"""Keys that everybody can read: of standards, of the defaults of firmware, of leaks.

What a pattern or text gives away (``00112233...``, ``ZigBeeAlliance09``, ``deadbeefcafe...``) is
refused without a list (``credentials.weakness_of``), and is not in this one.
"""

_SOURCES = {
    "RFC 9031 Appendix A": ("e6bf4287c2d7618d6a9687445ffd33e6",),
    "RFC 8613 Appendix C": (
        "f0910ed7295e6ad4b54fc793154302ff",
        "ffb14e093c94c9cac9471648b4f98710",
        "321b26943253c7ffb6003b0b64d74041",
        "e57b5635815177cd679ab4bcec9d7dda",
        "af2a1300a5e95788b356336eeecd2b92",
        "e39a0c7c77b43f03b4b39ab9a268699f",
    ),
    "RFC 9529, a trace of EDHOC": ("f9868f6a3aca78a05d1485b35030b162",),
    "RFC 3610 §8": ("d7828d13b2b0bdc325a76236df93cc6b",),
    "NIST SP 800-38A, and the default of LoRaWAN stacks": ("2b7e151628aed2a6abf7158809cf4f3c",),
    "many an example": ("0123456789abcdeffedcba9876543210",),
    "the guides of OpenThread": (
        "dfd34f0f05cad978ec4e32b0413038ff",
        "c23a76e98f1a6483639b1ac1271e2e27",
    ),
    "the defaults of OpenThread": ("3aa55f91ca47d1e4e71a08cb35e91591",),
    "the defaults of ESP-IDF": ("104810e2315100afd6bc9215a6bfac53",),
    "the defaults of RIOT": (b"pizza_margherita".hex(),),
    "the defaults of Zigbee coordinators": ("01030507090b0d0f00020406080a0c0d",),
    "the leaked keys of Zigbee Light Link": (
        "9f5595f10257c8a469cbf42bc93fee31",
        "814286865dc1c8b2c8cbc52e5d65d1b8",
    ),
    "the default join keys of WirelessHART devices": (
        "e090d6e2dadace94c7e9c8d1e781d5ed",
        "24924760000000000000000000000000",
        "456e6472657373202b20486175736572",
    ),
    "the examples of wisun-br-linux": (
        "bb0608572ce14d7ba2d155499cc8519b",
        "a14166c25bb3f8f6c903c4f983886880",
        "1849835a01684fc8aca583f37040f74c",
        "c215706cbc81219d987c6e4aee1cc2a0",
    ),
    "the sample data of Bluetooth mesh": (
        "7dd7364cd842ad18c17c2b820c84c3d6",
        "63964771734fbd76e3b40519d1d94a48",
        "9d6dd0e96eb25dc19a40ed9914f8f03f",
    ),
}

PUBLISHED_KEYS = {
    bytes.fromhex(text): source for source, texts in _SOURCES.items() for text in texts
}
"""Where each of them can be read."""
