"""The installed ZhuSuan 0.4 is used if there is one, and no stranger is ever run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import cvae
from cvae import zs
from cvae.errors import CvaeError
from cvae.zs import upstream

HOME_PAGE = "https://github.com/thu-ml/zhusuan"
PARTS = ("distributions", "evaluation", "framework", "utils", "variational")
NAMES = [name for name in upstream._NAMES if name not in PARTS]


def install(root, body="", without=None, **metadata):
    """Install a package `zhusuan` in `root`; it leaves a file `ran` when imported."""
    package = root / "zhusuan"
    package.mkdir()
    lines = ["open({!r}, 'w').close()".format(str(root / "ran")), body]
    lines += ["from zhusuan import " + part for part in PARTS]
    lines += [f"{name} = {name!r}" for name in NAMES if name != without]
    (package / "__init__.py").write_text("\n".join(lines))
    for part in PARTS:
        (package / (part + ".py")).write_text("elbo = 'elbo'")
    describe(root, **metadata)


def describe(
    root,
    name="zhusuan",
    version="0.4.0",
    home_page=HOME_PAGE,
    file="zhusuan-0.4.0.dist-info/METADATA",
    record=("zhusuan/__init__.py", "zhusuan/utils.py", "../../../bin/tool"),
):
    """Write what an installer writes beside a package."""
    path = root / file
    path.parent.mkdir(exist_ok=True)
    fields = [("Name", name), ("Version", version), ("Home-page", home_page)]
    text = "".join("{}: {}\n".format(*field) for field in fields if field[1])
    path.write_text("Metadata-Version: 2.1\n" + text + "\nVersion: 9.9\n")
    if record is not None:
        rows = [f"{file},sha256=x,1" for file in record]
        (path.parent / "RECORD").write_text("\n".join(rows))


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A folder on the path in which `zhusuan` is looked for first."""
    monkeypatch.setattr(upstream.tf, "__version__", "1.15.5")
    monkeypatch.delenv("ZHUSUAN", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    hidden = {n: m for n, m in sys.modules.items() if n.split(".")[0] == "zhusuan"}
    for name in hidden:
        del sys.modules[name]
    yield tmp_path
    for name in loaded():
        del sys.modules[name]
    sys.modules.update(hidden)


def loaded():
    return [name for name in sys.modules if name.split(".")[0] == "zhusuan"]


# What is ZhuSuan


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"version": "0.4.1.dev2", "name": "ZhuSuan", "home_page": HOME_PAGE + "/"},
        {"record": None, "file": "zhusuan.egg-info/PKG-INFO"},  # editable
        {"record": None, "file": "zhusuan-0.4.0-py3.7.egg-info"},  # distutils
    ],
    ids=str,
)
def test_zhusuan_0_4_is_found_with_its_names(packages, metadata):
    install(packages, **metadata)
    assert upstream.installed_version() == metadata.get("version", "0.4.0")
    assert not (packages / "ran").exists()
    label, names = upstream.choose()
    assert label == "ZhuSuan " + metadata.get("version", "0.4.0")
    assert names["BayesianNet"] == "BayesianNet"
    assert names["variational"].elbo == "elbo"
    assert set(names) == set(upstream._NAMES)


def test_files_of_an_older_installer_are_read_too(packages):
    install(packages, record=None, file="zhusuan-0.4.0-py3.7.egg-info/PKG-INFO")
    listed = packages / "zhusuan-0.4.0-py3.7.egg-info" / "installed-files.txt"
    listed.write_text("../zhusuan/__init__.py\nPKG-INFO\n")
    assert upstream.installed_version() == "0.4.0"
    listed.write_text("../zhusuan/__init__.py\n../other.py\n")
    assert upstream.installed_version() is None


HARM = [
    "import sys; sys.exit(7)",
    "print('hello')",
    "raise AttributeError('tf.contrib')",
]


@pytest.mark.parametrize("body", HARM)
@pytest.mark.parametrize(
    "metadata",
    [
        {"version": "0.3.1"},
        {"version": "1.0.0"},
        {"version": "0.40.1"},
        {"version": ""},
        {"name": "zhusuan-tools"},
        {"name": ""},
        {"home_page": "https://example.org/zhusuan"},
        {"home_page": ""},
        {"record": ["zhusuan/__init__.py", "sitecustomize.py"]},
        {"record": ["zhusuan/__init__.py", "zhusuan/../../hidden.py"]},
        {"record": ["zhusuan/__init__.py", "run_at_start.pth"]},
        {"record": ["zhusuan/utils.py"]},
        {"record": []},
        {"file": "other-0.4.0.dist-info/METADATA"},
        {"file": "zhusuan-0.4.0.dist-info/metadata.txt"},
    ],
    ids=str,
)
def test_a_stranger_of_that_name_is_never_run(packages, capfd, metadata, body):
    install(packages, body, **metadata)
    assert upstream.choose() == ("cvae.zs", {})
    assert not (packages / "ran").exists()
    assert not loaded()
    assert capfd.readouterr() == ("", "")


def test_a_module_or_a_folder_of_that_name_is_a_stranger(packages, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(packages)])
    describe(packages)
    module = packages / "zhusuan.py"
    module.write_text("open({!r}, 'w')".format(str(packages / "ran")))
    assert upstream.choose() == ("cvae.zs", {})
    module.unlink()
    (packages / "zhusuan").mkdir()
    assert upstream.choose()[0] == "cvae.zs"
    assert not (packages / "ran").exists()


def test_two_descriptions_of_one_package_are_one_too_many(packages):
    install(packages)
    describe(packages, version="1.0", file="zhusuan-1.0.dist-info/METADATA")
    assert upstream.installed_version() is None


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"Name: zhusuan", None])
def test_damaged_metadata_are_not_zhusuans(packages, content):
    install(packages)
    path = packages / "zhusuan-0.4.0.dist-info" / "METADATA"
    path.unlink()
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    assert upstream.choose() == ("cvae.zs", {})
    assert not (packages / "ran").exists()


def test_finding_out_runs_no_finder_that_fails(packages, monkeypatch):
    class Broken:
        def find_spec(self, *_):
            raise RuntimeError("a broken finder")

    monkeypatch.setattr(sys, "meta_path", [Broken()])
    assert upstream.installed_version() is None


# What cannot be imported


@pytest.mark.parametrize(
    "fake, reason",
    [
        ({"without": "BayesianNet"}, "AttributeError: .*'BayesianNet'"),
        (
            {"body": "raise AttributeError('tf\\ncontrib')"},
            "AttributeError: tf contrib",
        ),
        ({"body": "import a_missing_module"}, "No module named 'a_missing_module'"),
        ({"body": "import sys; sys.exit(7)"}, "SystemExit: 7"),
        ({"body": "raise ValueError"}, "ValueError"),
    ],
    ids=str,
)
def test_a_zhusuan_that_cannot_be_imported_is_one_warning(
    packages, capfd, monkeypatch, fake, reason
):
    install(packages, **fake)
    assert upstream.choose() == ("cvae.zs", {})
    out, warning = capfd.readouterr()
    line = "ZhuSuan 0.4.0 is installed but cannot be imported: " + reason
    assert re.match(f"warning: {line}; cvae.zs stands in\n$", warning)
    assert out == ""
    assert not loaded()
    monkeypatch.setenv("ZHUSUAN", "real")
    with pytest.raises(CvaeError, match=line + "; run `ZHUSUAN=real make env`$"):
        upstream.choose()


def test_zhusuan_needs_tensorflow_1(packages, capfd, monkeypatch):
    install(packages)
    monkeypatch.setattr(upstream.tf, "__version__", "2.20.0")
    assert upstream.choose() == ("cvae.zs", {})
    assert "needs TensorFlow 1, and this is 2.20.0; cvae" in capfd.readouterr().err
    assert not (packages / "ran").exists()


def test_an_interrupt_while_it_is_imported_stays_one(packages):
    install(packages, "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        upstream.choose()


def test_what_it_prints_when_imported_does_not_reach_standard_output(packages, capfd):
    install(packages, "print('hello')")
    assert upstream.choose()[0] == "ZhuSuan 0.4.0"
    assert capfd.readouterr() == ("", "hello\n")


def test_what_other_threads_print_meanwhile_reaches_it(packages, capfd):
    printing = "threading.Thread(target=print, args=['of another'])"
    install(packages, f"import threading; t = {printing}; t.start(); t.join()")
    assert upstream.choose()[0] == "ZhuSuan 0.4.0"
    assert capfd.readouterr() == ("of another\n", "")


# The environment variable ZHUSUAN


def test_builtin_takes_cvae_zs_and_runs_nothing(packages, monkeypatch):
    install(packages)
    monkeypatch.setenv("ZHUSUAN", "builtin")
    assert upstream.choose() == ("cvae.zs", {})
    assert not (packages / "ran").exists()


@pytest.mark.parametrize("value", ["real", "", "/some/checkout", "nonsense"])
def test_any_other_value_takes_the_installed_one(packages, monkeypatch, value):
    install(packages)
    monkeypatch.setenv("ZHUSUAN", value)
    assert upstream.choose()[0] == "ZhuSuan 0.4.0"


def test_real_insists(packages, monkeypatch):
    install(packages, version="0.3.1")
    monkeypatch.setenv("ZHUSUAN", "real")
    message = "^ZhuSuan 0.4 is not installed; run `ZHUSUAN=real make env`$"
    with pytest.raises(CvaeError, match=message):
        upstream.choose()
    assert not (packages / "ran").exists()


# The package `zs`


def test_zs_is_zhusuan_where_that_is_installed_and_stays_so(tmp_path):
    install(tmp_path)
    script = [
        "import sys; sys.path[:0] = {!r}",
        "import tensorflow.compat.v1 as tf; tf.__version__ = '1.15.5'",
        "from cvae import zs",
        "import zhusuan.framework",
        "assert zs.IMPLEMENTATION == 'ZhuSuan 0.4.0', zs.IMPLEMENTATION",
        "import cvae.zs.framework, cvae.zs.distributions",
        "from cvae.zs.framework import BayesianNet",
        "assert BayesianNet.__module__ == 'cvae.zs.framework'",
        "assert zs.framework is zhusuan.framework",
        "assert zs.BayesianNet == 'BayesianNet'",
    ]
    root = str(Path(cvae.__file__).resolve().parent.parent)
    code = "\n".join(script).format([str(tmp_path), root])
    subprocess.run([sys.executable, "-c", code], check=True, env={"PATH": ""})


def test_the_package_offers_what_upstream_users_write():
    assert zs.IMPLEMENTATION in ("cvae.zs", "ZhuSuan 0.4.0")
    for name in NAMES:
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
