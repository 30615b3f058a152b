"""Calls in newer syntax: a file is read by those Pythons only that know it."""
