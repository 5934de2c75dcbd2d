"""An operation from outside the package, as the example shows it: by two calls, and by an installed package."""

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import archspec
import archspec.ops
from archspec.ops.base import Op
from archspec.write import to_yaml
from builder import assemble
from builder.lowering import LOWERINGS
from builder.lowering import register as register_lowering

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "custom_operation"


@pytest.fixture
def operation(monkeypatch):
    """The example's operation, known for one test."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    from squeeze_excite.description import SqueezeExcite
    from squeeze_excite.lowering import lower

    archspec.ops.register(SqueezeExcite)
    register_lowering(SqueezeExcite, lower)
    yield SqueezeExcite
    del archspec.OPS["squeeze_excite"], LOWERINGS[SqueezeExcite]


def test_it_is_an_operation_like_any_other(operation):
    graph = archspec.build(archspec.load(EXAMPLE / "architecture.yaml"))
    network = assemble(graph)
    gates = [node for node, op in graph.nodes(data="op") if isinstance(op, operation)]
    assert gates == ["down.1.attn.0", "mid.attn_1", "up.1.attn.0", "up.1.attn.1"]
    assert graph.nodes["mid.attn_1"]["price"] == archspec.Price(65 * 8 + 9 * 64, 2 * 64 * 8)
    assert network.mid.attn_1.reduce.weight.shape == (8, 64)
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([3, 500])
    network(x, t).square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())
    with FlopCounterMode(display=False) as counter:
        network(x[:1], t[:1])
    price = archspec.total_price(graph)
    assert 2 * price.macs == counter.get_total_flops()
    assert price.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert torch.equal(copy.deepcopy(network)(x, t), network(x, t))


def test_it_has_text_a_schema_and_a_fingerprint(operation):
    graph = archspec.build(archspec.load(EXAMPLE / "architecture.yaml"))
    again = archspec.build(archspec.loads(to_yaml(graph)))
    assert archspec.fingerprint(again) == archspec.fingerprint(graph)
    from archspec.schema import architecture_schema

    described = architecture_schema()["$defs"]["op.squeeze_excite"]["properties"]["reduction"]
    assert described["description"] == operation.model_fields["reduction"].description


def test_its_rules_are_checked(operation):
    text = (EXAMPLE / "architecture.yaml").read_text().replace("reduction: 8", "reduction: 7")
    assert str(archspec.check_text(text, "a.yaml").problems[0]) == (
        "a.yaml:13:5: error U202 down.1.attn.0 (and 3 more): 64 channels cannot be reduced by 7. "
        "Reductions that divide 64: 1, 2, 4, 8, 16, 32, 64. Inputs: down.1.block.0 = 64x4x4. "
        "The edit `replace attention by squeeze_excite (reduction=7)` brings this about."
    )
    assert operation(reduction=8).stateless({"x": archspec.ops.base.FeatureMap(64, 4)}) is False


def test_a_name_is_given_once(operation):
    class Other(Op):
        op: Literal["squeeze_excite"] = "squeeze_excite"

    class Nameless(Op):
        pass

    archspec.ops.register(operation)  # twice the same is once
    with pytest.raises(archspec.UserError, match="there is an operation `squeeze_excite` already"):
        archspec.ops.register(Other)
    with pytest.raises(archspec.UserError, match="the operation Nameless has no name"):
        archspec.ops.register(Nameless)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command with a package installed in `folder`."""
    path = os.pathsep.join([str(folder), str(EXAMPLE), str(ROOT)])
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": path},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def install(folder: Path, operations: str) -> None:
    """What pip leaves of a package that declares these operations."""
    info = folder / "squeeze_excite-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: squeeze-excite\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[ushape.operations]\n{operations}\n\n[ushape.lowerings]\nsqueeze_excite = squeeze_excite.lowering:lower\n"
    )


def test_an_installed_package_is_found(tmp_path):
    install(tmp_path, "squeeze_excite = squeeze_excite.description:SqueezeExcite")
    checked = run(tmp_path, "-m", "ushape", "check", str(EXAMPLE / "architecture.yaml"))
    assert (checked.stdout, checked.stderr) == ("1 of 1 file sound, 0 errors, 0 warnings.\n", "")
    exported = run(tmp_path, "-m", "ushape", "export", str(EXAMPLE / "architecture.yaml"))
    assert "mid_attn_1 = self.mid.attn_1(mid_block_1)" in exported.stdout


def test_a_package_that_cannot_be_loaded_is_a_problem_of_the_file(tmp_path):
    install(tmp_path, "squeeze_excite = squeeze_excite.elsewhere:SqueezeExcite")
    checked = run(tmp_path, "-m", "ushape", "check", str(EXAMPLE / "architecture.yaml"))
    assert checked.returncode == 2
    assert "`squeeze_excite` of ushape.operations cannot be loaded" in checked.stdout + checked.stderr


def test_hints_know_the_operations_of_installed_packages(tmp_path):
    install(tmp_path, "squeeze_excite = squeeze_excite.description:SqueezeExcite")
    text = (EXAMPLE / "architecture.yaml").read_text()
    (tmp_path / "typo.yaml").write_text(text.replace("op: squeeze_excite", "op: squeeze_exite"))
    (tmp_path / "other.yaml").write_text(text.replace("op: squeeze_excite", "op: zzz"))
    typo, other = (run(tmp_path, "-m", "ushape", "check", name).stdout for name in ("typo.yaml", "other.yaml"))
    assert "there is no operation `squeeze_exite`. Did you mean `squeeze_excite`?" in typo
    assert "window_attention, squeeze_excite. " in other


def test_without_it_the_file_is_refused():
    problems = archspec.check_file(EXAMPLE / "architecture.yaml").problems
    assert [(problem.code, problem.line) for problem in problems] == [("U013", 13)]


def test_checking_needs_no_torch(tmp_path):
    install(tmp_path, "squeeze_excite = squeeze_excite.description:SqueezeExcite")
    file = str(EXAMPLE / "architecture.yaml")
    code = f"import sys, archspec; archspec.load({file!r}); assert 'torch' not in sys.modules"
    assert run(tmp_path, "-c", code).returncode == 0
