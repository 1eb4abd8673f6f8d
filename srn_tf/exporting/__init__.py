"""Networks for programs without this package.

graph.py     deblurring as one TensorFlow graph: the signature, SavedModel, ONNX, TFLite
formats.py   the folder that is written, its README, and the comparison with Keras
"""
