"""What every test shares: property tests without deadlines, since the machine may be busy."""

from hypothesis import settings

settings.register_profile("jrc", deadline=None, print_blob=True)
settings.load_profile("jrc")
