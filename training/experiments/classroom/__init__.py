"""The class-room experiment sorts short sounds into a few classes, for example silence, C, E and G.

It compares an ensemble of small nets with older methods. In one phase, a net chooses among all classes. In two phases,
one net finds silence and another one names the note. One of the documents that the project began from asks for it: a
confusion matrix, how reliable each class is, one phase against two, MFCC, linear prediction, k nearest neighbours, and
UMAP. `python -m training notes --action classes` and `--action umap` run it.

In: short sounds of one note or of silence, which `sounds.py` computes from sine partials.
Out: figures, and a page with pictures.
Begin at classes.py.
"""
