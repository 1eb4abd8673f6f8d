"""Scoring as the papers did.

metrics.py      PSNR, the SSIMs, Köhler's PSNR and MSSIM: uint8 arrays in, numbers out
kohler.py       finding and reading Köhler's benchmark
benchmarks.py   what is scored against what: paired test images, or Köhler's benchmark
scoring.py      deblurs (or takes anybody's predictions), scores, resumes
score_log.py    what an interrupted evaluation has done already
results.py      results.csv, summary.json and the tables
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={"metrics": ["kohler_scores", "psnr", "ssim", "ssim_matlab"]}
)
