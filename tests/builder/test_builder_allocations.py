"""The allocator's record of a call, to the byte and in order; and what is heard on stderr meanwhile."""

import os

import pytest
import torch
from torch import nn

from builder.allocations import allocations, without_chatter
from builder.initialise import _reset, initialise, seed_of


def test_what_is_taken_and_given_back_in_its_order():
    def call():
        first = torch.empty(1000)
        second = torch.empty(300, dtype=torch.float64)
        del first
        third = first_of(second)
        del second, third

    def first_of(x):
        return x[:10].clone()

    assert allocations(call) == [4000, 2400, -4000, 80, -2400, -80]


def test_views_and_work_in_place_take_nothing():
    x = torch.zeros(100)
    assert allocations(lambda: x.view(10, 10).t().zero_()) == []


def test_an_error_ends_the_record_and_the_next_one_is_whole():
    with pytest.raises(ZeroDivisionError):
        allocations(lambda: 1 / 0)
    assert allocations(lambda: torch.empty(5)) == [20, -20]


def test_only_lines_of_progress_are_held_back(capfd):
    with without_chatter():
        os.write(2, b"STAGE:2024-01-01 starting\nwarning: disk is full\nUSDT:3\nSTAGE is a word\n")
    os.write(2, b"STAGE:afterwards\n")
    assert capfd.readouterr().err == "warning: disk is full\nSTAGE is a word\nSTAGE:afterwards\n"


def test_a_closed_stderr_is_no_error(monkeypatch):
    def closed(number):
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr(os, "dup", closed)
    ran = []
    with without_chatter():
        ran.append(True)
    assert ran == [True]


def test_values_drawn_beside_a_device_are_those_drawn_on_the_cpu():
    """A module elsewhere is drawn as a copy on the CPU, so that its device does not matter."""
    direct, beside = nn.Linear(3, 4), nn.Linear(3, 4)
    for module, on_cpu in ((direct, True), (beside, False)):
        torch.manual_seed(seed_of(5, "a.path"))
        _reset(module, on_cpu=on_cpu)
    assert torch.equal(direct.weight, beside.weight)
    assert torch.equal(direct.bias, beside.bias)
    group = nn.ModuleDict({"a": nn.ModuleDict({"path": nn.Linear(3, 4)})})
    initialise(group, 5)
    assert torch.equal(group["a"]["path"].weight, direct.weight)


def test_seeds_of_paths_are_63_bits_and_differ():
    seeds = [seed_of(seed, path) for seed in (0, 1, -1) for path in ("", "a", "a.b", "ab")]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)
