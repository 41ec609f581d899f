"""The small model, its weights and the images that tests of inference share."""

import pytest
import tiny

from cvae.data.binarize import binarize
from cvae.inference.trained import Model


@pytest.fixture(scope="module")
def weights():
    return tiny.random_weights(tiny.shapes(tiny.UNTRAINED))


@pytest.fixture(scope="module")
def model(weights):
    with Model(tiny.UNTRAINED, weights) as model:
        yield model


@pytest.fixture(scope="module")
def images(mnist):
    split = tiny.dataset(mnist, n_test=620).test
    return binarize(split.images), split.labels
