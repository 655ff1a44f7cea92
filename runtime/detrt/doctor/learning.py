"""Checks that train for a moment: one step, eight pictures by heart, and the loss over the learning rate."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from detrt.curves import Chart, Series, svg
from detrt.data.loader import plain_loader, train_loader
from detrt.doctor.patient import Patient
from detrt.doctor.report import Check, Verdict
from detrt.draw import contact_sheet, draw_detections
from detrt.evaluate.coco import score_coco
from detrt.files import write_png, write_text
from detrt.train.optimizer import make_optimizer

BY_HEART = 8
STEPS = 160
SECONDS = 90.0
RATES = (1e-5, 1.0)
RATE_STEPS = 50
RATE_BATCH = 8
BY_HEART_MAP = 0.7
"""mAP@0.5 on the eight pictures from which on the net counts as able to learn them."""


def loss_step(patient: Patient, folder: Path) -> Check:
    """One forward and backward pass: every term a number, every parameter reached by a gradient."""
    model = _fresh(patient)
    loader = train_loader(
        patient.dataset,
        patient.encoding,
        patient.head.targets,
        batch=patient.batch,
        augment=patient.augment,
        seed=patient.seed,
        workers=patient.workers,
        device=patient.device,
    )
    batch = next(iter(loader))
    terms = patient.loss(model, batch.inputs, batch.targets)
    total = sum(terms.values(), torch.zeros((), device=patient.device))
    lines = tuple(f"{name:<12} {value.item():10.4f}" for name, value in terms.items())
    if not math.isfinite(total.item()):
        return Check("one loss step", "bad", f"the loss is {total.item()}", lines)
    torch.autograd.backward(total)
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    broken = [name for name, p in trained if p.grad is not None and not torch.isfinite(p.grad).all()]
    silent = [name for name, p in trained if p.grad is None or not p.grad.abs().max()]
    norm = math.sqrt(sum(float(p.grad.square().sum()) for _, p in trained if p.grad is not None))
    text = f"loss {total.item():.4f}, gradient norm {norm:.3g}"
    if broken:
        return Check("one loss step", "bad", f"{text}; the gradient of {broken[0]} is not finite", lines)
    if len(silent) == len(trained):
        return Check("one loss step", "bad", f"{text}; no parameter gets a gradient", lines)
    if silent:
        text += f"; no gradient reaches {', '.join(silent[:3])}" + (
            f" and {len(silent) - 3} more" if len(silent) > 3 else ""
        )
    return Check(
        "one loss step", "look" if silent else "good", text, lines, figures={"loss": total.item(), "gradient": norm}
    )


def overfit(patient: Patient, folder: Path) -> Check:
    """Eight pictures, no augmentation: a net, loss and decoder that are sound know them by heart after a minute."""
    with_boxes = [picture for picture in patient.dataset if len(picture.annotation)][:BY_HEART]
    few = replace(patient.dataset, pictures=tuple(with_boxes))
    batch = next(
        iter(
            plain_loader(few, patient.encoding, patient.head.targets, batch=len(few), workers=0, device=patient.device)
        )
    )
    model = _fresh(patient)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    started, losses = time.monotonic(), []
    for _ in range(STEPS):
        losses.append(_step(patient, model, optimiser, batch.inputs, batch.targets))
        if not math.isfinite(losses[-1]) or time.monotonic() - started > SECONDS:
            break
    model.eval()
    with torch.no_grad():
        found = patient.head.decode(patient.values(model(batch.inputs)))
    on_pictures = [
        one.moved(patient.encoding.unplaced(one.boxes, *size)) for one, size in zip(found, batch.sizes, strict=True)
    ]
    result = score_coco(few, on_pictures)
    sheet = [
        draw_detections(patient.encoding.resized(few.load(i).image), found[i], few.classes) for i in range(len(few))
    ]
    write_png(folder / "by-heart.png", contact_sheet(sheet))
    curve = Series("loss", tuple((float(i + 1), v) for i, v in enumerate(losses) if math.isfinite(v)))
    write_text(folder / "by-heart.svg", svg(Chart("Eight pictures by heart", (curve,), x="step", bottom=0.0)))
    text = f"loss {losses[0]:.3f} -> {losses[-1]:.3f} in {len(losses)} steps, mAP@0.5 {result.map50:.2f} on {len(few)} pictures"
    learned = math.isfinite(losses[-1]) and losses[-1] < 0.5 * losses[0]
    verdict: Verdict = "good" if learned and result.map50 >= BY_HEART_MAP else "look" if learned else "bad"
    figures = {"first": losses[0], "last": losses[-1], "map50": result.map50}
    return Check("overfit on 8 pictures", verdict, text, files=("by-heart.png", "by-heart.svg"), figures=figures)


def rate_curve(patient: Patient, folder: Path) -> Check:
    """The loss while the learning rate grows from 1e-5 to 1: where it falls fastest is a fair rate, where it
    explodes the end of fair ones.
    """
    model = _fresh(patient)
    optimiser = make_optimizer(patient.optimizer, dict(model.named_parameters()))
    loader = train_loader(
        patient.dataset,
        patient.encoding,
        patient.head.targets,
        batch=min(patient.batch, RATE_BATCH),
        augment=patient.augment,
        seed=patient.seed,
        workers=patient.workers,
        device=patient.device,
    )
    factor = (RATES[1] / RATES[0]) ** (1 / (RATE_STEPS - 1))
    points: list[tuple[float, float]] = []
    smooth, started, epoch, ended = 0.0, time.monotonic(), 0, ""
    while not ended:
        loader.set_epoch(epoch)
        epoch += 1
        for batch in loader:
            rate = RATES[0] * factor ** len(points)
            for group in optimiser.param_groups:
                group["lr"] = rate
            loss = _step(patient, model, optimiser, batch.inputs, batch.targets)
            smooth = loss if not points else 0.8 * smooth + 0.2 * loss
            exploded = not math.isfinite(smooth) or (points and smooth > 4 * min(v for _, v in points))
            slow = time.monotonic() - started > SECONDS
            if exploded or slow or len(points) >= RATE_STEPS:
                ended = "slow" if slow and not exploded else "done"
                break
            points.append((rate, smooth))
    return _judge_rates(patient, points, folder, ended)


def _judge_rates(patient: Patient, points: list[tuple[float, float]], folder: Path, ended: str) -> Check:
    if len(points) < 5:
        return Check("learning rate", "bad", "the loss explodes at every learning rate")
    lowest = min(range(len(points)), key=lambda i: points[i][1])
    suggested = points[lowest][0] / 10
    chart = Chart(
        "Loss over the learning rate",
        (Series("loss", tuple(points)),),
        x=f"learning rate ({patient.optimizer.name})",
        log=True,
        mark=(patient.optimizer.lr, "the stage's"),
    )
    write_text(folder / "learning-rate.svg", svg(chart))
    if ended == "slow":
        text = f"too slow here to go beyond {points[-1][0]:.1g} in {SECONDS:.0f} s"
        return Check("learning rate", "look", text, files=("learning-rate.svg",))
    text = (
        f"lowest loss at {points[lowest][0]:.1g}, so about {suggested:.1g} is a fair start for {patient.optimizer.name}"
    )
    text += f"; the stage has {patient.optimizer.lr:.1g}"
    verdict: Verdict = "look" if patient.optimizer.lr > points[lowest][0] else "good"
    return Check(
        "learning rate",
        verdict,
        text,
        files=("learning-rate.svg",),
        figures={"suggested": suggested, "stage": patient.optimizer.lr},
    )


def _fresh(patient: Patient) -> nn.Module:
    torch.manual_seed(patient.seed)
    model = patient.make_model().to(patient.device)
    return model.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload, no-any-return]


def _step(
    patient: Patient, model: nn.Module, optimiser: torch.optim.Optimizer, inputs: Tensor, targets: Tensor
) -> float:
    total = sum(patient.loss(model, inputs, targets).values(), torch.zeros((), device=inputs.device))
    optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(total)
    nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimiser.step()
    return total.item()
