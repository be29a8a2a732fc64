"""A net that writes music in the style of Bach's chorales, one note, chord or rest at a time.

One of the documents that the project began from describes it: an embedding, three small LSTMs with dropout, and a large
linear output. `python -m training seeds --action corpus` and `--family bach` run it.

In: the chorales of music21's corpus.
Out: figures and pictures of the corpus, a fitted net, and a MIDI file that the net has written.
Begin at corpus.py.
"""
