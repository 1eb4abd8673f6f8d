"""Scale-recurrent Network for Deep Image Deblurring (Tao et al., CVPR 2018) in TensorFlow 2.

Importing the package has one side effect, on purpose. Three environment variables that TensorFlow
and OpenCV read when they are imported get a default here, before; your own settings win:

- oneDNN's convolutions are turned on. TensorFlow leaves them off on older CPUs, although they make
  training 1.5 times faster there.
- TensorFlow says errors only. What a run computes on is said by the commands themselves;
  TF_CPP_MIN_LOG_LEVEL=0 shows everything.
- OpenCV's warnings about broken files are turned off: the commands name such files themselves.
"""

import os

__version__ = "0.2.0"

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
