"""A compiled model as ONNX, and as torch.export's program; both for any number of images."""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from archspec import UserError, user_error
from archspec.text.atomic import replacing
from builder.export.example import argument_names, example_inputs
from builder.export.verify import Exported, rehearsed, verified
from builder.network import Network

#: Other kernels sum in another order.
ONNX_LIMIT, PROGRAM_LIMIT = 1e-4, 1e-5
#: ONNX files cannot be larger than 2 GiB; above this the weights lie in a file beside.
_LARGE = 1_800_000_000


def write_program(network: Network, path: Path) -> Exported:
    """Write `torch.export`'s program (.pt2), read it again and try it.

    Raises:
        UserError: the ending is another, or it differs from the compiled model by more than `PROGRAM_LIMIT`.
    """
    _ending(path, ".pt2")
    return rehearsed(_program, network, path)


def _program(network: Network, path: Path) -> Exported:
    names = argument_names(network)
    with replacing(path) as beside:
        torch.export.save(exported_program(network), beside)
        called = torch.export.load(beside).module()

        def call(given: dict[str, Tensor]) -> Tensor:
            result: Tensor = called(*(given.get(name) for name in names))
            return result

        return verified(network, call, path, PROGRAM_LIMIT, "the program")


def exported_program(network: Network) -> torch.export.ExportedProgram:
    """The network as `torch.export` traces it, for any number of images; arguments in the order of its forward."""
    names, given = argument_names(network), example_inputs(network, 2)
    dynamic = tuple(_batch(name in given) for name in names)
    return torch.export.export(network, tuple(given.get(name) for name in names), dynamic_shapes=dynamic)


def _batch(there: bool) -> dict[int, Any] | None:  # noqa: FBT001 - one word
    return {0: torch.export.Dim("batch", min=1, max=65_535)} if there else None


def write_onnx(network: Network, path: Path) -> Exported:
    """Write an ONNX file and try it with onnxruntime.

    Inputs are named by the arguments of forward, the output `out`; timesteps are float32. The weights of a large
    network lie beside it, in a file with the ending ``.data``.

    Raises:
        UserError: a package is missing, the ending is another, an operation has no counterpart, or it differs from
            the compiled model by more than `ONNX_LIMIT`.
    """
    _ending(path, ".onnx")
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise user_error(f"ONNX needs the packages {', '.join(missing)}.", "Run `pip install 'ushape[onnx]'`.")
    return rehearsed(_onnx, network, path)


def _onnx(network: Network, path: Path) -> Exported:
    size = sum(value.numel() * value.element_size() for value in network.state_dict().values())
    with replacing(path) as beside:
        _to_onnx(network, beside, path, external=size > _LARGE)
        exported = verified(network, _onnx_call(beside), path, ONNX_LIMIT, "the ONNX file")
        for data in beside.parent.glob("*.data"):
            shutil.move(data, path.parent / data.name)
        return exported


def _to_onnx(network: Network, beside: Path, path: Path, *, external: bool) -> None:
    names, given = argument_names(network), example_inputs(network, 2)
    dynamic = tuple(_batch(name in given) for name in names)
    try:
        with _quiet():
            torch.onnx.export(
                network,
                tuple(given.get(name) for name in names),
                beside,
                input_names=list(given),
                output_names=["out"],
                dynamic_shapes=dynamic,
                external_data=external,
                dynamo=True,
                verbose=False,
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError, NotImplementedError) as error:
        raise _cannot(error, path) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch says about its own use of onnxscript and about packages that it would know operators of."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _cannot(error: Exception, path: Path) -> UserError:
    while error.__cause__ is not None and isinstance(error.__cause__, Exception):
        error = error.__cause__
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    return user_error(f"torch cannot say this network as ONNX: {reason}.", file=str(path))


def _onnx_call(file: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def call(given: dict[str, Tensor]) -> Tensor:
        feed = {name: value.numpy() for name, value in given.items()}
        return torch.from_numpy(session.run(["out"], feed)[0])

    return call


def _ending(path: Path, ending: str) -> None:
    if path.suffix != ending:
        raise user_error(f"the file must end in {ending}, not in `{path.suffix}`.", file=str(path))
