"""Every setting of a run, with its default, unit and valid range."""

import dataclasses
from typing import Any, Dict, Optional, Tuple

from cvae.errors import CvaeError, shown, suggest

MAX_LAYERS = 32
MAX_MODEL_BYTES = 2**31  # of the weights, their average and Adam's two moments
MAX_STEP_BYTES = 2**32  # of a step's activations and their gradients
EVALUATION_ROWS = 2000  # samples of z that an evaluation decodes in one call


def _setting(default, text, low=None, high=None, choices=None, option=True):
    metadata = {"help": text, "low": low, "high": high, "choices": choices}
    metadata["option"] = option  # whether the command line sets it
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Config:
    """One run's settings; `config.json` in the run directory holds them all."""

    dataset: str = _setting(
        "mnist",
        "name of a data set (mnist, mnist-5k, fashion-mnist, kmnist, emnist-balanced, "
        "emnist-letters, emnist-digits), or path of one (docs/datasets.md)",
    )
    class_names: Tuple[str, ...] = _setting(
        (), "names of the classes, in the order of their labels"
    )
    test_share: Optional[float] = _setting(
        None,
        "share of each class's images to test with, for a folder without test images",
        0.001,
        0.999,
    )
    binarize: str = _setting(
        "dynamic",
        "bits of the training images: drawn at each visit (dynamic), drawn once "
        "(static), or 1 for intensities from 128 on (threshold)",
        choices=("dynamic", "static", "threshold"),
    )
    validate: bool = _setting(
        False, "hold out the last sixth of the training images (10,000 of MNIST's)"
    )
    n_classes: int = _setting(10, "K, the number of classes", 1, 1000, option=False)
    x_dim: int = _setting(784, "pixels in an image", 1, 10**6, option=False)
    z_dim: int = _setting(40, "d, the dimension of z", 1, 10**4)
    network: str = _setting(
        "mlp",
        "NN_θ and the encoder: dense layers (mlp) or residual convolutions (conv)",
        choices=("mlp", "conv"),
    )
    hidden: Tuple[int, ...] = _setting(
        (700, 400),
        "units of the encoder's hidden dense layers; the decoder has them in reverse",
        1,
        10**6,
    )
    channels: Tuple[int, ...] = _setting(
        (32, 64), "conv: feature maps after each halving of the image", 1, 10**4
    )
    blocks: int = _setting(1, "conv: residual blocks after each halving", 0, 100)
    activation: str = _setting(
        "swish", "hidden activation", choices=("relu", "swish", "tanh")
    )
    film: bool = _setting(
        False, "y also scales and shifts the units of each hidden dense layer (FiLM)"
    )
    particles: int = _setting(1, "k, samples of z for each image and step", 1, 10**4)
    iwae_share: float = _setting(
        0.0,
        "share of the run, at its end, that maximizes the importance-weighted bound",
        0,
        1,
    )
    iwae_particles: int = _setting(5, "k in that share of the run", 1, 10**4)
    path_derivative: bool = _setting(
        True, "drop the score term of log q, whose mean is zero, from the gradient"
    )
    beta: float = _setting(
        1.0,
        "weight of the KL divergence in what training maximizes; 1: the bound",
        0.0,
        1e3,
    )
    beta_warmup: float = _setting(
        0.0,
        "share of the run, at its start, in which that weight rises from zero",
        0,
        1,
    )
    batch_size: int = _setting(256, "images in a step", 1, 10**6)
    optimizer: str = _setting(
        "adam",
        "adam; or muon for kernels whose shorter side is 16 to 128, adam for the rest",
        choices=("adam", "muon"),
    )
    learning_rate: float = _setting(4e-3, "learning rate at the start", 1e-12, 1e9)
    schedule: str = _setting(
        "cosine",
        "decay of the learning rate over the run",
        choices=("cosine", "constant"),
    )
    warmup: int = _setting(
        200, "steps at the start in which the learning rate rises from zero", 0, 10**9
    )
    weight_decay: float = _setting(
        0.05, "decoupled weight decay (AdamW), kernels only", 0.0, 1e3
    )
    average: float = _setting(
        0.999, "decay of the moving average of the weights; 0: none", 0.0, 0.999999
    )
    epochs: Optional[float] = _setting(
        100.0,
        "passes over the training set; none: as many as the minutes allow",
        1e-3,
        1e6,
    )
    minutes: Optional[float] = _setting(
        10.0,
        "time limit in minutes, last evaluation included; none: no limit",
        1e-2,
        1e6,
    )
    evaluate_every: int = _setting(
        5, "epochs between evaluations on held-out images", 1, 10**6
    )
    seed: int = _setting(
        0, "random seed of weights, order, binarization and z", 0, 2**31 - 1
    )
    origin: str = _setting(
        "none", "run whose weights the training starts from", option=False
    )
    continued: Tuple[int, ...] = _setting(
        (),
        "steps at which the trained run went on to a new plan",
        1,
        10**18,
        option=False,
    )

    def __post_init__(self):
        for field in dataclasses.fields(self):
            _check(field, getattr(self, field.name))
        if self.epochs is None and self.minutes is None:
            raise CvaeError("the run has no end: set epochs, minutes or both")
        if self.weighs_kl and self.iwae_share:
            raise CvaeError(
                "beta weighs the KL divergence of the bound, which the importance-"
                "weighted bound does not have: leave out beta or iwae_share"
            )
        _check_side(self)
        _check_memory(self)

    def to_dict(self) -> Dict[str, Any]:
        """Return the settings as JSON types."""
        values = dataclasses.asdict(self)
        lists = {k: list(v) for k, v in values.items() if isinstance(v, tuple)}
        return dict(values, **lists)

    @property
    def weighs_kl(self) -> bool:
        """Whether training maximizes something else than the bound."""
        return self.beta != 1.0 or self.beta_warmup > 0.0

    @property
    def side(self) -> int:
        """Pixels on a side of a square image."""
        return int(round(self.x_dim**0.5))

    @property
    def padded_side(self) -> int:
        """Pixels on a side that each of `channels` can halve."""
        divisor = 2 ** len(self.channels)
        return -(-self.side // divisor) * divisor

    @property
    def small_side(self) -> int:
        """Pixels on a side after the convolutions: each of `channels` halves it."""
        return self.padded_side // 2 ** len(self.channels)

    @property
    def dense_dim(self) -> int:
        """Values of an image that dense layers read: pixels, or features in conv."""
        if self.network == "conv":
            return self.small_side**2 * self.channels[-1]
        return self.x_dim

    @classmethod
    def from_dict(cls, values: Dict[str, Any]) -> "Config":
        """Build a `Config` from JSON types.

        Raises:
            CvaeError: an unknown name, a wrong type or a value out of range.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        for name in values:
            if name not in names:
                raise CvaeError(
                    f"unknown setting {shown(name)}: {suggest(name, names)}"
                )
        lists = {k: tuple(v) for k, v in values.items() if isinstance(v, list)}
        return cls(**dict(values, **lists))


# A preset is its differences from `Config()`.
PRESETS: Dict[str, Dict[str, Any]] = {
    "default": {"film": True},
    "quick": {"film": True, "hidden": (500, 500), "epochs": 40.0, "minutes": 2.5},
    "best": {
        "network": "conv",
        "hidden": (400,),
        "film": True,
        "batch_size": 128,
        "optimizer": "muon",
        "learning_rate": 3e-3,
        "warmup": 500,
        "weight_decay": 0.08,
        "epochs": 86.0,
        "minutes": 150.0,
    },
}


def preset(name: str, **changes: Any) -> Config:
    """Return the preset `name` with `changes` applied.

    Raises:
        CvaeError: an unknown preset or setting, or a value out of range.
    """
    if name not in PRESETS:
        raise CvaeError(f"unknown preset {name!r}: {suggest(name, PRESETS)}")
    return Config.from_dict(dict(PRESETS[name], **changes))


def _check(field, value):
    """Raise `CvaeError` unless `value` has the field's type and lies in its range."""
    meta = field.metadata
    if field.type is bool:
        fits = isinstance(value, bool)
    elif meta["choices"]:
        fits = value in meta["choices"]
    elif field.type is str:
        fits = _is_text(value)
    elif field.type == Tuple[str, ...]:
        fits = isinstance(value, tuple) and all(_is_text(part) for part in value)
    elif field.type == Tuple[int, ...]:
        fits = isinstance(value, tuple) and len(value) <= MAX_LAYERS
        fits = fits and (value or not field.default)  # a net has layers
        fits = fits and all(_in_range(part, int, meta) for part in value)
    elif value is None:
        fits = field.type == Optional[float]
    else:
        fits = _in_range(value, int if field.type is int else (int, float), meta)
    if not fits:
        valid = suggest(value, meta["choices"]) if meta["choices"] else meta["help"]
        raise CvaeError(
            f"{field.name} cannot be {shown(value)}: {valid}{_range_text(meta)}"
        )


def _is_text(value):
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()


def _in_range(value, kinds, meta):
    return (
        isinstance(value, kinds)
        and not isinstance(value, bool)
        and meta["low"] <= value <= meta["high"]  # NaN is not
    )


def _range_text(meta):
    if meta["low"] is None:
        return ""
    return f" ({meta['low']} to {meta['high']})"


def _check_side(config):
    """Refuse convolutions of images that are not square, or far smaller than needed."""
    if config.network != "conv":
        return
    if config.side**2 != config.x_dim:
        raise CvaeError(
            f"images of {config.x_dim} pixels are not square: choose network mlp"
        )
    if config.side < 2 ** len(config.channels):
        raise CvaeError(
            f"images of {config.side} x {config.side} pixels cannot be halved "
            f"{len(config.channels)} times: choose fewer channels, or network mlp"
        )


def _check_memory(config):
    """Refuse a model that needs too much memory, before TensorFlow allocates it."""
    weights, values = _conv_sizes(config) if config.network == "conv" else (0, 0)
    read, code = config.dense_dim, config.n_classes + config.z_dim
    encoder = (read + config.n_classes,) + config.hidden + (2 * config.z_dim,)
    decoder = (code,) + config.hidden[::-1] + (read,)
    layers = list(zip(encoder, encoder[1:])) + list(zip(decoder, decoder[1:]))
    weights += sum((n_in + 1) * n_out for n_in, n_out in layers)
    values += sum(encoder) + sum(decoder)
    if config.film:
        # Values: a scale and a shift of each unit, and the unit after both.
        weights += 2 * _film_weights(config, sum(config.hidden))
        values += 2 * sum(config.hidden) * 3
    particles = config.particles
    if config.iwae_share:
        particles = max(particles, config.iwae_particles)
    # In training, values are kept for the gradients, which need as much again.
    rows = max(3 * config.batch_size * particles, EVALUATION_ROWS)
    for what, size, limit in (
        ("the weights with Adam's state", 4 * 4 * weights, MAX_MODEL_BYTES),
        ("a step", 4 * rows * values, MAX_STEP_BYTES),
    ):
        if size > limit:
            raise CvaeError(
                f"{what} would take {size / 1e9:,.1f} GB, over {limit / 1e9:.1f}: "
                "make hidden, channels, z_dim, batch_size or particles smaller"
            )


def _film_weights(config, features):
    """Return how many weights let the class scale and shift so many features."""
    return (config.n_classes + 1) * 2 * features


def _conv_sizes(config):
    """Return the weights, and the values an image, in the nets' convolutions."""
    weights, values, n_in, side = 0, 0, 1, config.padded_side
    for level, n_out in enumerate(config.channels, 1):
        side //= 2
        halve = ((25 if level == 1 else 9) * n_in + 1) * n_out
        double = (9 * n_out + 1) * 4 * n_in
        block = 2 * (9 * n_out + 1) * n_out + _film_weights(config, n_out)
        weights += halve + double + 2 * config.blocks * block
        values += 2 * side**2 * (n_out * (1 + 5 * config.blocks) + 4 * n_in)
        n_in = n_out
    return weights, values
