"""Scoring as the papers did.

metrics.py       PSNR, the SSIMs, Köhler's PSNR and MSSIM: uint8 arrays in, numbers out
registration.py  RealBlur's PSNR and SSIM, after registration
protocol.py      how a test set is found on the disk and scored
kohler.py        Köhler's benchmark
datasets.py      the table of test sets: GoPro, Köhler, HIDE, RealBlur, REDS
checking.py      checks a download of one
predictions.py   finds anybody's predictions in a folder
scoring.py       scores a network, or such a folder, on a test set; resumes
results.py       results.csv, summary.json and the tables
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={"metrics": ["kohler_scores", "psnr", "ssim", "ssim_matlab"]}
)
