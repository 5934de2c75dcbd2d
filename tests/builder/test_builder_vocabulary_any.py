"""Any combination of the short form's parameters is sound, with torch's shapes and counts, or is refused."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from network_arguments import network_arguments
from torch.utils.flop_counter import FlopCounterMode

from archspec import check_data, fingerprint, from_document, to_document, total_price
from archspec.text.positions import Positions
from builder import assemble
from tests.examples import up_to

LEVELS = 2
FLAG = st.booleans()
ATTENTION = st.sampled_from(["vanilla", "linear", "none", "transformer"])


def some_of(**values):
    """A mapping with any of these keys."""
    return st.fixed_dictionaries({}, optional=values)


UNETS = st.fixed_dictionaries(
    {
        "ch": st.sampled_from([8, 12, 32]),
        "out_ch": st.just(2),
        "ch_mult": st.lists(st.sampled_from([0.5, 1, 1.5, 2]), min_size=LEVELS, max_size=LEVELS),
        "num_res_blocks": st.sampled_from([1, 2, [1, 2], [2, 1], [1, 1, 1]]),
        "attn_resolutions": st.sampled_from([[], [8], [8, 4]]),
        "in_channels": st.just(3),
        "resolution": st.sampled_from([8, 8, 8, 6, 7]),
        "num_groups": st.sampled_from(["auto", "auto", 2, 4, 32]),
    },
    optional={
        "attn_type": ATTENTION,
        "attn": some_of(
            heads=st.sampled_from([1, 2]), residual=FLAG, norm=FLAG, qkv_bias=FLAG, fused_qkv=FLAG, zero_init=FLAG
        ),
        "attn_at": st.dictionaries(st.sampled_from([8, 4]), some_of(type=ATTENTION, depth=st.just(2)), max_size=1),
        "mid_attn": FLAG | some_of(type=ATTENTION, depth=st.just(2)),
        "skip": st.sampled_from(["concat", "add", "none"]),
        "use_timestep": FLAG,
        "conditioning": st.sampled_from(["add", "scale_shift"]),
        "residual_scale": st.just(0.5),
        "resblock_updown": FLAG,
        "resample_filter": st.sampled_from([[1.0, 1.0], [1.0, 3.0, 3.0, 1.0], [1.0, 2.0, 1.0]]),
        "downsample_padding": st.just("symmetric"),
        "norm_type": st.sampled_from(["group", "rms", "layer", "pixel", "none"]),
        "norm_order": st.sampled_from(["pre", "post"]),
        "act": st.sampled_from(["silu", "relu", "gelu"]),
        "condition_both": FLAG,
        "skip_per": st.sampled_from(["block", "level"]),
        "skip_scale": st.sampled_from([0.5, -2.0]),
        "learn_skip_scale": FLAG,
        "time": st.sampled_from(
            [
                {"scale": 2.0, "order": "cos_sin"},
                {"type": "fourier", "order": "cos_sin"},
                {"type": "fourier", "scale": 2.0},
                {"type": "learned", "steps": 20},
                {"steps": 20},
            ]
        ),
        "stem": st.just("first_level"),
        "mid_block": FLAG,
        "label": some_of(type=st.sampled_from(["table", "linear"]), before_mlp=FLAG, bias=FLAG).map(
            lambda options: {"classes": 3, **options}
        ),
        "vector": some_of(before_mlp=FLAG).map(lambda options: {"dim": 3, **options}),
        "tokens": st.just({"dim": 5, "length": 2}),
        "transformer": some_of(
            depth=st.sampled_from([1, 2, [1, 2], [1], [1, [2, 1]], [[1, 2], [2, 1, 1]]]),
            self_attention=FLAG,
            cross_attention=FLAG,
            feed_forward=FLAG,
            ff_act=st.just("gelu"),
            projection=st.just("linear"),
        ),
    },
)


@up_to(100, derandomize=True)
@given(UNETS)
def test_sound_or_refused(parameters):
    checked = check_data({"version": 1, "name": "any", "unet": parameters}, Positions("any"))
    if checked.graph is None:
        assert checked.errors
        return
    graph = checked.graph
    assert fingerprint(from_document(to_document(graph))) == fingerprint(graph)
    with torch.device("meta"):
        network = assemble(graph).eval()
    with FlopCounterMode(display=False) as counter:
        output = network(**network_arguments(graph))
    size = graph.nodes["x"]["shape"].size
    assert output.shape == (1, 2, size, size)
    price = total_price(graph)
    assert price.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert 2 * price.macs == counter.get_total_flops()
