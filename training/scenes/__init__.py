"""Makes the recordings that the transcriber is trained on.

In: pieces and note banks.
Out: scenes. A scene holds sound features as the box would compute them, and the labels of its notes.
Begin at scene.py.
"""
