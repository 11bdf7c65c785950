"""Sample cases: texts in ``cases/*.toml``, images from packages and phantoms.

To add one, copy a file of ``cases/``; the tests of ``tests/samples`` check it.
"""

from rounds_hub.samples.installing import install
from rounds_hub.samples.teaching import SampleCase, sample_cases

__all__ = ["SampleCase", "install", "sample_cases"]
