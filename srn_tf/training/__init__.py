"""Training: Eq. 3, Sec. 4, and what a long run needs.

configuration.py   what shapes the weights, and what may change from call to call
presets.py         from given values to a whole configuration
losses.py          the losses of each scale (Eq. 3)
step.py            one training step: gradients, the clip norm, the optimizer
devices.py         GPUs and workers
callbacks.py       checkpoints, log, validation
interruptions.py   signals and errors: what is saved and what is said
report.py          scores, picture and curves at the end
run.py             a run from its configuration to its report
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "configuration": ["RunOptions", "TrainingConfig"],
        "presets": ["configured"],
        "run": ["train"],
    },
)
