"""Makes the recordings that the transcriber is trained on.

In: pieces and note banks.
Out: scenes: features as they would reach the box, and labels.
Begin at scene.py.
"""
