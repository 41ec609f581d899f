"""What the report writes of a run's networks, optimizer and estimates.

Sentences are in typst's markup; report/common.typ has the symbols, and `by`, which
cites.
"""

from typing import Any, Dict, List

from cvae.config import Config
from cvae.data.prepare import THRESHOLD
from cvae.report.likelihood import has_checks, slack
from cvae.report.numbers import (
    duration,
    listed,
    number,
    percent,
    setting,
    whole,
)
from cvae.report.words import is_mnist

# Works that are cited only where their method is used.
OPTIONAL_WORKS = {
    "resnet": lambda config: config["network"] == "conv",
    "film": lambda config: config["network"] == "conv" or config["film"],
    "adamw": lambda config: config["weight_decay"] > 0,
    "muon": lambda config: config["optimizer"] == "muon",
    "moonlight": lambda config: config["optimizer"] == "muon",
    "swish": lambda config: config["activation"] == "swish",
}


WORKS_OF_CHECKS = ["cotter", "grosse", "murray"]


def left_out(found: Dict[str, Any]) -> List[str]:
    """Return the keys of the works that the report on results.json does not cite."""
    config, measured = found["config"], found["evaluation"]
    unused = [key for key, used in OPTIONAL_WORKS.items() if not used(config)]
    if not has_checks(measured):
        unused += WORKS_OF_CHECKS
    if not is_mnist(found["data"]):
        unused += ["mnist"] + (["iaf"] if slack(measured) <= 0 else [])
    return unused


def sentences(found: Dict[str, Any]) -> Dict[str, str]:
    """Return the sentences on how the run of results.json was made, by name."""
    config, measured = found["config"], found["evaluation"]
    return {
        "score": score(config),
        "networks": networks(config),
        "binarization": binarization(found),
        "draw_of_bits": f"{config['binarize']} binarization",
        "optimization": optimization(found),
        "software": software(found["versions"]),
        "estimating": estimating(has_checks(measured)),
        "close_calls": close_calls(measured, found["importance"]["close"]),
        "held_out": "Validation" if config["validate"] else "Test",
    }


def score(config: Dict[str, Any]) -> str:
    """Return what happens to the score term of the gradient."""
    if config["path_derivative"]:
        return (
            'We omit it #by("roeder"): the estimate remains unbiased, and its variance '
            "vanishes where $q$ matches the posterior."
        )
    return (
        "We keep it, as in the original estimator; without it, the estimate would be "
        'unbiased as well #by("roeder").'
    )


def networks(config: Dict[str, Any]) -> str:
    """Return a description of encoder and decoder."""
    return _convolutions(config) if config["network"] == "conv" else _dense(config)


def _convolutions(config):
    hidden, channels, blocks = config["hidden"], config["channels"], config["blocks"]
    settings = Config.from_dict(config)
    side, padding = settings.padded_side, ""
    if side > settings.side:
        padding = (
            f" The image is padded with zeros to ${side} times {side}$ pixels, and the "
            "decoder's output is cut to the image, so that the padding has no "
            "likelihood."
        )
    sides = [side // 2**n for n in range(1, len(channels) + 1)]
    maps = [f"{c} feature maps of ${s} times {s}$" for c, s in zip(channels, sides)]
    times = f"{len(maps)} times, " if len(maps) > 1 else ""
    follow = "a residual block follows: it adds"
    if blocks > 1:
        follow = f"{blocks} residual blocks follow: each adds"
    film = ", which the class scales and shifts as well," if config["film"] else ""
    return (
        'Encoder and decoder are residual convolutional networks #by("resnet"). The '
        f"encoder halves the side of the image {times}by convolutions of stride 2, to "
        f"{listed(maps)}. At each size {follow} to its input the output of two "
        f"convolutions of $3 times 3$, with {_activation(config)} before each. Between "
        'the two, the class scales and shifts every feature map #by("film"). The '
        "concatenation of the last features and $ys$ passes through "
        f"{'a hidden layer' if len(hidden) == 1 else 'hidden layers'} of "
        f"{listed(hidden)} units{film} to the $2 times {config['z_dim']}$ values of "
        "$mus$ and $log sigmas$. The decoder is the mirror image: it takes the "
        f"concatenation of $ys$ and $zs$, of size ${config['n_classes']} + "
        f"{config['z_dim']}$, through the same layers in reverse to {config['x_dim']} "
        f"logits.{padding}"
    )


def _dense(config):
    x_dim, n_classes = config["x_dim"], config["n_classes"]
    film = ""
    if config["film"]:
        film = (
            " In every hidden layer of both, before the activation, the class scales "
            'and shifts each unit #by("film"): $h_i$ becomes '
            "$h_i (1 + s_i (ys)) + b_i (ys)$, with $bold(s)$ and $bold(b)$ affine in "
            "$ys$."
        )
    return (
        "Encoder and decoder are fully connected. The encoder takes the concatenation "
        f"of $xs$ and $ys$, of size ${x_dim} + {n_classes}$, through hidden layers of "
        f"{listed(config['hidden'])} units with {_activation(config)} to the "
        f"$2 times {config['z_dim']}$ values of $mus$ and $log sigmas$. The decoder "
        f"takes $ys$ and $zs$, of size ${n_classes} + {config['z_dim']}$, through "
        f"hidden layers of {listed(config['hidden'][::-1])} units to {x_dim} logits."
        f"{film} The biases of the logits start at the log-odds of their pixels in "
        "the training images."
    )


def _activation(config):
    source = ' #by("swish")' if config["activation"] == "swish" else ""
    return f"{config['activation']} activation{source}"


def binarization(found: Dict[str, Any]) -> str:
    """Return how training and test images become bits."""
    how, seed = found["config"]["binarize"], found["evaluation"]["bits_seed"]
    if how == "threshold":
        return (
            "A pixel is a 1 if its intensity, on a scale of 0 to 255, is at least "
            f"{THRESHOLD}, in the training images and in the {whole(found['n_test'])} "
            "test images."
        )
    text = (
        "We take the intensity of a pixel, scaled to $[0, 1]$, as the probability of "
        "a 1. "
    )
    if how == "static":
        text += "The bits of the training images are drawn once. "
    else:
        text += (
            "The bits of a training image are drawn again at every visit, which also "
            "keeps the model from memorizing one binarization. "
        )
    return text + (
        f"The bits of the {whole(found['n_test'])} test images are drawn once, with "
        f"the fixed seed {seed}, so that every evaluation uses the same bits."
    )


def optimization(found: Dict[str, Any]) -> str:
    """Return the paragraph on optimizer, learning rate, average, steps and choice."""
    config = found["config"]
    parts = [
        _optimizer(config, found["muon"]),
        _schedule(config),
        _average(config, found["averaging"]),
        _decay(config),
        _importance_weighted(config),
        _kl_weight(config),
        _start(config),
        "@settings lists every setting of the run.",
        _length(config, found["last"], found["n_train"]),
        _choice(config),
    ]
    return " ".join(part for part in parts if part)


def _optimizer(config, muon):
    if config["optimizer"] == "adam":
        return 'All weights are trained by Adam #by("adam").'
    low, high = muon["sides"]
    return (
        f"Kernels whose shorter side is {low} to {high} are trained by Muon "
        '#by("muon"), all other weights by Adam #by("adam"). The kernel of a '
        "convolution counts as the matrix from its window's inputs to its outputs. "
        "Muon orthogonalizes the momentum of a kernel's gradient, so that a step is "
        "about as long in every direction that the gradient has, and scales the step "
        f'to a root mean square of ${setting(muon["step"])} eta_t$ #by("moonlight").'
    )


def _schedule(config):
    rate = f"$eta = {setting(config['learning_rate'])}$"
    if config["schedule"] == "cosine":
        text = (
            f"The learning rate falls from {rate} to zero as "
            r"$eta_t = eta/2 (1 + cos(pi t \/ T))$."
        )
    else:
        text = f"The learning rate is constant, {rate}."
    if config["warmup"]:
        text += (
            f" Over the first {whole(config['warmup'])} steps, it rises linearly to "
            "this schedule."
        )
    return text


def _average(config, averaging):
    decay, every = setting(config["average"]), averaging["every"]
    if not config["average"]:
        return "The weights are evaluated as they are, without a moving average."
    return (
        f"We evaluate a moving average of the weights, with the decay {decay}. After "
        f"{whole(averaging['young'])} steps it is updated only at every {every}th "
        f"step, with the decay ${decay}^{every}$."
    )


def _decay(config):
    if not config["weight_decay"]:
        return ""
    return (
        "Each step also shrinks the kernels, but not the biases, by "
        f'${setting(config["weight_decay"])} eta_t$ of their values #by("adamw").'
    )


def _importance_weighted(config):
    share = config["iwae_share"]
    if not share:
        return ""
    text = (
        f"In the last {percent(share, 0)} of the steps, the objective is the "
        'importance-weighted bound #by("burda"), '
        f"$EE [log hat(p)_k (xs given ys)]$ of @eq-is with $k = "
        f"{config['iwae_particles']}$, in which not every draw has to explain the "
        "image."
    )
    if config["path_derivative"]:
        text += (
            " There the score is kept, because its mean under importance weights is "
            "not zero."
        )
    return text


def _kl_weight(config):
    if config["beta"] == 1.0 and not config["beta_warmup"]:
        return ""
    text = (
        "The training maximizes another objective than the bound: the KL divergence "
        f"has the weight ${setting(config['beta'])}$ in it"
    )
    if config["beta_warmup"]:
        text += (
            f", to which it rises in the first {percent(config['beta_warmup'], 0)} of "
            "the steps"
        )
    return f"{text}. All bounds in this report are those without this weight."


def _start(config):
    parts = []
    if config["origin"] != "none":
        parts.append("The weights started from those of another run, not at random.")
    if config["continued"]:
        steps = listed([whole(step) for step in config["continued"]])
        parts.append(
            f"The run was trained to its end, and then further, from step {steps} on."
        )
    return " ".join(parts)


def _length(config, last, n_train):
    asked = config["epochs"]
    text = (
        f"The run made {whole(last['step'])} steps in {duration(last['seconds'])}: "
        f"{number(last['epoch'], 1)} passes over the {whole(n_train)} training images"
    )
    if asked is None:
        return f"{text}, as many as the time budget allowed."
    if last["epoch"] < 0.99 * asked:
        return (
            f"{text}. The {number(asked, 1)} passes of its settings did not fit the "
            "time budget, so that its schedule was shortened."
        )
    return f"{text}."


def _choice(config):
    if config["validate"]:
        return (
            "We evaluate the checkpoint that is best on training images held out for "
            "this purpose."
        )
    chosen = "of the last step"
    if config["continued"]:
        chosen = (
            "of the last step, or of the step where the further training began if the "
            "bound in training had not become better"
        )
    return f"Nothing was chosen by the test set: we evaluate the weights {chosen}."


def software(versions: Dict[str, str]) -> str:
    """Return the names and versions of the libraries."""
    name = versions["zhusuan"]
    stands_in = " in place of ZhuSuan" if name == "cvae.zs" else ""
    return (
        f"Python {versions['python']}, TensorFlow {versions['tensorflow']}, "
        f"NumPy {versions['numpy']}, {name}{stands_in}"
    )


def estimating(is_checked: bool) -> str:
    """Return why the likelihood is estimated, and from which sides."""
    ways = ": from below, and on simulated images from above as well"
    return (
        "The bound measures model and encoder together. The likelihood measures the "
        "model only, but its integral over $zs$ has to be estimated"
        f"{ways if is_checked else ''}."
    )


def close_calls(measured: Dict[str, Any], margin: float) -> str:
    """Return how near-ties of the classifier are decided, if by more particles."""
    particles = measured["classifier"]["particles"]
    if particles <= measured["marginal"]["particles"]:
        return ""
    return (
        f"Where other classes come within {setting(margin)} nats of the best, so few "
        "particles would leave the classification to chance: these classes are "
        f"estimated once more with {whole(particles)} particles, and Bayes' rule "
        "decides by these estimates."
    )
