"""Networks for programs without this package.

formats.py   the kinds of export: their files, examples and README
graph.py     deblurring as one TensorFlow graph: the signature, SavedModel, ONNX, TFLite
folder.py    the folder that is written, and the comparison with Keras
"""
