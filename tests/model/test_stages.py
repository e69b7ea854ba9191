"""What a stage says of itself: which kernel it is, and where that can be read."""

import pytest

from zswaplab.model.stages import STAGES

STABLE = "https://git.kernel.org/pub/scm/linux/kernel/git/stable/linux.git/tree/mm/zswap.c?h=v6.1.192"
MAINLINE = "https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/mm/{}?id={}"


def test_the_stage_v6_1_is_the_stable_kernel_that_was_recorded() -> None:
    stage = STAGES["v6.1"]
    assert stage.title == "Linux 6.1.192" and stage.commit == "v6.1.192"
    assert stage.link() == STABLE


@pytest.mark.parametrize("stage", ["v6.4", "v6.5"])
def test_releases_link_to_mainline(stage: str) -> None:
    assert STAGES[stage].link("zbud.c") == MAINLINE.format("zbud.c", stage)
    assert STAGES[stage].title.startswith(f"Linux {stage[1:]}")


def test_a_patch_links_to_its_commit_and_one_as_reviewed_to_the_mails() -> None:
    assert STAGES["2"].link() == MAINLINE.format("zswap.c", "1be537c6451b7203776063a8655c9096ebc50790")
    assert STAGES["rfc2-2"].link().startswith("https://lore.kernel.org/linux-mm/")
