"""A net in time frame by frame gives what it gives of a whole clip, to the bit, with the events of each frame."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from loihi2_plans import Nets

from detrt.devices.loihi2.forward import forward_in_time
from detrt.devices.loihi2.plan import net_of
from detrt.devices.loihi2.stepping import Steps


@pytest.mark.parametrize("seed", range(20))
def test_steps_of_a_clip_are_the_chips_form_of_it(seed: int) -> None:
    nets = Nets(seed, delays=seed % 2 == 1)
    plan = net_of(nets.plan)
    tensors = {name: torch.from_numpy(value) for name, value in nets.state.items()}
    clip = nets.clip(pictures=1, steps=6)
    seen: dict[str, list[int]] = {}

    def see(layer, messages):
        seen[layer.name] = (messages != 0).flatten(1).sum(1).tolist()

    whole = forward_in_time(plan, tensors, torch.from_numpy(clip), delay_shift=True, see=see)
    steps = Steps(plan, tensors)
    frames = [clip[..., min(t, 5)] for t in range(6 + plan.latency)]
    made = [steps(np.ascontiguousarray(frame)) for frame in frames]
    for t in range(6):
        assert np.array_equal(made[t + plan.latency][0], whole[0, ..., t].numpy())
    late = 0
    for layer in plan.layers:
        late += layer.weighted
        if layer.neuron is not None:
            assert [made[t + late][1][layer.name] for t in range(6)] == seen[layer.name]
        late += layer.delay
