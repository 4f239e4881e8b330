"""Datagram endpoints of the JRC and of the Join Proxy."""
