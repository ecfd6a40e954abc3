"""Hardware profiles that this package adds."""
