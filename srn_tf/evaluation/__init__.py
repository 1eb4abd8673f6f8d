"""Scoring as the papers did.

metrics.py       PSNR, the SSIMs, Köhler's PSNR and MSSIM: uint8 arrays in, numbers out
registration.py  RealBlur's PSNR and SSIM, after registration
names.py         the benchmarks by name
benchmarks.py    what a benchmark is; paired test images such as GoPro's
kohler.py        Köhler's benchmark
hide.py          HIDE
realblur.py      RealBlur-J and -R
reds.py          REDS
predictions.py   finds anybody's predictions in a folder
sources.py       what makes predictions: a network, or such a folder
scoring.py       scores a source on a benchmark, resumes
score_log.py     what an interrupted evaluation has done already
results.py       results.csv, summary.json and the tables
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={"metrics": ["kohler_scores", "psnr", "ssim", "ssim_matlab"]}
)
