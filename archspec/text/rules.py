"""Every rule in one table: code, severity and the sentence that names it; the page of each is ``pages/CODE.md``."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.text.errors import Severity


@dataclass(frozen=True)
class Rule:
    """One rule: what it says and how bad it is to break it."""

    title: str
    severity: Severity = "error"


RULES: dict[str, Rule] = {
    # the text
    "U001": Rule("the file can be read"),
    "U002": Rule("the text is YAML"),
    "U003": Rule("a key stands once in its mapping"),
    "U004": Rule("text and problems are of a bounded number, size and depth"),
    "U010": Rule("every key is known"),
    "U011": Rule("no required key is missing"),
    "U012": Rule("values have the right type and range"),
    "U013": Rule("operations exist"),
    "U014": Rule("keys that exclude each other do not stand together"),
    "U090": Rule("the request can be carried out"),
    "U091": Rule("a silence silences something", "warning"),
    # the graph
    "U101": Rule("edges join nodes that exist"),
    "U102": Rule("edges end at ports that exist"),
    "U103": Rule("a port is filled once"),
    "U104": Rule("a required port is filled"),
    "U105": Rule("the graph has no cycle"),
    "U106": Rule("every node is reachable from an input"),
    "U107": Rule("every node leads to the output"),
    "U108": Rule("there is one output and at least one image input"),
    "U109": Rule("node ids are module paths that torch and Python allow"),
    "U110": Rule("nothing comes after the output"),
    # shapes
    "U201": Rule("a port gets the kind of value it takes"),
    "U202": Rule("channels fit"),
    "U203": Rule("sizes fit at a merge"),
    "U204": Rule("channels split into the groups of a norm"),
    "U205": Rule("channels split into heads"),
    "U206": Rule("sizes are divisible at a downsample"),
    "U207": Rule("widths are whole numbers, and not absurd"),
    "U208": Rule("the output has the size of the input"),
    "U209": Rule("shapes stay within bounds"),
    "U210": Rule("maps split into the windows of attention"),
    # edits
    "U301": Rule("an edit matches something"),
    "U302": Rule("an edit changes something"),
    "U303": Rule("a removed node can be bypassed"),
    "U304": Rule("selectors can be read"),
    "U305": Rule("edits set parameters that exist"),
    "U306": Rule("edges to connect or disconnect fit the graph"),
    "U307": Rule("edits of `unet:` stand first, in a file that has `unet:`"),
    "U308": Rule("every part of an `or` in a selector matches something", "warning"),
    # studies
    "U401": Rule("a study asks something"),
    "U402": Rule("variants differ from the base and from each other"),
    "U403": Rule("a search space is sound"),
    "U404": Rule("data and architecture fit"),
    "U405": Rule("variants have about as many parameters as the base, where the study says so", "warning"),
    "U406": Rule("norm groups keep their width where channels change", "warning"),
    "U407": Rule("a design of an ablation can be made"),
    "U408": Rule("where the records go, and what starts trials, is known on this machine", "warning"),
    "U409": Rule("a search has as much to train as it asks for", "warning"),
    # doubts
    "U501": Rule("every attention resolution that is listed has an effect", "warning"),
    "U502": Rule("no attention listed, yet the middle has one", "warning"),
    "U503": Rule("linear attention without norm and residual replaces its input", "warning"),
    "U504": Rule("parameters do not overrule each other", "warning"),
}
