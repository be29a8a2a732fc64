"""Converts a Keras step model to an int8 .tflite file, and proves that both answer alike.

In: a float model, and inputs that it was really given.
Out: the .tflite file, and how far its answers differ.
Begin at convert.py.
"""
