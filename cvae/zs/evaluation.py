"""Estimates of the marginal likelihood."""

import tensorflow.compat.v1 as tf

from cvae.zs.variational import ImportanceWeightedObjective

__all__ = ["is_loglikelihood"]


def is_loglikelihood(
    meta_bn, observed, latent=None, axis=None, proposal=None
) -> tf.Tensor:
    """Estimate log p(observed) in nats by importance sampling.

    It is the log of the mean importance weight over `axis`: in expectation a lower
    bound, which more samples tighten (Burda et al. 2016, equation 8 and theorem 1).

    Args:
        meta_bn: a `MetaBayesianNet`, or a function of a dict of all node values.
        observed: values of observed nodes, by name.
        latent: (sample, log q) of latent nodes, by name.
        axis: particle axis of the log-probabilities, required.
        proposal: a `BayesianNet` whose stochastic nodes that are not observed are the
            latents; exactly one of it and `latent`.

    Raises:
        ValueError: no `axis`; both or neither of `latent` and `proposal`.
        TypeError: `proposal` is not a `BayesianNet`.
    """
    return ImportanceWeightedObjective(meta_bn, observed, latent, axis, proposal).tensor
