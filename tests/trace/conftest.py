"""What the tests of recordings share."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.trace import whole


@pytest.fixture(scope="session")
def wholes() -> Mapping[str, whole.Whole]:
    """The long recordings that are here, by name, each replayed once."""
    return whole.wholes()
