"""What follows a trained run: a new plan for it, or a new run from its weights."""

import dataclasses
from typing import Any, Dict

from cvae.config import Config
from cvae.errors import CvaeError, shown
from cvae.runs.run import Run

# Settings on which the meaning of the weights depends.
ARCHITECTURE = (
    *("network", "hidden", "channels", "blocks", "activation", "film", "z_dim"),
)


def lengthened(run: Run, limits: Dict[str, Any]) -> Config:
    """Return the settings of a trained `run` for a new plan.

    Args:
        limits: `epochs` and `minutes`, of all of its training.

    Raises:
        CvaeError: the run is not trained to the end of its plan, or has trained as long
            as that already.
    """
    state = run.load_checkpoint().state
    if state.step < state.plan[-1]:
        raise CvaeError(
            f"{run.path} is not at the end of its plan, and keeps its settings until "
            "then: resume it without other settings first"
        )
    epochs, minutes = limits.get("epochs"), limits.get("minutes")
    trained = run.metrics()[-1]["epoch"] if run.metrics() else 0.0
    # In whole steps: the last epoch of a plan can lack some images.
    if epochs and round(epochs / max(trained, 1e-9) * state.step) <= state.step:
        raise CvaeError(
            f"{run.path} has trained for {trained:g} epochs: give more than that, the "
            "epochs before are counted"
        )
    if minutes is not None and 60.0 * minutes <= state.seconds:
        raise CvaeError(
            f"{run.path} has trained for {state.seconds / 60.0:.2f} minutes: give more "
            "than that, the minutes before are counted"
        )
    steps = (*run.config.continued, state.step)
    return dataclasses.replace(
        run.config, epochs=epochs, minutes=minutes, continued=steps
    )


def settings_from(run: Run, given: Dict[str, Any]) -> Dict[str, Any]:
    """Return the settings `given` for a new run that starts from the weights of `run`.

    It has the data of `run`, too, unless others are given.

    Raises:
        CvaeError: they are for networks that cannot take these weights.
    """
    for name in ARCHITECTURE:
        own = getattr(run.config, name)
        if given.get(name, own) != own:
            raise CvaeError(
                f"{run.path} has the {name} {shown(own)}, and its weights fit no "
                f"other: leave out --{name.replace('_', '-')}"
            )
    own = {name: getattr(run.config, name) for name in ARCHITECTURE}
    if "dataset" not in given:
        own["dataset"] = run.data.path or run.config.dataset
        for name in ("class_names", "test_share"):
            own[name] = given.get(name, getattr(run.config, name))
    return dict(given, **own, origin=str(run.path.resolve()))


def check_origin(run: Run, config: Config) -> None:
    """Raise `CvaeError` unless `config` has the data's sizes of `run`, its origin."""
    for name, text in (("n_classes", "classes"), ("x_dim", "pixels")):
        own, new = getattr(run.config, name), getattr(config, name)
        if own != new:
            raise CvaeError(
                f"{run.path} was trained on images with {own} {text}, not {new}: its "
                "weights do not fit these data"
            )
