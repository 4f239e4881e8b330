"""What RFC 9031 leaves to the registrar, without I/O: admission, leases, addresses, keys."""
