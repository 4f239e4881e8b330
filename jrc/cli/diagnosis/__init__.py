"""What ``jrc doctor`` looks at: small checks in the order of cause and effect."""
