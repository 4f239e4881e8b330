"""A join registrar (JRC) for 6TiSCH and other IEEE 802.15.4 networks: RFC 9031, CoJP."""

__version__ = "0.1.0"
