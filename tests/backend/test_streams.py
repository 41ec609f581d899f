"""NumPy's draws depend on (seed, purpose, image, class) and on nothing else."""

import numpy as np
import pytest

from cvae.backend import streams
from cvae.errors import CvaeError


def test_a_stream_is_that_of_a_keyed_philox_generator():
    found = streams.stream(7, "likelihood", 12, (3, 10)).standard_normal(5)
    purposes = len(streams.STREAMS)
    number = (12 * 10 + 3) * purposes + streams.STREAMS.index("likelihood")
    bits = np.random.Philox(key=np.array([7, number], np.uint64))
    expected = np.random.RandomState(bits).standard_normal(5)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("n_classes", [1, 10, 1000])
def test_seeds_purposes_images_and_classes_have_streams_of_their_own(n_classes):
    found = [
        streams.stream(seed, purpose, image, (c, n_classes)).random_sample()
        for seed in (0, 1, 2**31)
        for purpose in streams.STREAMS
        for image in (0, 1, 10**6)
        for c in {0, n_classes // 2, n_classes - 1}
    ]
    assert len(set(found)) == len(found)


def test_no_two_purposes_share_a_name():
    assert len(set(streams.STREAMS)) == len(streams.STREAMS)


@pytest.mark.parametrize("index, place", [(-1, (0, 10)), (0, (10, 10)), (0, (-1, 10))])
def test_a_stream_that_is_not_there_is_one_line(index, place):
    with pytest.raises(CvaeError, match="no random numbers") as error:
        streams.stream(0, "pilot", index, place)
    assert "\n" not in str(error.value)
