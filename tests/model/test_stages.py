"""What a stage says of itself: which kernel it is, and where that can be read."""

import pytest

from zswaplab.model.errors import BadInput
from zswaplab.model.machine import Machine
from zswaplab.model.source import diff, source
from zswaplab.model.stages import STAGES, existed, make_stage
from zswaplab.run.search import explore

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


# -- exclusive loads: "on" means the form that the stage had ------------------------------------------

ON = {"base": "v1", **{f"rfc2-{patch}": "v1" for patch in range(1, 8)}, **{str(patch): "v2" for patch in range(1, 8)},
      "v6.5": "fixed"}  # fmt: skip


@pytest.mark.parametrize("stage", ON)
def test_on_is_the_form_that_the_stage_had(stage: str) -> None:
    made = make_stage(stage, "on")
    assert made == make_stage(stage, ON[stage]) and existed(made)
    machine = Machine(stage, exclusive_loads="on")
    assert machine.stage.exclusive_loads == machine.made_with["exclusive_loads"] == ON[stage]
    assert machine.zswap.exclusive_loads
    assert source("load_end", stage, "on") == source("load_end", stage, ON[stage])


@pytest.mark.parametrize("stage", sorted(STAGES.keys() - ON))
def test_before_they_existed_on_is_refused_with_a_remedy(stage: str) -> None:
    for refused in (lambda: Machine(stage, exclusive_loads="on"), lambda: source("load", stage, "on")):
        with pytest.raises(BadInput, match=rf"'on' cannot be at stage {stage}: .* choose 'off', or .*'v1'"):
            refused()


def test_a_diff_can_be_of_kernels_with_exclusive_loads() -> None:
    assert diff("load_end", "base", "rfc2-1", "on") == diff("load_end", "base", "rfc2-1", exclusive_loads="v1")
    assert "+yield from self.move_to_head(entry)".replace("+", "+    ") in diff("load_end", "base", "rfc2-1", "on")


def test_a_search_takes_on_too() -> None:
    assert explore(stage="rfc2-2", exclusive_loads="on", cpus=["read 3"]).fails
    assert not explore(stage="v6.5", exclusive_loads="on", cpus=["read 3"]).fails
