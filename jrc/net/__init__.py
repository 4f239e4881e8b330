"""The operating system's network: addresses, interfaces, link-layer keys of a local radio."""
