import numpy as np

from srn_tf.training.report import with_detail


def test_the_middle_third_of_each_image_is_enlarged_below_it():
    generator = np.random.default_rng(0)
    images = [generator.integers(0, 256, (60, 90, 3), np.uint8) for _ in range(3)]
    strip = with_detail(*images)
    assert strip.shape == (120, 270, 3)
    np.testing.assert_array_equal(strip[:60], np.hstack(images))
    # Enlarged three times, the middle one of three pixels is itself.
    middles = np.hstack([image[20:40, 30:60] for image in images])
    np.testing.assert_array_equal(strip[61::3, 1::3], middles)
