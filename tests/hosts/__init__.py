"""Three hosts in network namespaces: pledges that have a link-local address alone, 6LBR, JRC."""
