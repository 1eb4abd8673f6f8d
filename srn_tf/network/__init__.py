"""The scale-recurrent network: Sec. 3 of the paper, and what each row of its Table 1 is.

variants.py        the networks of the paper: one frozen dataclass, one table
layers.py          the blocks of Fig. 3: InBlock, EBlock, DBlock, OutBlock
recurrent.py       the bottleneck that carries a state from scale to scale
resize.py          bilinear halving and doubling
upsampling.py      what enlarges image and state from scale to scale
model.py           the loop over scales (Fig. 3, Eq. 1 and 2)
initialisation.py  a start for short schedules: the network that returns its input
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={"model": ["build_model"], "variants": ["VARIANTS", "Variant", "get_variant"]},
)
