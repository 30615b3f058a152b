"""The fidelity table: what comes back when a call raises, from Interstate and from its peers.

    shapes/        what is raised: the rows
    situations.py  where it is defined, here and there: the columns
    describe.py    an exception in plain data
    compare.py     what was raised beside what came back
    runners.py     who makes the calls; running.py makes them
    child.py       the process of one situation; children.py starts them
    page.py        docs/fidelity.md

`tests/test_fidelity.py` runs our cells.
"""
