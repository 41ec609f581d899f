"""Analyze how z depends on the class: principal components and a linear classifier.

z is represented by the mean of q(z | x, y). As q depends on y, the result is not the
information that an image has about its class. It shows how much the aggregate posterior
differs between classes. In the prior, z is independent of the class.
"""

from typing import Any, Dict, Tuple

import numpy as np

from cvae.data.checks import check_labels, check_z
from cvae.evaluation.learning import scikit
from cvae.evaluation.summary import wilson

COMPONENTS = 2


def principal_components(z: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Return the first two principal components of z `[n, d]`, `[n, 2]`.

    The second array holds their shares of the variance, `[2]`. A component that z does
    not have is 0.

    Raises:
        CvaeError: z is not a matrix of finite numbers, or scikit-learn is missing.
    """
    check_z(z, len(np.atleast_1d(z)), None)
    points, explained = np.zeros((len(z), COMPONENTS)), np.zeros(COMPONENTS)
    n = min(COMPONENTS, *z.shape)
    if z.std(0).any():
        pca = scikit("decomposition").PCA(n, svd_solver="full")
        points[:, :n] = pca.fit_transform(z.astype(np.float64))
        explained[:n] = pca.explained_variance_ratio_
    return points, explained


def linear_probe(
    train_z: np.ndarray,
    train_labels: np.ndarray,
    test_z: np.ndarray,
    test_labels: np.ndarray,
) -> Dict[str, Any]:
    """Return the accuracy with which a linear classifier predicts y from z.

    The classifier is multinomial logistic regression on z `[n, d]`. "accuracy" is that
    on the test images, with its 95 % interval "low" to "high" (Wilson 1927). "chance"
    is the accuracy of a constant prediction, the most frequent class in training.

    Raises:
        CvaeError: an array is empty, of another shape or not finite, or scikit-learn is
            missing.
    """
    check_labels(train_labels, None, 2**31, "training labels")
    check_labels(test_labels, None, 2**31, "test labels")
    check_z(train_z, len(train_labels), None)
    check_z(test_z, len(test_labels), train_z.shape[1])
    classes, counts = np.unique(train_labels, return_counts=True)
    constant = np.full(len(test_labels), classes[counts.argmax()])
    predicted = constant
    if len(classes) > 1:
        model = scikit("linear_model").LogisticRegression(max_iter=1000)
        model.fit(train_z.astype(np.float64), train_labels)
        predicted = model.predict(test_z.astype(np.float64))
    right = int((predicted == test_labels).sum())
    low, high = wilson(right, len(test_labels))
    return {
        "accuracy": right / len(test_labels),
        "low": low,
        "high": high,
        "chance": float((constant == test_labels).mean()),
        "n_train": len(train_labels),
        "n_test": len(test_labels),
    }
