"""The slayer engine against detrt's own forward: run by a Python with lava-dl, prints JSON.

`python loihi2_engines.py FOLDER SEED ..`: of each net of `loihi2_plans`, whose slayer_net.py is FOLDER/net_SEED.py, what differs.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import torch
from loihi2_plans import Nets
from torch import Tensor

from detrt.devices.loihi2.forward import forward_in_time
from detrt.devices.loihi2.plan import net_of
from detrt.devices.loihi2.slayer_engine import engine_of


def tensors_of(nets: Nets) -> dict[str, Tensor]:
    made = {name: torch.from_numpy(value).clone() for name, value in nets.state.items()}
    for name, tensor in made.items():
        tensor.requires_grad_(not name.endswith("running_mean") and (nets.trainable or "threshold" not in name))
    return made


def compared(seed: int) -> dict[str, Any]:
    nets = Nets(seed, delays=True, trainable=seed % 2 == 0)
    net, clip = net_of(nets.plan), torch.from_numpy(nets.clip())
    wanted = torch.from_numpy(nets.wanted(clip.numpy()))
    own, theirs = tensors_of(nets), tensors_of(nets)

    def means(neuron: Any, sums: Tensor) -> Tensor:
        mean = sums.mean([axis for axis in range(sums.dim()) if axis != 2])
        running = own[f"{neuron.module}.norm.running_mean"]
        with torch.no_grad():
            running.copy_(0.9 * running + 0.1 * mean)
        return mean

    seen: list[list[Tensor]] = [[], []]
    engine = engine_of(f"net_{seed}")
    outputs = []
    for _ in range(2):  # states begin anew on each pass
        outputs = [
            forward_in_time(net, own, clip, means=means, see=lambda _, messages: seen[0].append(messages.detach())),
            engine(net, theirs, clip, see=lambda _, messages: seen[1].append(messages.detach())),
        ]
    for output in outputs:
        (output * wanted).sum().backward()
    found: dict[str, Any] = {
        "output": torch.equal(*outputs),
        "messages": len(seen[0]) == len(seen[1]) and all(map(torch.equal, *seen)),
        "means": max((float((own[n] - theirs[n]).abs().max()) for n in own if n.endswith("running_mean")), default=0.0),
        "gradients": {},
    }
    for name, tensor in own.items():
        if tensor.requires_grad:
            # The gradient of a length is what is left of those of its direction, which may be many times as large.
            parts = {name, name.replace("weight_v", "weight_g"), name.replace("weight_g", "weight_v")}
            scale = [float(own[n].grad.abs().max()) for n in parts]
            error = float((tensor.grad - theirs[name].grad).abs().max())
            found["gradients"][name] = error / max(*scale, 1e-30)
    still = {name: tensor.clone() for name, tensor in theirs.items() if name.endswith("running_mean")}
    engine(net, theirs, clip, still={layer.neuron.module for layer in net.layers if layer.neuron})
    found["still"] = all(torch.equal(theirs[name], value) for name, value in still.items())
    return found


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    print(json.dumps({seed: compared(int(seed)) for seed in sys.argv[2:]}))
