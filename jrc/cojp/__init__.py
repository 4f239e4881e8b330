"""What RFC 9031 fixes, without I/O: objects, codecs, OSCORE, replay window."""
