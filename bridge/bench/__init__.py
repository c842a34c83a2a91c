"""Instruments: what this machine does, measured. Each prints a table; none judges."""
