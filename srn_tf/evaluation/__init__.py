"""Scoring whole benchmarks as the papers did; `srn_tf.metrics` holds the metrics themselves.

benchmarks.py   what is scored against what: paired test images, or Köhler's benchmark
kohler.py       finding and reading Köhler's benchmark
evaluator.py    deblurs (or takes anybody's predictions), scores, resumes
score_log.py    what an interrupted evaluation has done already
results.py      results.csv, summary.json and the tables
"""
