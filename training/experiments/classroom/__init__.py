"""A class-room experiment: which of a few classes (silence, C, E, G) is heard, by a small net and by older methods.

One of the documents that the project began from asks for it: a confusion matrix, how reliable each class is, one phase
against two, MFCC, linear prediction, k nearest neighbours, and UMAP.

`python -m training notes --action classes` and `--action umap` run it.

In: short sounds of one note or of silence, which `sounds.py` computes from sine partials.
Out: figures, and a page with pictures.
Begin at classes.py.
"""
