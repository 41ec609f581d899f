"""A data set as a run takes it: fitting the settings, binarized as they say."""

import dataclasses
from pathlib import Path
from typing import Optional, Tuple

import numpy as np

from cvae.config import Config
from cvae.data.binarize import TEST_BITS_SEED, TRAIN_BITS_SEED, binarize
from cvae.data.checks import check_dataset
from cvae.data.dataset import Dataset, Split
from cvae.data.load import load

THRESHOLD = 128  # intensities from here on are 1


def load_and_fit(
    config: Config, mnist_dir: Optional[Path] = None, side: Optional[int] = None
) -> Tuple[Dataset, Config]:
    """Return the data that a new run with `config` names, and `config` for them.

    Arguments and errors are those of `cvae.data.load.load`.
    """
    options = config.test_share, config.class_names
    dataset = load(config.dataset, mnist_dir, side, *options)
    return dataset, fitted(config, dataset)


def fitted(config: Config, dataset: Dataset) -> Config:
    """Return `config` with the size and the number of classes of `dataset`.

    Raises:
        CvaeError: the network takes no such images, or the model would be too large.
    """
    return dataclasses.replace(
        config,
        dataset=dataset.path or dataset.name,
        n_classes=dataset.n_classes,
        x_dim=dataset.train.images.shape[1],
    )


def prepared(dataset: Dataset, config: Config) -> Dataset:
    """Return `dataset` for a run with `config`, binarized once unless dynamically.

    Images that are binarized have only the intensities 0 and 255, of which later draws
    give the same bits.

    Raises:
        CvaeError: a model with these settings cannot take the data.
    """
    check_dataset(dataset, config.n_classes, config.x_dim)
    splits = dataset.train, dataset.test
    if config.binarize == "dynamic":
        return dataset
    if config.binarize == "static":
        seeds = TRAIN_BITS_SEED, TEST_BITS_SEED
        bits = [binarize(split.images, seed) for split, seed in zip(splits, seeds)]
    else:
        bits = [(split.images >= THRESHOLD).astype(np.uint8) for split in splits]
    train, test = (Split(255 * b, split.labels) for b, split in zip(bits, splits))
    return dataset._replace(train=train, test=test)
