"""Keys travel from the builder to the registrar in one sealed file (docs/handover.md).

A COSE_Sign1 of the builder is round a COSE_Encrypt to the registrar (RFC 9052); what both
authenticate names the two. Nothing here needs a daemon, a config or a database. pycose lives here
and is imported where it is used, as it takes long to load.
"""
