"""The experiments of the paper, and the measurements that documents of this project quote.

ablation.py     Table 1: ten networks trained alike
comparison.py   Table 2 and Fig. 5: beside other methods
scales.py       Fig. 4: one, two and three scales
choices.py      Sec. 3.1 and 3.3: cells, operators between scales, losses
starter.py      the starter weights: pairs, training, file
model_card.py   their scores
inference_speed.py  the seconds of an image, here and in ONNX Runtime and OpenVINO
data_speed.py   the pairs per second of each source of the training data
runs.py         shared: networks trained alike and scored, resumable
report.py       shared: tables, captions, strips of pictures, GFLOPs
"""

import srn_tf  # noqa: F401  (its defaults must stand before TensorFlow is imported)
