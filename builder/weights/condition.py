"""What diffusers' ``UNet2DConditionModel`` can say of an architecture: its configuration, or every reason why not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, cast

from archspec import ArchGraph, Op, Problem, UserError, ops
from archspec.forms.template import UNet, expand
from archspec.graphs.graph import input_nodes, input_shapes, inputs_of, op_of, ops_of, output_node, shape_of
from archspec.graphs.infer import annotate
from archspec.ops.base import num_groups
from archspec.ops.shapes import FeatureMap
from archspec.text.errors import merged
from builder.weights.standard import other_inputs, other_operations, placed, renumbered

#: How a vector enters: as SDXL's pooled text and sizes, or through a projection as it is.
Vector = Literal["text_time", "projection"]

_LANDMARKS = ("conv_in", "time", "temb", "down.0.block.0", "norm_out", "conv_out")
#: What it is made of.
_OPERATIONS = (
    ops.Input, ops.Output, ops.TimeEmbedding, ops.Mlp, ops.LabelEmbedding, ops.AddEmbeddings, ops.Conv, ops.Norm,
    ops.Act, ops.ResnetBlock, ops.Transformer, ops.Downsample, ops.Upsample, ops.Concat,
)  # fmt: skip


def is_conditional(architecture: ArchGraph) -> bool:
    """Whether it is a matter for ``UNet2DConditionModel``: there are transformers."""
    return any(isinstance(op, ops.Transformer) for _, op in ops_of(architecture))


def condition_config(architecture: ArchGraph, vector: Vector = "text_time") -> dict[str, Any]:
    """The arguments of ``UNet2DConditionModel`` that make the same network.

    What diffusers calls `attention_head_dim` is the number of heads there.

    Raises:
        UserError: ``UNet2DConditionModel`` cannot say this architecture; with every reason.
    """
    missing = [node for node in _LANDMARKS if node not in architecture]
    if missing or "image" not in input_nodes(architecture):
        message = f"it is not shaped like the reference U-Net; there is no {', '.join(missing) or 'image'}."
        others = (_reason(*one) for one in other_operations(architecture, _OPERATIONS))
        raise UserError(merged([_reason(None, message), *others]))
    reader = _Reader(renumbered(architecture))
    problems = list(reader.problems())
    if problems:
        raise UserError(merged(problems))
    return reader.config(vector)


def _reason(node: str | None, message: str) -> Problem:
    return Problem(code="U090", message=f"UNet2DConditionModel cannot say this: {message}", node=node)


class _Reader:
    """Reads the parameters of the short form off a graph; whatever differs from what they give is a reason."""

    def __init__(self, graph: ArchGraph) -> None:
        self.graph = graph
        self.levels = sorted({at.level for at in placed(graph).values() if at.side == "down"})
        self.blocks = [
            len([1 for at in placed(graph).values() if (at.side, at.level, at.part) == ("down", level, "block")])
            for level in self.levels
        ]
        self.maps = [cast(FeatureMap, shape_of(graph, f"down.{level}.block.0")) for level in self.levels]
        self.with_attention = [self._op(f"down.{level}.attn.0") for level in self.levels]
        self.middle = self._op("mid.attn_1")
        # What the parameters of the whole network are read from; another operation there is a reason like any other.
        time, first = op_of(graph, "time"), op_of(graph, "down.0.block.0")
        self.time = time if isinstance(time, ops.TimeEmbedding) else ops.TimeEmbedding(dim=self.maps[0].channels)
        self.first = first if isinstance(first, ops.ResnetBlock) else ops.ResnetBlock(out=self.maps[0].channels)
        self.inputs = {kind: cast(ops.Input, op_of(graph, node)) for kind, node in input_nodes(graph).items()}

    def _op(self, node: str) -> Op | None:
        return op_of(self.graph, node) if node in self.graph else None

    def _transformers(self) -> list[ops.Transformer]:
        return [op for node in self.graph if isinstance(op := op_of(self.graph, node), ops.Transformer)]

    def _heads(self, op: Op | None, level: int) -> int:
        """Heads at a level; where there is no attention, those that its width would have beside the others."""
        channels = self.maps[level].channels
        if isinstance(op, ops.Transformer):
            return op.split(channels)[0]
        others = [*self.with_attention, self.middle]
        widths = [other.head_dim for other in others if isinstance(other, ops.Transformer) and other.head_dim]
        return channels // widths[0] if widths and channels % widths[0] == 0 else 1

    def unet(self) -> UNet:
        """The short form that comes nearest."""
        sizes = [here.size for here in self.maps]
        at = {
            sizes[level]: {"heads": self._heads(op, level), "depth": _depth(op)}
            for level, op in enumerate(self.with_attention)
            if op is not None
        }
        last = len(self.levels) - 1
        middle = {"heads": self._heads(self.middle, last), "depth": _depth(self.middle)} if self.middle else False
        strided = [op for node in self.graph if isinstance(op := op_of(self.graph, node), ops.Downsample)]
        transformers = self._transformers()
        written: dict[str, Any] = {
            "ch": self.maps[0].channels,
            "out_ch": cast(FeatureMap, shape_of(self.graph, "conv_out")).channels,
            "ch_mult": [here.channels / self.maps[0].channels for here in self.maps],
            "num_res_blocks": self.blocks,
            "attn_resolutions": list(at),
            "attn_at": at,
            "mid_attn": middle,
            "mid_block": "mid.block_1" in self.graph,
            "attn_type": "transformer",
            "in_channels": self.inputs["image"].channels,
            "resolution": sizes[0],
            "dropout": self.first.dropout,
            "num_groups": num_groups(self.first.groups, self.first.out),
            "norm_eps": self.first.eps,
            "conditioning": self.first.conditioning if self.first.conditioning != "none" else "add",
            "downsample_padding": strided[0].padding if strided else "symmetric",
            "time": {"order": self.time.order, "freq_shift": self.time.freq_shift},
            "transformer": {"projection": transformers[0].projection} if transformers else {},
        }
        if "tokens" in self.inputs:
            written["tokens"] = {"dim": self.inputs["tokens"].dim, "length": self.inputs["tokens"].length}
        if "vector" in self.inputs:
            written["vector"] = {"dim": self.inputs["vector"].dim}
        labels = self._op("label_emb")
        if isinstance(labels, ops.LabelEmbedding):
            written["label"] = {"classes": labels.classes}
        return UNet.model_validate(written)

    def problems(self) -> Iterator[Problem]:
        """Every difference from what the short form gives, and what diffusers has one number for."""
        expected = expand(self.unet(), "UNet2DConditionModel")
        annotate(expected)
        yield from _differences(_standard(self.graph), _standard(expected))
        if "tokens" not in self.inputs:
            yield _reason(None, "its transformers always attend to tokens, and there are none.")
        if self.first.dropout:
            yield _reason(None, "dropout inside of transformers, which goes with that of the residual blocks here.")
        if "label" in self.inputs and "vector" in self.inputs:
            yield _reason(None, "a class and a vector together.")
        last = len(self.levels) - 1
        if self.middle is not None and self.with_attention[last] is not None:
            ours = [(self._heads(op, last), _depth(op)) for op in (self.with_attention[last], self.middle)]
            if ours[0] != ours[1]:
                message = "the middle has the heads and the depth of the last level, "
                found = " and ".join(f"{heads} heads with depth {depth}" for heads, depth in ours)
                yield _reason("mid.attn_1", f"{message}and here there are {found}.")

    def config(self, vector: Vector) -> dict[str, Any]:
        """The configuration of what the short form says."""
        unet, last = self.unet(), len(self.levels) - 1
        depths = [_depth(op) for op in self.with_attention]
        heads = [self._heads(op, level) for level, op in enumerate(self.with_attention)]
        if self.middle is not None and self.with_attention[last] is None:
            heads[last], depths[last] = self._heads(self.middle, last), _depth(self.middle)
        kinds = ["CrossAttnDownBlock2D" if op else "DownBlock2D" for op in self.with_attention]
        middle = {True: "UNetMidBlock2DCrossAttn", False: "UNetMidBlock2D"}[self.middle is not None]
        shift = self.time.freq_shift
        return {
            "sample_size": unet.resolution,
            "in_channels": unet.in_channels,
            "out_channels": unet.out_ch,
            "center_input_sample": False,
            "flip_sin_to_cos": self.time.order == "cos_sin",
            "freq_shift": int(shift) if shift.is_integer() else shift,
            "down_block_types": kinds,
            "mid_block_type": middle if unet.mid_block else None,
            "up_block_types": [kind.replace("Down", "Up") for kind in reversed(kinds)],
            "block_out_channels": [here.channels for here in self.maps],
            "layers_per_block": self.blocks[0] if len(set(self.blocks)) == 1 else self.blocks,
            "downsample_padding": int(unet.downsample_padding == "symmetric"),
            "mid_block_scale_factor": 1,
            "act_fn": "silu",
            "norm_num_groups": unet.num_groups,
            "norm_eps": unet.norm_eps,
            "cross_attention_dim": unet.tokens.dim if unet.tokens else None,
            "transformer_layers_per_block": depths[0] if len(set(depths)) == 1 else depths,
            "attention_head_dim": heads[0] if len(set(heads)) == 1 else heads,
            "use_linear_projection": unet.transformer.projection == "linear",
            "resnet_time_scale_shift": "default" if unet.conditioning == "add" else "scale_shift",
            "num_class_embeds": unet.label.classes if unet.label else None,
            **self._vector(vector),
        }

    def _vector(self, vector: Vector) -> dict[str, Any]:
        if "vector" not in self.inputs:
            return {}
        width = cast(int, self.inputs["vector"].dim)
        if vector == "projection":
            return {"class_embed_type": "projection", "projection_class_embeddings_input_dim": width}
        return {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256 if width > 256 else 2,
            "projection_class_embeddings_input_dim": width,
        }


def _depth(op: Op | None) -> int:
    return op.depth if isinstance(op, ops.Transformer) else 1


_Nodes = Mapping[str, tuple[Op, dict[str, Any], dict[str, str]]]
#: Parameters that say how weights start, or are allocated, and not what is computed.
_STARTS = ("zero_init",)


def _standard(graph: ArchGraph) -> _Nodes:
    """The nodes with their operations, what these compute, and their inputs; the ends under standard names."""
    names = {node: kind for kind, node in input_nodes(graph).items()} | {output_node(graph): "output"}
    found = {}
    for node in graph:
        op, shapes = op_of(graph, node), input_shapes(graph, node)
        does = {key: value for key, value in op.canonical(shapes).items() if key not in _STARTS}
        if isinstance(op, ops.Transformer):
            # The kind of projection has a place in the configuration, though it does not change what is computed.
            does["projection"] = op.projection
        inputs = {port: names.get(source, source) for port, source in inputs_of(graph, node).items()}
        found[names.get(node, node)] = (op, does, inputs)
    return found


def _differences(ours: _Nodes, theirs: _Nodes) -> Iterator[Problem]:
    for node in theirs:
        if node not in ours:
            yield _reason(node, f"there is no {theirs[node][0].op} here.")
    for node, (op, does, inputs) in ours.items():
        if node not in theirs:
            yield _reason(node, f"there would be no {op.op} here.")
            continue
        there, would, their_inputs = theirs[node]
        if type(op) is not type(there):
            yield _reason(node, f"it would be {there.op}, not {op.op}.")
            continue
        keys = [key for key in dict.fromkeys([*does, *would]) if does.get(key) != would.get(key)]
        yield from (_reason(node, f"{key} would be {would.get(key)}, not {does.get(key)}.") for key in keys)
        yield from (_reason(node, message) for message in other_inputs(inputs, their_inputs))
