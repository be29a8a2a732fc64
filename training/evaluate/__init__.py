"""The command `training evaluate`, which prints the figures that the documents state.

In: a bundle, the prepared data and the options of the command.
Out: tables in Markdown, and the same figures as JSON.
Begin at evaluate.py.
"""
