"""How long things take beside the peers a user would pick instead.

Rows are modules with ``races(*, quick) -> Iterator[Race]``; see ``base`` for how a race
is run and ``table`` for which rows there are.
"""
