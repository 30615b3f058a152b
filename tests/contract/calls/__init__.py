"""Calls as users write them, in the syntax of Python 3.9: each file is a group.

A file may say in which ways its code comes to be here; see `running.Group`.
"""
