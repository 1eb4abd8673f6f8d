"""The experiments of the paper, and the measurements that documents of this project quote.

Commands, each making one table or figure:

ablation.py     Table 1: ten networks trained alike
comparison.py   Table 2 and Fig. 5: beside other methods
scales.py       Fig. 4: one, two and three scales
choices.py      Sec. 3.1 and 3.3: cells, operators between scales, losses
starter.py      the starter weights: pairs, training, file
model_card.py   their scores
benchmark.py    how fast the parts are

What they share:

runs.py         networks trained alike and scored, resumable
table1.py, section3.py, speed.py   rows and captions of ablation, choices and benchmark
complexity.py   GFLOPs of a network
tables.py, pictures.py   how tables and strips of pictures are written
"""

import srn_tf  # noqa: F401  (its defaults must stand before TensorFlow is imported)
