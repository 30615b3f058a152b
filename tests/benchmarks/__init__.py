"""How fast Interstate is, beside what others do in the same run on the same machine.

    python -m tests.benchmarks                     all rows, as a table
    python -m tests.benchmarks --only no-op-rate   that row alone; may be repeated
    python -m tests.benchmarks --json              the same as JSON, or --markdown
    python -m tests.benchmarks --peers PYTHON      with the peers that this Python has installed

Each row is a function that takes the Place and returns a Row.  Our turns and the peers' alternate,
and a ratio is the median of the ratios of the turns: on a busy machine all are slow together.  A
peer is a process of its own (`peers/`); what needs a fresh process of ours is in a child (`child`).
Nothing here is asserted: a row says what was asked for, and whether it was reached.
"""
