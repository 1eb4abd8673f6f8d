"""Training: Eq. 3, Sec. 4, and what a long run needs.

configuration.py   what shapes the weights, and what may change from call to call
presets.py         from given values to a whole configuration
recipe.py          losses and schedules by name
losses.py          the losses of each scale (Eq. 3)
adversarial.py     the discriminator, and the losses of both sides
optimizer.py       Adam, the learning rate, the loss scale of float16
step.py            one training step: losses, gradients, the clip norm, the update
loop.py            the loop over steps, and what ends it
log.py             log lines, metrics.csv, TensorBoard
run.py             a run in its folder: its data, where it starts or resumes
record.py          what config.json records of a run, compared with what is asked for
validation.py      whole images while training; the best checkpoint
devices.py         GPUs and workers
report.py          scores, picture and curves at the end
dry_run.py         a trial of a run, and what it predicts
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "configuration": ["RunOptions", "TrainingConfig"],
        "loop": ["train"],
        "presets": ["configured"],
    },
)
