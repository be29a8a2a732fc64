"""Converts a Keras step model to an int8 .tflite file, and checks that both have nearly the same outputs.

In: a float model, and inputs from real music.
Out: the .tflite file, and the differences between its outputs and those of the float model.
Begin at convert.py.
"""
