import numpy as np
from pair_folders import write_pairs

from srn_tf.media.images import write_image
from srn_tf.training.report import report, with_detail


def test_the_middle_third_of_each_image_is_enlarged_below_it():
    generator = np.random.default_rng(0)
    images = [generator.integers(0, 256, (60, 90, 3), np.uint8) for _ in range(3)]
    strip = with_detail(*images)
    assert strip.shape == (120, 270, 3)
    np.testing.assert_array_equal(strip[:60], np.hstack(images))
    # Enlarged three times, the middle one of three pixels is itself.
    middles = np.hstack([image[20:40, 30:60] for image in images])
    np.testing.assert_array_equal(strip[61::3, 1::3], middles)


def test_images_that_equal_the_truth_are_told_and_left_out_of_the_mean(tmp_path):
    pairs = write_pairs(tmp_path, [(16, 20)] * 3)
    write_image(pairs[0].blurred, np.zeros((16, 20, 3), np.uint8))
    write_image(pairs[0].sharp, np.zeros((16, 20, 3), np.uint8))
    _, blurred, deblurred = report(tmp_path, lambda image: image, pairs).splitlines()
    assert "inf" not in blurred
    assert "1 equal the truth" in blurred
    assert blurred.split()[1:] == deblurred.split()[1:]
    assert "-" in report(tmp_path, lambda image: image, pairs[:1])
