"""Training: Eq. 3, Sec. 4, and what a long run needs.

configuration.py   what shapes the weights, and what may change from call to call
presets.py         from given values to a whole configuration
losses.py          the losses of each scale (Eq. 3)
adversarial.py     the discriminator, and the losses of both sides
optimizer.py       Adam and the decay of the learning rate
step.py            one training step: crop, gradients, the clip norm, the update
devices.py         GPUs and workers
splits.py          which pairs are trained on, validated on, reported on
beginning.py       the weights and states at the start, or after a resume
identity.py        whether a run folder belongs to the run that is asked for
callbacks.py       checks, log, checkpoints, the end on a signal
validation.py      whole images while training; the best checkpoint
data_wait.py       how long training waits for its data
interruptions.py   errors: what is saved and what is said
report.py          scores, picture and curves at the end
run.py             a run: opened, fitted, reported
dry_run.py         a trial of it, and what it predicts
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
