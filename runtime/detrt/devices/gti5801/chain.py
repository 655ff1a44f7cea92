"""The chip's part of a model as the lock plans it: the chain of convolutions, by the names of their torch modules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from detrt.devices.gti5801.arithmetic import ACTIVATION_MAX, TEN_BIT_CAP
from detrt.devices.gti5801.errors import DeviceError
from detrt.devices.gti5801.network import Kind, MajorShape

INPUT_CAP = 31.0
"""Pixels enter as 0..31."""


@dataclass(frozen=True, slots=True)
class Link:
    """One convolution of the chain with what stands behind it.

    `conv`, `norm`, `relu` are module names (`norm` empty without batch norm), `relu_node` the name that caps go by. `skip`: the
    input of the link before is added to this one's convolution. `pool` follows it: "max", "sample" or None. `levels` and `top`
    describe the chip's activation: 31 steps up to 31, or 1023 up to 31.96875.
    """

    conv: str
    norm: str
    eps: float
    relu: str
    relu_node: str
    kind: Kind
    bits: int
    skip: bool
    pool: Literal["max", "sample"] | None
    levels: int
    top: float
    in_channels: int
    out_channels: int
    padded_in: int
    padded_out: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The links in execution order, the shapes of the major layers they make up, and what leaves the chip."""

    links: tuple[Link, ...]
    shapes: tuple[MajorShape, ...]
    sampling: bool
    head_channels: int

    def cap_groups(self) -> list[list[str]]:
        """ReLUs whose caps must be equal, since the chip adds their outputs as integers; "" is the picture, with a cap of 31."""
        outputs = ["", *(link.relu_node for link in self.links)]
        group = {name: [name] for name in outputs}
        for index, link in enumerate(self.links):
            if link.skip:
                one, two = group[outputs[index - 1]], group[link.relu_node]
                if one is not two:
                    one += two
                    group |= dict.fromkeys(two, one)
        return list({id(names): names for names in group.values()}.values())


def _norm_between(nodes: Mapping[str, Any], relu: str, conv: str) -> str:
    """The batch norm on the way back from `relu` to `conv`, or ""."""
    waiting, found = [relu], ""
    while waiting:
        name = waiting.pop()
        for before in nodes[name]["inputs"] if name in nodes else ():
            if before == conv:
                return name if nodes[name]["op"] == "bn" else found
            if before in nodes and nodes[before]["op"] in ("bn", "add", "identity", "dropout"):
                waiting.append(before)
    return found


def read_plan(lock: Mapping[str, Any]) -> Plan:
    """The plan of a lock. DeviceError if the lock has none or it is damaged."""
    plan = lock.get("plan")
    if not plan:
        raise DeviceError("the lock has no plan for the 5801", remedy="build with --target gti5801")
    try:
        return _read(plan, {node["name"]: node for node in lock["model"]["nodes"]})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DeviceError(f"the plan of the lock is damaged at {error}", "spec.lock.json", "build again") from error


def _read(plan: Mapping[str, Any], nodes: Mapping[str, Any]) -> Plan:
    def module(name: str) -> str:
        return str(nodes.get(name, {}).get("module") or name)

    links: list[Link] = []
    shapes: list[MajorShape] = []
    for major in plan["majors"]:
        ten_bits = bool(major.get("ten_bits", False))
        subs = major["sublayers"]
        for index, sub in enumerate(subs):
            norm = _norm_between(nodes, sub["relu"], sub["conv"])
            links.append(
                Link(
                    conv=module(sub["conv"]),
                    norm=module(norm) if norm else "",
                    eps=float(nodes[norm]["attributes"].get("eps", 1e-5)) if norm else 0.0,
                    relu=module(sub["relu"]),
                    relu_node=sub["relu"],
                    kind=sub["kind"],
                    bits=int(major["bits"]),
                    skip=index in major.get("shortcuts", ()),
                    pool=major["pool"] if index == len(subs) - 1 else None,
                    levels=1023 if ten_bits else ACTIVATION_MAX,
                    top=TEN_BIT_CAP if ten_bits else float(ACTIVATION_MAX),
                    in_channels=int(sub["in_channels"]),
                    out_channels=int(sub["out_channels"]),
                    padded_in=int(sub["padded_in"]),
                    padded_out=int(sub["padded_out"]),
                )
            )
        shapes.append(
            MajorShape(
                image_size=int(major["image_size"]),
                input_channels=int(major["input_channels"]),
                output_channels=int(major["output_channels"]),
                bits=int(major["bits"]),
                kinds=tuple(sub["kind"] for sub in subs),
                pooling=major["pool"] is not None,
                shortcuts=tuple(major.get("shortcuts", ())),
                ten_bits=ten_bits,
            )
        )
    sampling = any(major["pool"] == "sample" for major in plan["majors"])
    return Plan(tuple(links), tuple(shapes), sampling, int(plan["head_channels"]))


def check_caps(plan: Plan, caps: Mapping[str, float]) -> None:
    """DeviceError unless there is a positive cap for every ReLU and equal ones where the chip adds."""
    for link in plan.links:
        if not 0 < caps.get(link.relu_node, 0) < float("inf"):
            raise DeviceError(
                f"no usable cap for `{link.relu_node}`: {caps.get(link.relu_node)}",
                remedy="run the calibration stage again",
            )
    for names in plan.cap_groups():
        values = {name: caps[name] if name else INPUT_CAP for name in names}
        if len(set(values.values())) > 1:
            raise DeviceError(
                f"a shortcut adds maps of different caps: {values}", remedy="run the calibration stage again"
            )
