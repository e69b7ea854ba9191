"""Settings with which nbgrader takes the masters of zswaplab's exercises: copy this file into your course's folder."""

c = get_config()  # noqa: F821 (nbgrader has it)
c.ClearSolutions.code_stub = {"python": ""}  # what is to be filled in stands before the solution
c.Execute.timeout = 60  # seconds of a cell: an answer without end loses its own points
