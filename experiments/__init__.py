"""One file per table or figure of the paper, and the speed benchmark."""

import srn_tf  # noqa: F401  (its defaults must stand before TensorFlow is imported)
