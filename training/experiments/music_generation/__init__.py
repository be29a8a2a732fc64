"""Repeats the experiments of a diary about generating piano music, each as one configuration.

The diary is one of the documents that the project began from (FortsAndMills, MusicGeneration). Its first net is one
LSTM. Its nets predict the next sixteenth of both hands from the past ones, and write songs from nothing. They do not
accompany a player.
`python -m training seeds --family mg-NAME` runs them. The configurations are in setup.py.

In: songs on a grid of sixteenth steps.
Out: fitted nets, songs as MIDI files, figures of these songs, and pictures.
Begin at setup.py.
"""
