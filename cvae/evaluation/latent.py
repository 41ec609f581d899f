"""What z knows of the class: principal components, and a linear classifier.

z is represented by the mean of q(z | x, y). As q sees y, this does not say what could
be read off an image. It tests how far the aggregate posterior differs between classes:
not at all if z were style alone, as the prior, which is the same for all classes, has
it.
"""

from typing import Any, Dict, Tuple

import numpy as np

from cvae.evaluation.learning import scikit
from cvae.evaluation.summary import wilson

COMPONENTS = 2


def principal_components(z: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Return z `[n, d]` along its first two principal components, `[n, 2]`.

    With it come the shares of the variance that they have, `[2]`. A component that z
    does not have is 0.

    Raises:
        CvaeError: there is no scikit-learn.
    """
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
    """Return how well a linear classifier, trained on one half, tells y from z.

    The classifier is multinomial logistic regression on z `[n, d]`. "accuracy" is
    on the test images, with its 95 % interval "low" to "high" (Wilson 1927); "chance"
    is the accuracy of always naming the class that is most frequent in training.

    Raises:
        CvaeError: there is no scikit-learn.
    """
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
