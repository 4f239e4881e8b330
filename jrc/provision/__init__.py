"""What happens on the builder's machine: keys are made, and written in the forms that builds take.

Nothing here needs a registrar: no daemon, no config, no database.
"""
