"""The names of the caches of decoded images, apart from what needs TensorFlow."""

CACHES = ("none", "disk", "device")
