"""Compressors: recorded lengths, and how close what runs here comes to them."""

from __future__ import annotations

import pytest

from zswaplab.model.compressors import Deflate
from zswaplab.model.errors import BadInput
from zswaplab.model.machine import Machine
from zswaplab.trace.codecs import CODECS, KERNELS, LiveZstd, codec, codec_pages, codecs, matches

MATCHES = {("deflate", "6.1"): 283, ("deflate", "6.12"): 283, ("zstd", "6.1"): 117, ("zstd", "6.12"): 174}


def test_the_pages_are_whole() -> None:
    assert len(codec_pages()) == 320
    assert {len(page) for page in codec_pages()} == {4096}


@pytest.mark.slow
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", CODECS)
def test_a_page_comes_back_and_a_refused_one_goes_to_disk(name: str, kernel: str) -> None:
    machine = Machine("base", compressor=codec(name, kernel), ram_pages=10_000)
    known = [page for page in codec_pages() if page in codec(name, kernel).lengths]
    for number, content in enumerate(known):
        machine.write(number, content)
        machine.page_out(number)
    refused = [length for length in codec(name, kernel).lengths.values() if length is None]
    assert len(refused) == 14  # noise: it does not fit into a page
    assert machine.zswap.counters.stored_pages + len(machine.swap.disk) == len(known)
    assert len(machine.swap.disk) >= 14
    for number, content in enumerate(known):
        assert machine.read(number) == content
    machine.check()


@pytest.mark.parametrize("kernel", KERNELS)
def test_deflate_here_gives_every_recorded_length(kernel: str) -> None:
    assert matches(Deflate(), "deflate", kernel) == (MATCHES["deflate", kernel], 283)


@pytest.mark.parametrize("kernel", KERNELS)
def test_zstd_here_is_close_and_not_the_kernels(kernel: str) -> None:
    try:
        live = LiveZstd()
    except BadInput as missing:
        pytest.skip(str(missing))
    assert matches(live, "zstd", kernel) == (MATCHES["zstd", kernel], 283)


def test_every_compressor_is_labelled_with_what_it_matches() -> None:
    table = codecs()
    assert (table["match"] <= table["of"]).all()
    recorded = table[table["lengths"].str.startswith("recorded")]
    assert (recorded["match"] == recorded["of"]).all()


def test_a_page_that_was_not_recorded_is_not_guessed() -> None:
    machine = Machine(compressor=codec("lz4"))
    machine.write(1)
    with pytest.raises(BadInput, match="was not recorded"):
        machine.page_out(1)


@pytest.mark.parametrize(("name", "kernel"), [("842", "6.1"), ("lzo", "7.3")])
def test_an_unknown_codec_or_kernel_is_refused(name: str, kernel: str) -> None:
    with pytest.raises(BadInput, match="choose one of"):
        codec(name, kernel)


def test_a_page_that_the_kernel_never_compressed_has_no_length() -> None:
    machine = Machine(compressor=codec("lzo"))
    machine.set(same_filled_pages_enabled=False)
    machine.write(1, bytes(4096))
    with pytest.raises(BadInput, match="was not recorded"):
        machine.page_out(1)
