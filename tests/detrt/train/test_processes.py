"""The same training in one process and in two, on one machine and on two."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tiny_detector import all_stages, environment, run, write_lock

from detrt.train.checkpoint import read_checkpoint

PROGRAM = str(Path(__file__).parent / "tiny_detector.py")
TORCHRUN = [sys.executable, "-m", "torch.distributed.run"]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def stages() -> list[dict[str, object]]:
    found = all_stages()
    for stage in found:
        stage |= {"epochs": 3, "choose": "loss"}
        # Exact ties of detections may fall either way; the last epoch is compared, whichever is best.
    found[0]["freeze"] = {"prefixes": ["conv1"], "epochs": 1}
    return found[:2]


def same_up_to_summation_order(folder: Path, one: str, two: str) -> None:
    for stage in ("float", "weights"):
        first, second = (read_checkpoint(folder / f"runs/{name}/{stage}/last.safetensors") for name in (one, two))
        for group in ("model", "ema", "head"):
            for key, value in first.group(group).items():
                torch.testing.assert_close(
                    second.group(group)[key], value, rtol=2e-3, atol=2e-5, msg=f"{stage} {group}/{key}"
                )
        curves = [list(csv.DictReader((folder / f"runs/{name}/{stage}/metrics.csv").open())) for name in (one, two)]
        for a, b in zip(*curves, strict=True):
            for key in a:
                if key.startswith(("train/", "val/loss")):
                    assert float(a[key]) == pytest.approx(float(b[key]), rel=2e-3, abs=1e-6), (stage, a["epoch"], key)


@pytest.mark.long
@pytest.mark.alone
def test_two_processes_agree_with_one(tmp_path: Path) -> None:
    path = write_lock(tmp_path, stages())
    assert run(path, "--name", "one") == 0
    command = [*TORCHRUN, "--standalone", "--nproc_per_node=2", PROGRAM, str(path), "--name", "two"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("float 3/3") == 1, "only the first process prints"
    same_up_to_summation_order(tmp_path, "one", "two")
    result = json.loads((tmp_path / "runs/two/result.json").read_text())
    assert [stage["name"] for stage in result["stages"]] == ["float", "weights"]


@pytest.mark.long
@pytest.mark.alone
def test_two_machines_agree_with_one(tmp_path: Path) -> None:
    path = write_lock(tmp_path, stages())
    assert run(path, "--name", "one") == 0
    port = free_port()

    def node(rank: int) -> subprocess.Popen[str]:
        command = [
            *TORCHRUN,
            "--nnodes=2",
            "--nproc_per_node=1",
            f"--node_rank={rank}",
            "--master_addr=127.0.0.1",
            f"--master_port={port}",
        ]
        return subprocess.Popen(
            [*command, PROGRAM, str(path), "--name", "two"],
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    nodes = [node(0), node(1)]
    for machine in nodes:
        _, errors = machine.communicate(timeout=120)
        assert machine.returncode == 0, errors[-3000:]
    same_up_to_summation_order(tmp_path, "one", "two")


def norms_over_processes(rank: int, port: int, folder: str) -> None:
    """What one of two processes does: half of a batch through a shared batch norm."""
    import torch.distributed as dist

    from detrt.train.distributed import Processes
    from detrt.train.norms import share_norms

    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    x, net = batch_and_net()
    net = share_norms(net, Processes(rank, 2, torch.device("cpu")))
    half = x.chunk(2)[rank].clone().requires_grad_()
    net(half).square().mul(torch.arange(5.0)[:, None, None]).sum().backward()
    gradients = [parameter.grad for parameter in net.parameters()]
    for gradient in gradients:
        dist.all_reduce(gradient)
    torch.save([half.grad, *gradients, *net.buffers()], f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def batch_and_net() -> tuple[torch.Tensor, torch.nn.Module]:
    torch.manual_seed(0)
    return torch.randn(6, 5, 4, 4) * 3 + 1, torch.nn.Sequential(torch.nn.BatchNorm2d(5), torch.nn.ReLU())


@pytest.mark.long
@pytest.mark.alone
def test_batch_norms_see_the_global_batch(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(norms_over_processes, (free_port(), str(tmp_path)), nprocs=2)
    x, net = batch_and_net()
    x.requires_grad_()
    net(x).square().mul(torch.arange(5.0)[:, None, None]).sum().backward()
    expected = [parameter.grad for parameter in net.parameters()] + list(net.buffers())
    halves = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    torch.testing.assert_close(torch.cat([halves[0][0], halves[1][0]]), x.grad, rtol=1e-4, atol=1e-4)
    for half in halves:
        for found, wanted in zip(half[1:], expected, strict=True):
            torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc to find a process by its rank")
@pytest.mark.alone
def test_two_processes_stop_together_and_go_on(tmp_path: Path) -> None:
    found = stages()[:1]
    found[0]["epochs"] = 40
    path = write_lock(tmp_path, found)
    command = [*TORCHRUN, "--standalone", "--nproc_per_node=2", PROGRAM, str(path), "--name"]
    whole = subprocess.run([*command, "whole"], env=environment(), capture_output=True, text=True, timeout=120)
    assert whole.returncode == 0, whole.stderr[-3000:]
    stopped = subprocess.Popen(
        [*command, "a"], env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    wait_for(tmp_path / "runs/a/float/last.safetensors", stopped)
    # One process alone hears of it, and both stop at the same step.
    os.kill(worker_of(stopped.pid, 1), signal.SIGINT)
    _, errors = stopped.communicate(timeout=60)
    assert stopped.returncode != 0, errors[-3000:]
    assert not (tmp_path / "runs/a/float/stage.json").exists(), "it was over before it was stopped"
    resumed = subprocess.run(
        [*command, "a", "--resume"], env=environment(), capture_output=True, text=True, timeout=120
    )
    assert resumed.returncode == 0, resumed.stderr[-3000:]
    hashes = [
        json.loads((tmp_path / f"runs/{name}/result.json").read_text())["stages"][0]["weights_sha256"]
        for name in ("whole", "a")
    ]
    assert hashes[0] == hashes[1]


def worker_of(agent: int, rank: int) -> int:
    """The process that torchrun process `agent` has started as `rank`."""
    children = Path(f"/proc/{agent}/task/{agent}/children").read_text().split()
    mark = f"\0RANK={rank}\0".encode()
    (found,) = [pid for pid in children if mark in Path(f"/proc/{pid}/environ").read_bytes()]
    return int(found)


def workers_of(agent: int) -> list[int]:
    children = Path(f"/proc/{agent}/task/{agent}/children").read_text().split()
    return [int(pid) for pid in children if b"\0RANK=" in Path(f"/proc/{pid}/environ").read_bytes()]


def wait_for(path: Path, *running: subprocess.Popen[str]) -> None:
    while not path.exists():
        assert all(process.poll() is None for process in running)
        time.sleep(0.01)


def begin(*command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*TORCHRUN, *command], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc to find a process")


@pytest.mark.long
@needs_proc
@pytest.mark.alone
def test_a_killed_worker_is_started_again_and_the_run_ends_as_if_it_had_lived(tmp_path: Path) -> None:
    found = stages()[:1]
    found[0] |= {"epochs": 30, "accumulate": 2, "ema_warmup": 5, "rates": {"head": 1e-3}, "sync_bn": False}
    path = write_lock(tmp_path, found)
    shape = ["--standalone", "--nproc_per_node=2", "--max-restarts=3"]
    whole = begin(*shape, PROGRAM, str(path), "--out", str(tmp_path / "whole"))
    assert whole.communicate(timeout=120) and whole.returncode == 0
    for old in ("1", "2"):  # an older run is no business of this launch
        (tmp_path / "runs" / old).mkdir(parents=True)
    killed = begin(*shape, PROGRAM, str(path))  # without a name: what it goes on with has to be found
    wait_for(tmp_path / "runs/3/float/last.previous.safetensors", killed)
    os.kill(worker_of(killed.pid, 1), signal.SIGKILL)
    output, errors = killed.communicate(timeout=120)
    assert killed.returncode == 0, errors[-3000:]
    assert "going on at epoch" in output
    assert "Traceback" not in errors.split("torch.distributed")[0]
    assert sorted(run.name for run in (tmp_path / "runs").iterdir()) == ["1", "2", "3"]
    results = [json.loads((tmp_path / run / "result.json").read_text())["stages"][0] for run in ("whole/1", "runs/3")]
    assert [stage["epochs"] for stage in results] == [30, 30]
    assert results[0]["weights_sha256"] == results[1]["weights_sha256"]


@pytest.mark.long
@needs_proc
@pytest.mark.alone
def test_two_nodes_go_on_after_a_worker_of_one_is_killed(tmp_path: Path) -> None:
    found = stages()[:1]
    found[0]["epochs"] = 30
    path = write_lock(tmp_path, found)
    shape = ["--nnodes=2", "--nproc_per_node=1", "--max-restarts=3", "--rdzv_backend=c10d", "--rdzv_id=j1"]
    shape += [f"--rdzv_endpoint=127.0.0.1:{free_port()}", "--local_addr=127.0.0.1"]
    nodes = [begin(*shape, PROGRAM, str(path)) for _ in range(2)]
    wait_for(tmp_path / "runs/1/float/last.previous.safetensors", *nodes)
    os.kill(workers_of(nodes[1].pid)[0], signal.SIGKILL)
    for node in nodes:
        _, errors = node.communicate(timeout=180)
        assert node.returncode == 0, errors[-3000:]
    assert [run.name for run in (tmp_path / "runs").iterdir()] == ["1"]
    stage = json.loads((tmp_path / "runs/1/result.json").read_text())["stages"][0]
    assert (stage["epochs"], stage["ended"]) == (30, "all epochs")


@pytest.mark.long
@pytest.mark.alone
def test_three_steps_of_two_processes_are_those_of_one(tmp_path: Path) -> None:
    sgd = {"name": "sgd", "lr": 0.05, "nesterov": True, "weight_decay": 1e-3, "decay": "weights"}
    warmcos = {"name": "yoloxwarmcos", "by": "step", "warmup": 1, "warmup_from": 0.01, "floor": 0.05}
    found = stages()[:1]
    found[0] |= {"epochs": 1, "optimizer": sgd, "schedule": warmcos, "accumulate": 2, "freeze": {}}
    path = write_lock(tmp_path, found)
    assert run(path, "--name", "one") == 0
    two = begin("--standalone", "--nproc_per_node=2", PROGRAM, str(path), "--name", "two")
    assert two.communicate(timeout=120) and two.returncode == 0
    one, other = (
        read_checkpoint(tmp_path / f"runs/{name}/float/last.safetensors").group("model") for name in ("one", "two")
    )
    for name, weights in one.items():
        torch.testing.assert_close(other[name], weights, rtol=1e-4, atol=1e-6, msg=name)


def test_a_run_is_found_again_by_its_launch(tmp_path: Path) -> None:
    from detrt.train.elastic import begun_before, remember

    for name, launch in (("1", ["a:1:5"]), ("2", ["a:2:5", "b:7:9"]), ("3", [])):
        (tmp_path / name).mkdir()
        remember(tmp_path / name, launch)
    assert begun_before(tmp_path, ["b:7:9"]) == tmp_path / "2"
    assert begun_before(tmp_path, ["c:7:9", "a:2:5"]) == tmp_path / "2"
    assert begun_before(tmp_path, ["a:1:6"]) is None
    assert begun_before(tmp_path, []) is None
    for content in ("", "{}", "[1, 2]", "[" * 5000, "\0"):
        (tmp_path / "3/launch.json").write_text(content)
        assert begun_before(tmp_path, ["a:1:5"]) == tmp_path / "1"


def test_a_batch_too_small_to_share_is_refused() -> None:
    from detrt.data.order import require_work_for_all
    from detrt.errors import DetrtError

    with pytest.raises(DetrtError, match="cannot be split over 5 processes"):
        require_work_for_all(4, 12, 5)
