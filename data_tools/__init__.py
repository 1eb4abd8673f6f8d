"""Tools that make and check data folders; nothing in `srn_tf` imports them."""

import srn_tf  # noqa: F401  (its defaults must stand before TensorFlow is imported)
