"""Everything that happens on the workstation before the export: data, fits and figures.

The rooms follow the way of the data: `corpora` and `pianos` -> `scenes` -> `transcriber` and `accompanist` ->
`hearing_figures` and `playing_figures`. What the models began from is in `experiments`, which no other room imports.
"""
