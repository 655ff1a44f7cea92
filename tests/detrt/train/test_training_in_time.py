"""Stages in time: they learn, count events by layer, let gates judge them, and pay for them in the loss."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tiny_events
import torch

from detrt.devices.loihi2.engines import choose_engine
from detrt.devices.loihi2.events import counting, penalties
from detrt.devices.loihi2.stages import EventsNet, clipped, prepare
from detrt.errors import DetrtError
from detrt.heads import build_head
from detrt.layers.neurons import MeanOnly
from detrt.page import write_run_page

SPARSITY = {"events": {"weight": 0.5, "rate": 0.01}}


def trained(folder: Path, *stages: dict, pictures: int = 8) -> dict:
    """result.json of a run that ended well."""
    lock = folder / "spec.lock.json"
    lock.write_text(json.dumps(tiny_events.lock(list(stages), pictures=pictures)))
    assert tiny_events.run(lock) == 0
    return json.loads((folder / "runs/1/result.json").read_text())


def in_time(trainable: bool = False, **stage: object) -> EventsNet:
    """An untrained net that is ready for a stage."""
    torch.manual_seed(0)
    model = prepare(tiny_events.Tiny(), {"plan": tiny_events.plan(trainable)}, tiny_events.stage("time", **stage))
    assert isinstance(model, EventsNet)
    return model


def gate(name: str, at_most: float) -> dict:
    condition = {"op": "<=", "left": {"name": name}, "right": {"value": at_most}}
    return {"text": f"{name} <= {at_most}", "condition": condition}


def test_a_stage_in_time_learns_counts_events_and_is_judged_by_them(tmp_path, capsys):
    gates = [gate("event_rate", 0.9), gate("events", 3000), gate("synops", 1e6)]
    rest = tiny_events.stage("rest", quantize={}, steps=None, epochs=1)
    start = {"stage": "steps.rest", "which": "best"}
    time = tiny_events.stage("time", start=start, regularize=SPARSITY, gates=gates)
    first, second = trained(tmp_path, rest, time)["stages"]
    assert "event_rate" not in first["final"]
    figures = second["final"]
    for key in ("event_rate", "events", "synops"):
        assert {f"{key}/{layer}" for layer in ("encode", "conv1", "conv2")} < set(figures)
    for key in ("events", "synops"):
        assert figures[key] == pytest.approx(sum(figures[f"{key}/{layer}"] for layer in ("encode", "conv1", "conv2")))
    assert figures["events/conv1"] == pytest.approx(figures["event_rate/conv1"] * 8 * 14 * 14)
    assert [found["verdict"] for found in second["gates"]] == ["passed"] * 3
    table = (tmp_path / "runs/1/time/metrics.csv").read_text().splitlines()
    assert {"train/events", "val/event_rate/conv1"} < set(table[0].split(","))
    assert "of neurons send" in capsys.readouterr().out
    page = write_run_page(tmp_path / "runs/1", tmp_path / "run.html").read_text()
    assert "What a frame costs" in page and f'<td>conv1</td><td class="n">{figures["event_rate/conv1"]:.2%}' in page


def test_the_penalty_is_that_of_each_layers_mean_beyond_the_rate(tmp_path):
    model = in_time().train()
    asked = {"weight": 0.5, "rate": 0.02}
    term = penalties(model, {"regularize": {"events": asked}})
    assert term is not None and term() == {}
    sent = []
    watch = model.watch
    model.watch = lambda name, messages: (watch(name, messages), sent.append(float(messages.detach().abs().mean())))
    model(torch.randn(2, 3, 28, 28, 4))
    found = term()["events"]
    assert float(found.detach()) == pytest.approx(0.5 * sum(max(mean - 0.02, 0) ** 2 for mean in sent))
    assert len(sent) == 3 and max(sent) > 0.02 and term() == {}
    found.backward()
    assert float(model.conv1.weight_v.grad.abs().max()) > 0
    assert penalties(model, {"regularize": None}) is None


def test_less_is_sent_where_events_cost():
    model = in_time()
    term = penalties(model, {"regularize": {"events": {"weight": 1.0, "rate": 0.0}}})
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    clip = torch.randn(2, 3, 28, 28, 3)
    rates = []
    for _ in range(12):
        optimizer.zero_grad()
        model.train()(clip)
        term()["events"].backward()
        optimizer.step()
        with torch.no_grad(), counting(model.eval()) as counts:
            model(clip)
        rates.append(counts.figures(lambda sums: sums)["event_rate/conv1"])
    assert rates[-1] < 0.8 * rates[0]


def test_a_stage_may_train_the_form_that_is_scored():
    """Once its means stand still, a net trained as the chip runs gives what is scored; one trained as lava-dl's does not."""
    clip = torch.rand(2, 3, 28, 28, 6)
    for form, same in (("chip", True), ("sigma_delta", False)):
        model = in_time(quantize={"events": form})
        for _ in range(3):
            model.train()(clip)  # means that are not 0
        scored = model.eval()(clip)
        model.train()
        for module in model.modules():
            if isinstance(module, MeanOnly):
                module.eval()
        assert torch.equal(model(clip), scored) is same
        chosen = choose_engine(model, "auto", None)
        assert chosen is not None and ("quantize events = chip" in chosen.why) is same


def test_a_batch_without_an_object_gives_numbers():
    model = in_time().train()
    head = build_head(tiny_events.lock([])["model"]["heads"][0], {})
    terms = head.loss(model(torch.zeros(2, 3, 28, 28, 3)), torch.full((2, 4, 5), -1.0))
    sum(terms.values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is None or bool(torch.isfinite(parameter.grad).all()), name


def test_a_picture_is_held_and_its_last_step_is_given():
    model = in_time(steps=5).eval()
    picture = torch.randn(2, 3, 28, 28)
    assert torch.equal(model(picture), model(picture[..., None].expand(-1, -1, -1, -1, 5))[..., -1])


def test_a_threshold_that_learns_moves_in_training_and_is_rounded_down_on_the_device():
    model = in_time(trainable=True)
    threshold = model.sd1.threshold.requires_grad_()
    clip = torch.randn(2, 3, 28, 28, 4)
    model.train()(clip).square().sum().backward()
    assert float(threshold.grad.abs()) > 0
    with torch.no_grad():
        before = model.eval()(clip)
        threshold.fill_(6.9 / 64)
        assert torch.equal(model(clip), before)
        threshold.fill_(7 / 64)
        assert not torch.equal(model(clip), before)


def test_means_move_in_training_and_stand_still_where_their_norm_does():
    model = in_time().train()
    model.sd2.norm.eval()
    before = {name: value.clone() for name, value in model.named_buffers()}
    model(torch.randn(2, 3, 28, 28, 3))
    assert not torch.equal(model.sd1.norm.running_mean, before["sd1.norm.running_mean"])
    assert torch.equal(model.sd2.norm.running_mean, before["sd2.norm.running_mean"])


def test_what_lies_beyond_8_bits_or_wraps_is_told():
    model = in_time()
    with torch.no_grad():
        model.conv2.weight_g.fill_(100)
        model.sd2.norm.running_mean[0] = -7
        model.head.weight.fill_(3.9)
    with torch.no_grad(), counting(model.eval()):
        model(3 * torch.randn(2, 3, 28, 28, 3))
    told = clipped(model)
    assert "of its weights lie beyond -4 .. 3.96875" in told["conv2"] and "1 of its means" in told["conv2"]
    assert "went round" in told["head"] and "conv1" not in told


def test_a_net_without_a_plan_or_of_another_size_is_refused():
    with pytest.raises(DetrtError) as refusal:
        prepare(tiny_events.Tiny(), {"plan": None}, tiny_events.stage("time"))
    assert "detc check" in refusal.value.remedy
    with pytest.raises(DetrtError, match=r"\[n, 3, 28, 28, steps\]"):
        in_time()(torch.zeros(1, 3, 32, 32, 2))


def test_several_nets_give_a_list_of_maps_and_count_for_themselves():
    """Heads side by side: each net has cores of its own, though they share modules here."""
    plan = tiny_events.plan()
    plan["nets"] = [{**plan["nets"][0], "name": f"p{index}", "index": index} for index in (0, 1)]
    stage = tiny_events.stage("time")
    model = prepare(tiny_events.Tiny(), {"plan": plan}, stage).eval()
    alone = prepare(tiny_events.Tiny(), {"plan": tiny_events.plan()}, stage).eval()
    alone.load_state_dict(model.state_dict())
    clip = torch.randn(1, 3, 28, 28, 2)
    with torch.no_grad(), counting(model) as both, counting(alone) as one:
        maps, map = model(clip)["p"], alone(clip)
    assert all(torch.equal(found, map) for found in maps) and len(maps) == 2
    figures, single = (counts.figures(lambda sums: sums) for counts in (both, one))
    assert figures["events"] == 2 * single["events"] and figures["event_rate"] == single["event_rate"]
    assert figures["events/p1.conv1"] == single["events/conv1"]
