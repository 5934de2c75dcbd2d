"""Node ids: they become module paths, so they must be words that a module can have as attributes."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator

MAX_LENGTH = 120

_SHAPE = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9][A-Za-z0-9_]*)*", re.ASCII)

#: The public attributes of torch's `nn.Module` and `fx.GraphModule`, which a submodule of that name would shadow.
_TAKEN = """
    T_destination add_module add_submodule apply bfloat16 buffers call_super_init children code compile cpu cuda
    delete_all_unused_submodules delete_submodule double dump_patches eval extra_repr float forward get_buffer
    get_extra_state get_parameter get_submodule graph half ipu load_state_dict meta modules mtia named_buffers
    named_children named_modules named_parameters parameters print_readable recompile register_backward_hook
    register_buffer register_forward_hook register_forward_pre_hook register_full_backward_hook
    register_full_backward_pre_hook register_load_state_dict_post_hook register_load_state_dict_pre_hook
    register_module register_parameter register_state_dict_post_hook register_state_dict_pre_hook requires_grad_
    set_extra_state set_submodule shape_env share_memory state_dict to to_empty to_folder train training type
    xpu zero_grad
"""

#: Words that a segment of a node id cannot be.
RESERVED: frozenset[str] = frozenset(_TAKEN.split()).union(keyword.kwlist)


def id_fault(node: str) -> tuple[str, str] | None:
    """What is wrong with a node id and what would be right, or None."""
    if len(node) > MAX_LENGTH:
        return f"a node id of {len(node)} letters is too long.", f"At most {MAX_LENGTH} are read."
    if not _SHAPE.fullmatch(node):
        return (
            f"`{node}` is not a node id.",
            "Ids are module paths: words of letters, digits and _ joined by dots, such as down.0.block.1.",
        )
    segments = node.split(".")
    taken = [segment for segment in segments if segment in RESERVED]
    if not taken:
        return None
    renamed = ".".join(f"{segment.strip('_')}_1" if segment in RESERVED else segment for segment in segments)
    owner = "Python has" if keyword.iskeyword(taken[0]) else "torch's modules have"
    return f"`{taken[0]}` cannot be part of a node id: {owner} that name already.", f"Write `{renamed}`."


def overlaps(nodes: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(outer, inner) for every id that lies inside the module path of another: ``a`` and ``a.b``."""
    names = list(nodes)
    known = set(names)
    for node in names:
        parts = node.split(".")
        for end in range(1, len(parts)):
            outer = ".".join(parts[:end])
            if outer in known:
                yield outer, node
