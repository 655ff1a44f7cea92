"""The GNetDet head against the oracle's numbers, and what must hold beyond them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from detrt.errors import DetrtError
from detrt.heads import build_decoder, build_head
from detrt.heads.gnetdet import GnetdetHead

CHOICES = {"detach_iou": True, "sqrt_eps": 1e-3, "norm_init": None}


def head(classes: int = 3, loss: dict[str, Any] | None = None, **options: Any) -> GnetdetHead:
    entry = {
        "kind": "gnetdet",
        "on": ["grid"],
        "options": {"boxes": 2, "classes": classes, "grid": [14, 14], **options},
    }
    built = build_head(entry, loss)
    assert isinstance(built, GnetdetHead)
    return built


def planar(maps: np.ndarray) -> torch.Tensor:
    """From the oracle's [n, rows, columns, channels] to the model's [n, channels, rows, columns]."""
    return torch.from_numpy(np.ascontiguousarray(maps.transpose(0, 3, 1, 2)))


def test_targets_equal_the_oracle_bit_for_bit(shared: Path) -> None:
    oracle = np.load(shared / "data/gti_vectors/encode.npz")
    keys = sorted({name.split("_")[0] for name in oracle.files})
    assert keys
    for key in keys:
        expected = oracle[f"{key}_target"]
        own = head(expected.shape[-1] - 10).targets(oracle[f"{key}_boxes"], oracle[f"{key}_labels0"])
        assert np.array_equal(own.numpy(), expected)


def test_loss_gradient_and_normaliser_equal_the_oracle(shared: Path) -> None:
    folder = shared / "data/gti_vectors"
    oracle = np.load(folder / "loss.npz")
    own = head()
    for case in json.loads((folder / "loss.json").read_text()):
        key = case["key"]
        if key.endswith("_0_"):
            own = head(case["classes"])
        outputs = planar(oracle[f"{key}pred"]).requires_grad_()
        terms = own.loss(outputs, torch.from_numpy(oracle[f"{key}target"]))
        total = torch.stack(list(terms.values())).sum()
        total.backward()
        assert total.item() == pytest.approx(case["total"], rel=1e-5)
        for name, value in terms.items():
            assert value.item() == pytest.approx(case[f"{name}_loss"], rel=1e-5)
        assert own.state_dict()["norm"].item() == pytest.approx(case["norm_after"], rel=1e-12)
        assert outputs.grad is not None
        np.testing.assert_allclose(outputs.grad.numpy().transpose(0, 2, 3, 1), oracle[f"{key}grad"], rtol=1e-5)


@pytest.mark.parametrize("decoder", ["torch", "numpy"])
def test_decoding_equals_both_decoders_of_the_oracle(shared: Path, decoder: str) -> None:
    oracle = np.load(shared / "data/gti_vectors/decode.npz")
    for key in sorted({name.split("_")[0] for name in oracle.files}):
        outputs = planar(oracle[f"{key}_pred"])
        for name, score in (("0", 0.1), ("v1", -0.1)):
            own = head(outputs.shape[1] - 10, score=score, max_detections=10_000)
            if decoder == "torch":
                found = own.decode(outputs)[0]
            else:
                options = {"classes": outputs.shape[1] - 10, "grid": [14, 14], "score": score, "max_detections": 10_000}
                found = build_decoder({"kind": "gnetdet", "options": options})(outputs[0].numpy())
            np.testing.assert_allclose(found.boxes, oracle[f"{key}_{name}_box"], rtol=1e-5)
            np.testing.assert_allclose(found.scores, oracle[f"{key}_{name}_score"], rtol=1e-5)
            assert np.array_equal(found.labels, oracle[f"{key}_{name}_cls"])


@given(st.integers(0, 2**32 - 1), st.integers(0, 6))
def test_a_target_decodes_to_its_own_boxes(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    cells = rng.choice(196, count, replace=False)
    centre = (np.stack([cells % 14, cells // 14], axis=1) + rng.uniform(0.05, 0.95, (count, 2))) / 14
    size = rng.uniform(0.02, 0.9, (count, 2))
    boxes = np.concatenate([centre - size / 2, centre + size / 2], axis=1).astype(np.float32)
    labels = rng.integers(0, 3, count)
    own = head(nms=0.99, max_detections=500)
    found = own.decode(own.targets(boxes, labels).permute(2, 0, 1)[None])[0]
    assert len(found) == count  # the second box of each cell is the same and goes
    order, expected = np.lexsort(found.boxes.T), np.lexsort(boxes.T)
    np.testing.assert_allclose(found.boxes[order], boxes[expected], atol=2e-6)
    assert np.array_equal(found.labels[order], labels[expected])


def random_case(seed: int, pictures: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    targets = []
    for _ in range(pictures):
        corner = rng.uniform(0, 0.6, (3, 2)).astype(np.float32)
        boxes = np.concatenate([corner, corner + rng.uniform(0.1, 0.4, (3, 2)).astype(np.float32)], axis=1)
        targets.append(head().targets(boxes, rng.integers(0, 3, 3)))
    return torch.from_numpy(rng.uniform(0, 1, (pictures, 13, 14, 14)).astype(np.float32)), torch.stack(targets)


@pytest.mark.parametrize("choices", [{}, CHOICES])
def test_shares_of_processes_add_up_to_the_global_loss(choices: dict[str, Any]) -> None:
    outputs, targets = random_case(1)
    whole, halves = head(loss=choices), [head(loss=choices) for _ in range(2)]
    counts = [int((part[..., 4] > 0).sum()) for part in targets.split(4)]
    expected = sum(whole.loss(outputs, targets).values())
    shares = [
        sum(half.loss(part, aim, lambda _: torch.tensor(sum(counts))).values())
        for half, part, aim in zip(halves, outputs.split(4), targets.split(4), strict=True)
    ]
    assert sum(shares).item() == pytest.approx(expected.item(), rel=1e-6)
    for half in halves:
        assert torch.equal(half.state_dict()["norm"], whole.state_dict()["norm"])


def test_looking_does_not_move_the_normaliser_and_its_state_comes_back() -> None:
    outputs, targets = random_case(2)
    own = head()
    own.loss(outputs, targets)
    kept = own.state_dict()
    own.loss(outputs, targets, update=False)
    assert torch.equal(own.state_dict()["norm"], kept["norm"])
    own.loss(outputs, targets)
    assert not torch.equal(own.state_dict()["norm"], kept["norm"])
    own.load_state_dict(kept)
    assert torch.equal(own.state_dict()["norm"], kept["norm"])
    with pytest.raises(DetrtError):
        own.load_state_dict({"other": kept["norm"]})


def test_a_normaliser_that_starts_at_the_first_count() -> None:
    outputs, targets = random_case(3)
    own = head(loss={"norm_init": None})
    own.loss(outputs, targets)
    assert own.state_dict()["norm"].item() == int((targets[..., 4] > 0).sum())


def test_pictures_without_objects_and_dead_outputs_give_finite_gradients() -> None:
    _, targets = random_case(4)
    for aims in (torch.zeros_like(targets), targets, targets[:0]):
        outputs = torch.zeros(len(aims), 13, 14, 14, requires_grad=True)
        total = sum(head(loss=CHOICES).loss(outputs, aims).values())
        total.backward()
        assert torch.isfinite(total) and outputs.grad is not None and torch.isfinite(outputs.grad).all()


def test_detached_iou_gives_confidence_nothing_to_pull_boxes_with() -> None:
    outputs, targets = random_case(5)
    only_confidence = {"loc": 0.0, "cls": 0.0, "noobj": 0.0, "not_contain": 0.0}
    for detach in (False, True):
        own = head(loss={**only_confidence, "detach_iou": detach})
        leaf = outputs.clone().requires_grad_()
        sum(own.loss(leaf, targets).values()).backward()
        assert leaf.grad is not None
        assert bool(leaf.grad[:, [0, 1, 2, 3, 5, 6, 7, 8]].abs().sum() == 0) is detach


def test_class_weights_scale_their_own_class() -> None:
    outputs, targets = random_case(6)
    plain = head().loss(outputs, targets)["cls"]
    for_each = [
        head(loss={"class_weights": [float(k == c) for k in range(3)]}).loss(outputs, targets)["cls"] for c in range(3)
    ]
    assert sum(for_each).item() == pytest.approx(plain.item(), rel=1e-5)
    tripled = head(loss={"class_weights": [3.0, 1.0, 1.0]}).loss(outputs, targets)["cls"]
    assert tripled.item() == pytest.approx((plain + 2 * for_each[0]).item(), rel=1e-5)


@pytest.mark.parametrize(
    ("options", "loss"),
    [
        ({"classes": 0}, {}),
        ({"names": ["a"]}, {}),
        ({"anchors": 3}, {}),
        ({}, {"class_weights": [1.0]}),
        ({}, {"focal": 2}),
        ({}, {"norm_momentum": 1.0}),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], loss: dict[str, Any]) -> None:
    with pytest.raises(DetrtError):
        head(**({"loss": loss} | options))


def test_an_output_of_another_shape_is_named() -> None:
    with pytest.raises(DetrtError, match=r"\(13, 14, 14\)"):
        head().decode(torch.zeros(1, 13, 7, 7))
    with pytest.raises(DetrtError, match="no head `yolo`"):
        build_head({"kind": "yolo"})


def test_names_come_from_the_head_or_the_data() -> None:
    assert head(names=["a", "b", "c"]).class_names(["x", "y", "z"]) == ("a", "b", "c")
    assert head().class_names(["x", "y", "z"]) == ("x", "y", "z")
    with pytest.raises(DetrtError, match="3 classes, the data 2"):
        head().class_names(["x", "y"])
