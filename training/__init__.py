"""Everything that happens on the workstation before the export: data, fits and figures.

The rooms in the order in which data passes through them: `corpora` and `pianos` -> `scenes` -> `transcriber` and
`accompanist` -> `hearing_figures` and `playing_figures`. `experiments` holds earlier models and the attempts that led
to the present ones. No other room imports it.
"""
