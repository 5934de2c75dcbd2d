from reports.analysis.curves import Curve
from reports.figures.curves import variant_figure


def test_what_plotly_would_not_show_as_written_is_told_by_number() -> None:
    curve = Curve('a "b" <i>%{y}</i> & c', (1, 2), (0.5, 0.4), emphasis=False)
    (trace,) = variant_figure([curve]).data
    # Plotly knows no &quot; and would fill in %{y}; numbers it knows all.
    assert trace.name == "a &#34;b&#34; &#60;i&#62;%&#123;y&#125;&#60;/i&#62; &#38; c"
    assert trace.hovertemplate.startswith(trace.name)
