"""The installed ZhuSuan 0.4 is used if there is one, and nothing else is."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import cvae
from cvae import zs
from cvae.zs.upstream import find_upstream

PARTS = {
    "framework": "BayesianNet MetaBayesianNet StochasticTensor meta_bayesian_net "
    "reuse_variables",
    "evaluation": "is_loglikelihood",
    "utils": "log_mean_exp merge_dicts",
    "distributions": "Normal",
    "variational": "elbo",
}


def fake_package(root, version=None, without=None, body=""):
    """Write a package `zhusuan` with the names of upstream into `root`."""
    package = root / "zhusuan"
    package.mkdir()
    text = body if version is None else "__version__ = {!r}\n{}".format(version, body)
    (package / "__init__.py").write_text(text)
    for part, names in PARTS.items():
        lines = ["{0} = {0!r}".format(n) for n in names.split() if n != without]
        (package / (part + ".py")).write_text("\n".join(lines))


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A folder on the path in which `zhusuan` is looked for first."""
    monkeypatch.syspath_prepend(str(tmp_path))
    hidden = {n: m for n, m in sys.modules.items() if n.split(".")[0] == "zhusuan"}
    for name in hidden:
        del sys.modules[name]
    yield tmp_path
    for name in [n for n in sys.modules if n.split(".")[0] == "zhusuan"]:
        del sys.modules[name]
    sys.modules.update(hidden)


def test_upstream_0_4_is_found_with_its_names(packages):
    fake_package(packages, "0.4.0")
    label, names = find_upstream()
    assert label == "zhusuan 0.4.0"
    assert names["BayesianNet"] == "BayesianNet"
    assert names["log_mean_exp"] == "log_mean_exp"
    assert names["variational"].elbo == "elbo"


def test_a_copy_with_all_names_and_no_version_is_upstream_too(packages):
    fake_package(packages)
    label, names = find_upstream()
    assert label == "zhusuan of unknown version"
    assert names["meta_bayesian_net"] == "meta_bayesian_net"


@pytest.mark.parametrize(
    "fake",
    [
        {"version": "0.3.1"},
        {"version": "1.0.0"},
        {"version": "0.40.1"},
        {"version": "0.4.0", "without": "meta_bayesian_net"},
        {"version": "0.4.0", "without": "BayesianNet"},
        {"version": "0.4.0", "body": "raise AttributeError('tf.contrib')"},
        {"version": "0.4.0", "body": "import a_module_that_is_not_there"},
    ],
    ids=str,
)
def test_any_other_package_of_that_name_is_left_alone(packages, fake):
    fake_package(packages, **fake)
    assert find_upstream() is None


def test_zs_is_upstream_where_that_is_installed_and_stays_so(tmp_path):
    fake_package(tmp_path, "0.4.0")
    script = textwrap.dedent(
        """
        from cvae import zs
        import zhusuan.framework
        assert zs.IMPLEMENTATION == "zhusuan 0.4.0"
        import cvae.zs.framework, cvae.zs.distributions
        from cvae.zs.framework import BayesianNet
        assert BayesianNet.__module__ == "cvae.zs.framework"
        assert zs.framework is zhusuan.framework
        assert zs.BayesianNet == "BayesianNet"
        assert zs.distributions.Normal == "Normal"
        """
    )
    root = str(Path(cvae.__file__).resolve().parent.parent)
    path = "import sys; sys.path[:0] = {!r}\n".format([str(tmp_path), root])
    subprocess.run([sys.executable, "-c", path + script], check=True)


def test_the_package_offers_what_upstream_users_write():
    assert zs.IMPLEMENTATION == "cvae.zs" or zs.IMPLEMENTATION.startswith("zhusuan ")
    for name in (
        "BayesianNet",
        "StochasticTensor",
        "meta_bayesian_net",
        "reuse_variables",
        "is_loglikelihood",
        "log_mean_exp",
        "merge_dicts",
    ):
        assert callable(getattr(zs, name))
    for name in ("elbo", "importance_weighted_objective", "iw_objective"):
        assert callable(getattr(zs.variational, name))
    for name in (
        "Distribution",
        "Normal",
        "Bernoulli",
        "Categorical",
        "Discrete",
        "OnehotCategorical",
        "OnehotDiscrete",
        "Uniform",
    ):
        assert isinstance(getattr(zs.distributions, name), type)
    assert zs.framework.BayesianNet is zs.BayesianNet
