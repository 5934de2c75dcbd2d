"""A compiled model as one file of plain PyTorch that needs nothing of ours."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, fx

from archspec import ArchGraph, fingerprint, to_yaml, total_price
from archspec.graphs.graph import input_nodes
from archspec.text.atomic import write_text
from builder.assemble import assemble
from builder.export.constructors import constructors
from builder.export.definitions import Definitions
from builder.export.source import Readable
from builder.export.verify import Exported, stirred, verified
from builder.inputs import ARGUMENTS, given
from builder.network import Group, Network
from builder.weights.files import write

#: fp32 sums in the same order; nothing may differ but the last bit.
LIMIT = 1e-6

_PLACE = '''
def place(self, path: str, module: nn.Module) -> None:
    """Put a module at its path: what is at ``down.0.block.1`` is ``self.down[0].block[1]``."""
    *groups, name = path.split(".")
    at: nn.Module = self
    for group in groups:
        if group not in dict(at.named_children()):
            at.add_module(group, Group())
        at = at.get_submodule(group)
    at.add_module(name, module)
'''


def standalone(architecture: ArchGraph, spec: str | None = None) -> str:
    """The architecture as a Python file: the layers it uses, and a class `UNet` whose forward reads like the spec.

    Variables are named by the nodes' ids with dots as underscores; module paths are the ids, so that a `state_dict` of
    the compiled model fits.

    Args:
        architecture: what to write.
        spec: the text of its file, for the docstring; without, the graph is written out.
    """
    definitions = Definitions()
    made = constructors(architecture, definitions)
    definitions.need(Group)
    definitions.imports |= {"import torch", "from torch import Tensor, nn"}
    forward = _forward(architecture, definitions)
    lines = [f"self.place({node!r}, {call})" for node, call in made.items()]
    init = "\n".join(["def __init__(self) -> None:", "    super().__init__()", *(f"    {line}" for line in lines)])
    body = "\n".join(textwrap.indent(text.strip("\n"), "    ") + "\n" for text in (init, _PLACE, forward))
    about = f'    """{_quoted(_name(architecture))}; inputs and output as in the docstring of this file."""\n'
    parts = [
        _docstring(architecture, spec),
        "from __future__ import annotations\n",
        _imports(definitions.imports) + "\n",
        *(f"\n{text}\n" for text in definitions.texts.values()),
        f"\nclass UNet(nn.Module):\n{about}\n{body}",
    ]
    return _formatted("\n".join(parts))


def write_standalone(
    network: Network, path: Path, *, spec: str | None = None, weights: bool = False
) -> tuple[Exported, Path | None]:
    """Write the file, and beside it the network's weights as safetensors if they are wanted.

    It is tried before, with random values for weights that are all zero.

    Returns:
        What was written, and the weights' file.

    Raises:
        UserError: it differs from the compiled model by more than `LIMIT`, or cannot be said.
    """
    text = standalone(network.architecture, spec)
    other = run_standalone(text)
    tried = stirred(network)
    other.load_state_dict(tried.state_dict(), strict=True)
    other.train(network.training)
    exported = verified(tried, lambda inputs: _call(other, inputs), path, LIMIT, "the file")
    write_text(path, text)
    if not weights:
        return exported, None
    beside = path.with_suffix(".safetensors")
    write(network.state_dict(), beside)
    return exported, beside


def run_standalone(text: str) -> Any:
    """The network of a standalone file's text."""
    name = "ushape_standalone_export"
    namespace: dict[str, Any] = {"__name__": name}
    # dataclasses look their module up by its name
    sys.modules[name] = type(sys)(name)
    try:
        sys.modules[name].__dict__.update(namespace)
        exec(compile(text, "<standalone>", "exec"), sys.modules[name].__dict__)  # the text is our own
        return sys.modules[name].__dict__["UNet"]()
    finally:
        del sys.modules[name]


def _call(other: Any, inputs: Mapping[str, Tensor]) -> Tensor:
    result: Tensor = other(**inputs)
    return result


def _name(architecture: ArchGraph) -> str:
    return " ".join(str(architecture.graph["name"]).split())


def _docstring(architecture: ArchGraph, spec: str | None) -> str:
    price = total_price(architecture)
    text = to_yaml(architecture) if spec is None else spec
    return "\n".join(
        [
            f'"""{_quoted(_name(architecture))}: a diffusion U-Net of plain PyTorch.',
            "",
            f"Fingerprint {fingerprint(architecture)}.",
            f"{price.parameters:,} parameters, {price.macs:,} multiply-accumulates per image.",
            "Use: network = UNet(); network.load_state_dict(safetensors.torch.load_file(PATH)); "
            f"network({', '.join(f'{name}=...' for name in _arguments(architecture))}).",
            "",
            "The architecture as it was written:",
            "",
            textwrap.indent(_quoted(text.strip("\n")), "    "),
            '"""',
            "",
        ]
    )


def _arguments(architecture: ArchGraph) -> list[str]:
    return [ARGUMENTS[kind] for kind in input_nodes(architecture)]


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')


def _imports(lines: Iterable[str]) -> str:
    """Import lines, those from one module joined; the standard library first, then torch."""
    plain, names = [], dict[str, set[str]]()
    for line in lines:
        if line.startswith("import "):
            plain.append(line)
        else:
            _, module, _, what = line.split(" ", 3)
            names.setdefault(module, set()).update(what.split(", "))
    joined = [f"from {module} import {', '.join(sorted(what))}" for module, what in names.items()]
    everything = sorted([*plain, *joined], key=lambda line: (line.startswith("from"), line))
    torchs = [line for line in everything if line.split()[1].split(".")[0] == "torch"]
    others = [line for line in everything if line not in torchs]
    return "\n".join([*others, *([""] if others else []), *torchs])


def _forward(architecture: ArchGraph, definitions: Definitions) -> str:
    with torch.device("meta"):
        graph = _without_checks(assemble(architecture).graph)
    generated = graph.python_code(root_module="self")
    reader = _Standalone(generated.globals, (node.name for node in graph.nodes), definitions)
    tree = ast.fix_missing_locations(reader.visit(ast.parse(generated.src)))
    function = next(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    for argument in function.args.args[1:]:
        argument.annotation = ast.Name("Tensor", ast.Load())
    for argument in function.args.args[len(function.args.args) - len(function.args.defaults) :]:
        argument.annotation = ast.parse("Tensor | None", mode="eval").body
    function.returns = ast.Name("Tensor", ast.Load())
    return ast.unparse(function)


def _without_checks(graph: fx.Graph) -> fx.Graph:
    """The same calls; inputs that must be given are arguments without a default, and unused ones are gone."""
    plain = fx.Graph()
    plain.output(plain.graph_copy(graph, {}))
    for node in list(plain.nodes):
        if node.target is given:
            argument = node.args[0]
            assert isinstance(argument, fx.Node)
            argument.args = ()
            node.replace_all_uses_with(argument)
            plain.erase_node(node)
    for node in plain.find_nodes(op="placeholder"):
        if not node.users:
            plain.erase_node(node)
    return plain


class _Standalone(Readable):
    """Functions of ours are defined in the file."""

    def __init__(self, names: Mapping[str, Any], variables: Iterable[str], definitions: Definitions) -> None:
        super().__init__(names, variables)
        self.definitions = definitions

    def named(self, function: FunctionType, alias: str) -> str:
        """The function's name; where a variable has it, the name with a line below."""
        del alias
        name = self.definitions.need(function)
        other = name
        while other in self.variables:
            other += "_"
        if other != name:
            self.definitions.texts[other] = f"{other} = {name}"
        return other


def _formatted(text: str) -> str:
    """The text as ruff formats it, where ruff is installed."""
    beside = Path(sys.executable).with_name("ruff")
    ruff = str(beside) if beside.exists() else shutil.which("ruff")
    if ruff is None:
        return text
    command = [ruff, "format", "--isolated", "--line-length", "120", "--stdin-filename", "unet.py", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else text
