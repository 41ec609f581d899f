"""The report describes the networks, the optimizer and the length of its run."""

import pytest
import standin
from standin import estimate, measurements

from cvae.config import Config
from cvae.report import method


def config(**changes):
    return Config(**changes).to_dict()


def optimization(last=None, **changes):
    found = measurements(config=Config(**{"epochs": 70.0, **changes}))
    found["last"].update(last or {})
    return method.optimization(found)


def test_dense_networks_are_described_with_their_sizes():
    text = method.networks(config(hidden=(50, 60, 70), film=False))
    assert "fully connected" in text and "log-odds" in text and "scales" not in text
    assert "hidden layers of 50, 60 and 70 units" in text  # the encoder
    assert "hidden layers of 70, 60 and 50 units" in text  # the decoder
    assert "scales and shifts each unit" in method.networks(config(film=True))


@pytest.mark.parametrize("film", [False, True])
def test_convolutional_networks_are_described_with_their_sizes(film):
    settings = dict(network="conv", hidden=(300,), channels=(16, 24), blocks=2)
    text = method.networks(config(film=film, **settings))
    for phrase in (
        "2 times, by convolutions of stride 2, to 16 feature maps of $14 times 14$ and "
        "24 feature maps of $7 times 7$",
        "2 residual blocks follow: each adds",
        "a hidden layer of 300 units",
        'every feature map #by("film")',
    ):
        assert phrase in text
    assert ("units, which the class scales" in text) == film
    assert "log-odds" not in text and "padded" not in text


def test_a_side_that_convolutions_cannot_halve_is_padded():
    text = method.networks(config(network="conv", channels=(16, 24), x_dim=30 * 30))
    assert "16 feature maps of $16 times 16$ and 24 feature maps of $8 times 8$" in text
    assert "padded with zeros to $32 times 32$ pixels" in text
    assert "to 900 logits. The image is padded" in text


@pytest.mark.parametrize(
    "changes, phrase",
    [
        (dict(optimizer="muon"), "Kernels whose shorter side is 16 to 128 are trained"),
        (dict(optimizer="adam"), 'All weights are trained by Adam #by("adam").'),
        (dict(warmup=700), "Over the first 700 steps, it rises linearly"),
        (dict(weight_decay=0.07), "shrinks the kernels, but not the biases, by $0.07 "),
        (dict(iwae_share=0.3, iwae_particles=7), "In the last 30\u202f% of the steps"),
        (dict(schedule="constant"), "The learning rate is constant"),
        (dict(average=0.0), "without a moving average"),
        (dict(average=0.99), "After 1,024 steps it is updated only at every 16th"),
        (dict(validate=True), "training images held out for this purpose"),
        (dict(epochs=None), "as many as the time budget allowed"),
        (dict(beta=4.0), "the KL divergence has the weight $4$ in it. All bounds"),
        (dict(beta_warmup=0.2), "rises in the first 20\u202f% of the steps"),
        (dict(origin="/some/run"), "weights started from those of another run"),
        (dict(continued=(5000, 7000)), "further, from step 5,000 and 7,000 on"),
    ],
)
def test_what_was_done_is_described_where_it_was_done(changes, phrase):
    assert phrase in optimization(**changes)
    plain = dict(
        optimizer="muon" if changes.get("optimizer") == "adam" else "adam",
        warmup=0,
        weight_decay=0.0,
        average=0.0 if changes.get("average") else 0.99,
    )
    if "average" in changes and not changes["average"]:
        plain["average"] = 0.99
    assert phrase not in optimization(**plain)


@pytest.mark.parametrize(
    "how, phrases",
    [
        ("dynamic", ["drawn again at every visit", "fixed seed 20210501"]),
        ("static", ["bits of the training images are drawn once", "fixed seed"]),
        ("threshold", ["at least 128", "and in the 10,000 test images"]),
    ],
)
def test_binarization_is_described_as_it_was(how, phrases):
    text = method.binarization(measurements(config=Config(binarize=how)))
    assert all(phrase in text for phrase in phrases)
    assert ("drawn again" in text) == (how == "dynamic")


def test_a_run_that_its_time_budget_shortened_is_described():
    text = optimization({"epoch": 41.5})
    assert "16,407 steps in 9.7 minutes: 41.5 passes" in text
    assert "The 70.0 passes of its settings did not fit" in text
    assert "did not fit" not in optimization()


def test_the_score_is_omitted_or_kept():
    assert "We omit it" in method.score(config(path_derivative=True))
    assert "We keep it" in method.score(config(path_derivative=False))


def test_only_checked_likelihoods_are_from_above():
    assert "from above" in method.estimating(True)
    assert "from above" not in method.estimating(False)


@pytest.mark.parametrize("particles, more", [(5000, False), (10000, True)])
def test_near_ties_are_described_where_more_particles_decide_them(particles, more):
    found = dict(standin.evaluation()["classifier"], particles=particles)
    measured = {"classifier": found, "marginal": estimate(-84.7, 0.2, particles=5000)}
    text = method.close_calls(measured, 4.0)
    assert bool(text) == more
    assert not more or "once more with 10,000 particles" in text


def test_the_software_is_named():
    versions = measurements()["versions"]
    assert method.software(versions).endswith("1.18.5, cvae.zs in place of ZhuSuan")
    real = dict(versions, zhusuan="ZhuSuan 0.4.0")
    assert method.software(real).endswith("1.18.5, ZhuSuan 0.4.0")


def test_works_are_left_out_where_their_method_is_not_used():
    plain = config(network="mlp", film=False, activation="relu", optimizer="adam")
    plain["weight_decay"] = 0.0
    works = {*method.OPTIONAL_WORKS, *method.WORKS_OF_CHECKS}
    found = dict(measurements(), config=plain)
    assert set(method.left_out(found)) == works
    full = config(network="conv", optimizer="muon", weight_decay=0.1)
    assert not method.left_out(dict(measurements(**standin.checks()), config=full))
    others = dict(found, data=standin.data("shapes"))
    assert set(method.left_out(others)) == works | {"mnist"}
