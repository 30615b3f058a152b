"""The contract: calls that any Python over there must take, and what must come of them.

asking.py    how a call says what is to come of it
calls/       the calls, as users write them, in groups; `later/` has those in newer syntax
ways.py      how the code of a group comes to be here: a script, a module, a notebook's cell ...
running.py   every call of every group, on a host
page.py      docs/versions_matrix.md
"""
